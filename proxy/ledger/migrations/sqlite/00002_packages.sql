-- +goose Up

-- Package repositories. A generation is one committed state of a repository, counted from 1.
CREATE TABLE repositories (
    name       TEXT   NOT NULL PRIMARY KEY,
    generation BIGINT NOT NULL,
    time       BIGINT NOT NULL, -- of its commit, microseconds since 1970
    date       BIGINT NOT NULL  -- of its index, seconds since 1970; never goes back
);

-- When recent generations were committed.
CREATE TABLE generations (
    repository TEXT   NOT NULL,
    generation BIGINT NOT NULL,
    time       BIGINT NOT NULL,
    PRIMARY KEY (repository, generation)
);

-- Every uploaded file, also for a while after its removal.
CREATE TABLE packages (
    repository TEXT   NOT NULL,
    path       TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    version    TEXT   NOT NULL,
    arch       TEXT   NOT NULL,
    slot       TEXT   NOT NULL,
    variant    TEXT   NOT NULL,
    shard      TEXT   NOT NULL,
    uploaded   BLOB   NOT NULL, -- SHA-256 of the bytes as they were uploaded
    digest     BLOB   NOT NULL, -- and as they are served
    size       BIGINT NOT NULL,
    pusher     TEXT   NOT NULL,
    time       BIGINT NOT NULL,
    record     BLOB   NOT NULL,
    removed    BIGINT NOT NULL, -- 0: it is there
    PRIMARY KEY (repository, path)
);
CREATE INDEX packages_slot ON packages (repository, slot) WHERE slot <> '';
CREATE INDEX packages_removed ON packages (repository, removed) WHERE removed <> 0;

-- The tree of each generation: a file is in the generations since <= g < until.
CREATE TABLE files (
    repository TEXT    NOT NULL,
    path       TEXT    NOT NULL,
    since      BIGINT  NOT NULL,
    until      BIGINT  NOT NULL, -- 9223372036854775807: it is there
    is_index   INTEGER NOT NULL, -- 1: an index file; 0: a package, or a sidecar of one
    lasting    INTEGER NOT NULL, -- 1: readable also in later generations
    size       BIGINT  NOT NULL,
    tag        BLOB    NOT NULL,
    time       BIGINT  NOT NULL,
    data       BLOB,             -- the bytes, if they are few
    parts      BLOB,             -- otherwise where they are
    PRIMARY KEY (repository, path, since)
) WITHOUT ROWID;
-- Of a path of an index there may be thousands of generations, and but one that is there.
CREATE UNIQUE INDEX files_now ON files (repository, path) WHERE until = 9223372036854775807;
CREATE INDEX files_until ON files (repository, until) WHERE until <> 9223372036854775807;

-- Small immutable bytes that parts of files name, by their SHA-256.
CREATE TABLE objects (
    digest BLOB   NOT NULL PRIMARY KEY,
    time   BIGINT NOT NULL, -- when it was last named by a commit
    data   BLOB   NOT NULL
);

-- What the write path remembers of each repository.
CREATE TABLE state (
    repository TEXT NOT NULL,
    key        TEXT NOT NULL,
    value      BLOB NOT NULL,
    PRIMARY KEY (repository, key)
);

-- +goose Down
DROP TABLE state;
DROP TABLE objects;
DROP TABLE files;
DROP TABLE packages;
DROP TABLE generations;
DROP TABLE repositories;
