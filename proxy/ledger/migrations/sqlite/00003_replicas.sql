-- +goose Up

-- The public keys of each repository, as all replicas have them.
CREATE TABLE ring (
    repository  TEXT NOT NULL,
    purpose     TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    PRIMARY KEY (repository, purpose, fingerprint)
);

-- What all replicas must know and nobody else may.
CREATE TABLE secrets (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- Blobs that were there already when somebody stored them again: the next commit may name them.
CREATE TABLE kept (
    digest BLOB   NOT NULL PRIMARY KEY,
    time   BIGINT NOT NULL -- microseconds since 1970
);

-- +goose Down
DROP TABLE kept;
DROP TABLE secrets;
DROP TABLE ring;
