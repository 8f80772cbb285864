-- +goose Up

-- The public keys of each repository, as all replicas have them.
CREATE TABLE ring (
    repository  TEXT COLLATE "C" NOT NULL,
    purpose     TEXT COLLATE "C" NOT NULL,
    fingerprint TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (repository, purpose, fingerprint)
);

-- What all replicas must know and nobody else may.
CREATE TABLE secrets (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT COLLATE "C" NOT NULL
);

-- Blobs that were there already when somebody stored them again: the next commit may name them.
CREATE TABLE kept (
    digest BYTEA  NOT NULL PRIMARY KEY,
    time   BIGINT NOT NULL -- microseconds since 1970
);

-- Whoever writes locks this table first, so that there is one writer at a time in all processes. It has no rows.
CREATE TABLE writer ();

-- +goose Down
DROP TABLE writer;
DROP TABLE kept;
DROP TABLE secrets;
DROP TABLE ring;
