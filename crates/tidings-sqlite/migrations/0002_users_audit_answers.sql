-- Users with their cookie sessions, webhook secrets, the audit log, tagged records, and decisions that are repeated.

-- Records are numbered in the order of their creation; a number is never given twice.
CREATE TABLE records_by_place (
    place      INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant     INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    id         TEXT NOT NULL,
    version    INTEGER NOT NULL,
    body       TEXT NOT NULL,
    tags       TEXT NOT NULL DEFAULT '[]', -- JSON: the tags under which it stands in `record_tags`
    at_seq     INTEGER NOT NULL,           -- the head after the commit that last changed it
    at_lineage INTEGER NOT NULL,
    UNIQUE (tenant, kind, id)
) STRICT;

INSERT INTO records_by_place (tenant, kind, id, version, body, at_seq, at_lineage)
    SELECT tenant, kind, id, version, body, at_seq, at_lineage FROM records ORDER BY rowid;

DROP TABLE records;

ALTER TABLE records_by_place RENAME TO records;

CREATE INDEX records_in_order ON records (tenant, kind, place);

CREATE TABLE record_tags (
    tenant INTEGER NOT NULL,
    kind   TEXT NOT NULL,
    tag    TEXT NOT NULL,
    place  INTEGER NOT NULL,
    PRIMARY KEY (tenant, kind, tag, place)
) STRICT, WITHOUT ROWID;

-- What a decision came to, under each of its idempotency keys.
CREATE TABLE answers (
    id              INTEGER PRIMARY KEY,
    tenant          INTEGER NOT NULL,
    scope           TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint     BLOB NOT NULL,
    answer          TEXT,
    head_seq        INTEGER NOT NULL,
    head_lineage    INTEGER NOT NULL,
    receipts        TEXT NOT NULL, -- JSON: [number, lineage] of each event
    forget_at       INTEGER NOT NULL,
    UNIQUE (tenant, scope, idempotency_key)
) STRICT;

CREATE INDEX answers_by_end ON answers (forget_at);

CREATE TABLE users (
    id          INTEGER PRIMARY KEY,
    public_id   TEXT NOT NULL UNIQUE,
    tenant      INTEGER NOT NULL REFERENCES tenants (id),
    email       TEXT UNIQUE, -- in lower case
    password    TEXT,        -- a PHC string; none for a user who is known by tokens alone
    role        TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    disabled_at INTEGER
) STRICT;

CREATE INDEX users_of_tenant ON users (tenant, id);

CREATE TABLE cookie_sessions (
    id         INTEGER PRIMARY KEY,
    public_id  TEXT NOT NULL UNIQUE,
    token      BLOB NOT NULL UNIQUE, -- a hash of it
    user       INTEGER NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ip_address TEXT,
    user_agent TEXT
) STRICT;

CREATE INDEX cookie_sessions_of_user ON cookie_sessions (user, id);
CREATE INDEX cookie_sessions_by_end ON cookie_sessions (expires_at);

CREATE TABLE webhook_secrets (
    id         INTEGER PRIMARY KEY,
    public_id  TEXT NOT NULL UNIQUE,
    tenant     INTEGER NOT NULL REFERENCES tenants (id),
    provider   TEXT NOT NULL,
    secret     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (provider, secret)
) STRICT;

CREATE INDEX webhook_secrets_in_order ON webhook_secrets (provider, id);

-- The user as whom a key acts.
ALTER TABLE api_keys ADD COLUMN user INTEGER REFERENCES users (id);

-- Read by people and their tools, so its columns speak for themselves. Numbers are never given twice.
CREATE TABLE audit_logs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id   TEXT,
    user_id     TEXT,
    action      TEXT NOT NULL,
    resource_id TEXT,
    ip_address  TEXT,
    user_agent  TEXT,
    metadata    TEXT NOT NULL, -- a JSON object
    created_at  TEXT NOT NULL  -- RFC 3339 with milliseconds, UTC
) STRICT;

CREATE INDEX audit_logs_of_tenant ON audit_logs (tenant_id, id);
CREATE INDEX audit_logs_of_user ON audit_logs (user_id, id);
CREATE INDEX audit_logs_of_action ON audit_logs (action, id);
CREATE INDEX audit_logs_by_time ON audit_logs (created_at);

-- The streams that are open, each with what the row of its end needs. The row of its opening may have grown too old and
-- be gone by then, so this is a copy.
CREATE TABLE open_streams (
    stream        TEXT PRIMARY KEY,
    closed_action TEXT NOT NULL,
    opened_at     INTEGER NOT NULL,
    tenant_id     TEXT,
    user_id       TEXT,
    resource_id   TEXT,
    ip_address    TEXT,
    user_agent    TEXT,
    metadata      TEXT NOT NULL
) STRICT;
