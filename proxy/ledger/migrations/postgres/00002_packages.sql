-- +goose Up

-- Package repositories. A generation is one committed state of a repository, counted from 1.
CREATE TABLE repositories (
    name       TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    generation BIGINT NOT NULL,
    time       BIGINT NOT NULL, -- of its commit, microseconds since 1970
    date       BIGINT NOT NULL  -- of its index, seconds since 1970; never goes back
);

-- When recent generations were committed.
CREATE TABLE generations (
    repository TEXT   COLLATE "C" NOT NULL,
    generation BIGINT NOT NULL,
    time       BIGINT NOT NULL,
    PRIMARY KEY (repository, generation)
);

-- Every uploaded file, also for a while after its removal.
CREATE TABLE packages (
    repository TEXT   COLLATE "C" NOT NULL,
    path       TEXT   COLLATE "C" NOT NULL,
    name       TEXT   COLLATE "C" NOT NULL,
    version    TEXT   COLLATE "C" NOT NULL,
    arch       TEXT   COLLATE "C" NOT NULL,
    slot       TEXT   COLLATE "C" NOT NULL,
    variant    TEXT   COLLATE "C" NOT NULL,
    shard      TEXT   COLLATE "C" NOT NULL,
    uploaded   BYTEA   NOT NULL, -- SHA-256 of the bytes as they were uploaded
    digest     BYTEA   NOT NULL, -- and as they are served
    size       BIGINT NOT NULL,
    pusher     TEXT   COLLATE "C" NOT NULL,
    time       BIGINT NOT NULL,
    record     BYTEA   NOT NULL,
    removed    BIGINT NOT NULL, -- 0: it is there
    PRIMARY KEY (repository, path)
);
CREATE INDEX packages_slot ON packages (repository, slot) WHERE slot <> '';
CREATE INDEX packages_removed ON packages (repository, removed) WHERE removed <> 0;

-- The tree of each generation: a file is in the generations since <= g < until.
CREATE TABLE files (
    repository TEXT    COLLATE "C" NOT NULL,
    path       TEXT    COLLATE "C" NOT NULL,
    since      BIGINT  NOT NULL,
    until      BIGINT  NOT NULL, -- 9223372036854775807: it is there
    is_index   INTEGER NOT NULL, -- 1: an index file; 0: a package, or a sidecar of one
    lasting    INTEGER NOT NULL, -- 1: readable also in later generations
    size       BIGINT  NOT NULL,
    tag        BYTEA    NOT NULL,
    time       BIGINT  NOT NULL,
    data       BYTEA,             -- the bytes, if they are few
    parts      BYTEA,             -- otherwise where they are
    PRIMARY KEY (repository, path, since)
);
-- Of a path of an index there may be thousands of generations, and but one that is there.
CREATE UNIQUE INDEX files_now ON files (repository, path) WHERE until = 9223372036854775807;
CREATE INDEX files_until ON files (repository, until) WHERE until <> 9223372036854775807;

-- Small immutable bytes that parts of files name, by their SHA-256.
CREATE TABLE objects (
    digest BYTEA   NOT NULL PRIMARY KEY,
    time   BIGINT NOT NULL, -- when it was last named by a commit
    data   BYTEA   NOT NULL
);

-- What the write path remembers of each repository.
CREATE TABLE state (
    repository TEXT COLLATE "C" NOT NULL,
    key        TEXT COLLATE "C" NOT NULL,
    value      BYTEA NOT NULL,
    PRIMARY KEY (repository, key)
);

-- +goose Down
DROP TABLE state;
DROP TABLE objects;
DROP TABLE files;
DROP TABLE packages;
DROP TABLE generations;
DROP TABLE repositories;
