-- +goose Up

-- Every signature that was made, in the order in which they were recorded: the ids count from 1 without a gap.
-- Rows are never deleted. Of a row, only the state changes.
CREATE TABLE signatures (
    id         BIGINT NOT NULL PRIMARY KEY,
    time       BIGINT NOT NULL, -- microseconds since 1970, UTC
    repository TEXT   COLLATE "C" NOT NULL,
    name       TEXT   COLLATE "C" NOT NULL,
    digest     TEXT   COLLATE "C" NOT NULL, -- of what was signed for: an image's manifest, a file
    scheme     TEXT   COLLATE "C" NOT NULL,
    key        TEXT   COLLATE "C" NOT NULL, -- fingerprint
    pusher     TEXT   COLLATE "C" NOT NULL, -- empty: anonymous
    request    TEXT   COLLATE "C" NOT NULL,
    message    TEXT   COLLATE "C" NOT NULL, -- digest of the bytes that were signed
    value      TEXT   COLLATE "C" NOT NULL, -- digest of the signature
    state      TEXT   COLLATE "C" NOT NULL CHECK (state IN ('made', 'void')),
    leaf       TEXT   COLLATE "C" NOT NULL  -- canonical JSON of everything above but id and state
);

CREATE INDEX signatures_of ON signatures (repository, name, digest, state);

-- Subjects that a Sigstore bundle of somebody else named before we had signed them.
CREATE TABLE referrers (
    repository TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    subject    TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (repository, name, subject)
);

-- +goose Down
DROP TABLE referrers;
DROP TABLE signatures;
