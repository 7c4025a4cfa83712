-- The first shape of the file. Times are milliseconds since 1970; numbers of events are per tenant, from 1.

CREATE TABLE tenants (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    head       INTEGER NOT NULL DEFAULT 0, -- number of the last committed event; never lowered
    floor      INTEGER NOT NULL DEFAULT 0, -- no event up to here is given any more, on any channel
    last_time  INTEGER NOT NULL DEFAULT 0  -- time of the last committed event
) STRICT;

-- The unbroken runs of each tenant's log, in the order of `id`. A cursor counts if its number lies in its run's range.
CREATE TABLE lineages (
    id      INTEGER PRIMARY KEY,
    tenant  INTEGER NOT NULL REFERENCES tenants (id),
    lineage INTEGER NOT NULL, -- 35 random bits
    began   INTEGER NOT NULL, -- the head at its start
    ended   INTEGER,          -- the head found at the next start; none for the present run
    UNIQUE (tenant, lineage)
) STRICT;

CREATE INDEX lineages_in_order ON lineages (tenant, id);

CREATE TABLE channels (
    id          INTEGER PRIMARY KEY,
    tenant      INTEGER NOT NULL,
    name        TEXT NOT NULL,
    trimmed_to  INTEGER NOT NULL DEFAULT 0, -- the last number that retention removed from it; 0: none above the floor
    ended_by    INTEGER,                    -- number of the terminal event that ended it
    ended_until INTEGER,                    -- once that event has gone: when the name is free again
    UNIQUE (tenant, name)
) STRICT;

CREATE INDEX channels_trimmed ON channels (tenant, trimmed_to, name) WHERE trimmed_to > 0;

CREATE TABLE events (
    tenant           INTEGER NOT NULL,
    seq              INTEGER NOT NULL,
    lineage          INTEGER NOT NULL, -- the run under which it was committed: part of its id for ever
    time             INTEGER NOT NULL, -- never less than that of the event before it
    channel          TEXT NOT NULL,
    also             TEXT,             -- further channels, one space between
    type             TEXT NOT NULL,
    category         TEXT,
    conflation_key   TEXT,
    actor            TEXT,
    version          INTEGER,
    mutation_id      TEXT,
    terminal         INTEGER NOT NULL DEFAULT 0,
    data             TEXT NOT NULL,
    idempotency_key  TEXT,
    fingerprint      BLOB,             -- tells one body from another under the same idempotency key
    PRIMARY KEY (tenant, seq)
) STRICT;

CREATE UNIQUE INDEX events_by_key ON events (tenant, channel, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- The events of each channel, further channels included. `place` counts up by one within a channel, so that the last
-- less the first tells how many there are.
CREATE TABLE channel_events (
    channel INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    place   INTEGER NOT NULL,
    PRIMARY KEY (channel, seq)
) STRICT, WITHOUT ROWID;

-- What remains of an idempotency key whose event retention removed before the key may be forgotten.
CREATE TABLE key_stubs (
    tenant          INTEGER NOT NULL,
    channel         TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint     BLOB NOT NULL,
    seq             INTEGER NOT NULL,
    lineage         INTEGER NOT NULL,
    forget_at       INTEGER NOT NULL,
    PRIMARY KEY (tenant, channel, idempotency_key)
) STRICT, WITHOUT ROWID;

CREATE INDEX key_stubs_by_end ON key_stubs (forget_at);

-- How many idempotency keys each tenant used, by minute.
CREATE TABLE key_counts (
    tenant INTEGER NOT NULL,
    minute INTEGER NOT NULL,
    keys   INTEGER NOT NULL,
    PRIMARY KEY (tenant, minute)
) STRICT, WITHOUT ROWID;

CREATE TABLE records (
    tenant     INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    id         TEXT NOT NULL,
    version    INTEGER NOT NULL,
    body       TEXT NOT NULL,
    at_seq     INTEGER NOT NULL, -- the head after the commit that last changed it
    at_lineage INTEGER NOT NULL,
    PRIMARY KEY (tenant, kind, id)
) STRICT;

-- Values that wait for the end of a stage's window. Invisible to reads.
CREATE TABLE held (
    tenant INTEGER NOT NULL,
    stage  TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    value  TEXT NOT NULL, -- JSON: the event and the records that change with it
    PRIMARY KEY (tenant, stage)
) STRICT;

CREATE TABLE api_keys (
    id         INTEGER PRIMARY KEY,
    public_id  TEXT NOT NULL UNIQUE,
    tenant     INTEGER NOT NULL REFERENCES tenants (id),
    name       TEXT NOT NULL,
    hash       BLOB NOT NULL UNIQUE,
    grants     TEXT NOT NULL, -- JSON: an array of texts
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;

CREATE UNIQUE INDEX api_keys_by_name ON api_keys (tenant, name) WHERE revoked_at IS NULL;
