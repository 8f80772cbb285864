-- +goose Up

-- Every signature that was made, in the order in which they were recorded: the ids count from 1 without a gap.
-- Rows are never deleted. Of a row, only the state changes.
CREATE TABLE signatures (
    id         BIGINT NOT NULL PRIMARY KEY,
    time       BIGINT NOT NULL, -- microseconds since 1970, UTC
    repository TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    digest     TEXT   NOT NULL, -- of what was signed for: an image's manifest, a file
    scheme     TEXT   NOT NULL,
    key        TEXT   NOT NULL, -- fingerprint
    pusher     TEXT   NOT NULL, -- empty: anonymous
    request    TEXT   NOT NULL,
    message    TEXT   NOT NULL, -- digest of the bytes that were signed
    value      TEXT   NOT NULL, -- digest of the signature
    state      TEXT   NOT NULL CHECK (state IN ('made', 'void')),
    leaf       TEXT   NOT NULL  -- canonical JSON of everything above but id and state
);

CREATE INDEX signatures_of ON signatures (repository, name, digest, state);

-- Subjects that a Sigstore bundle of somebody else named before we had signed them.
CREATE TABLE referrers (
    repository TEXT NOT NULL,
    name       TEXT NOT NULL,
    subject    TEXT NOT NULL,
    PRIMARY KEY (repository, name, subject)
);

-- +goose Down
DROP TABLE referrers;
DROP TABLE signatures;
