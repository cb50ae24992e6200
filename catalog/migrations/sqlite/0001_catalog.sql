-- Who takes part, what may be shared, who asked and what was granted. Text compares by code point (BINARY),
-- as in PostgreSQL with COLLATE "C"; times are RFC 3339 text; documents are JSON text that only the service reads.

-- Numbers given in the creating transaction, never reused: resources, grants, schema ids, a sequence per class.
CREATE TABLE counter (
    name  TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
);

CREATE TABLE agency (
    id         BLOB NOT NULL PRIMARY KEY,
    suspended  BOOLEAN NOT NULL,
    version    INTEGER NOT NULL,
    created_at TEXT NOT NULL
);

-- Credit code, name and alias are dated: agencies merge and are renamed. The row without an end is in force.
CREATE TABLE agency_name (
    agency      BLOB NOT NULL REFERENCES agency,
    valid_from  TEXT NOT NULL,
    valid_until TEXT,
    code        TEXT,
    name        TEXT NOT NULL,
    alias       TEXT,
    PRIMARY KEY (agency, valid_from)
);
CREATE UNIQUE INDEX agency_name_code ON agency_name (code) WHERE valid_until IS NULL;
CREATE UNIQUE INDEX agency_name_alias ON agency_name (alias) WHERE valid_until IS NULL;
CREATE UNIQUE INDEX agency_name_in_force ON agency_name (agency) WHERE valid_until IS NULL;

CREATE TABLE account (
    id         BLOB NOT NULL PRIMARY KEY,
    agency     BLOB NOT NULL REFERENCES agency,
    name       TEXT NOT NULL,
    roles      INTEGER NOT NULL,
    suspended  BOOLEAN NOT NULL,
    version    INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (agency, name)
);

-- Of a key's secret only the HMAC is kept.
CREATE TABLE api_key (
    id           TEXT NOT NULL PRIMARY KEY,
    mac          BLOB NOT NULL,
    pepper       TEXT NOT NULL,
    account      BLOB NOT NULL REFERENCES account,
    scopes       INTEGER NOT NULL,
    issued_by    BLOB,
    created_at   TEXT NOT NULL,
    expires_at   TEXT NOT NULL,
    revoked_at   TEXT,
    last_used_at TEXT
);
CREATE INDEX api_key_account ON api_key (account);

CREATE TABLE schema_text (
    id          INTEGER NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL UNIQUE,
    text        TEXT NOT NULL,
    created_at  TEXT NOT NULL
);

CREATE TABLE resource (
    number          INTEGER NOT NULL PRIMARY KEY,
    class           TEXT NOT NULL,
    sequence        INTEGER NOT NULL,
    provider        BLOB NOT NULL REFERENCES agency,
    state           TEXT NOT NULL,
    version         INTEGER NOT NULL,
    generation      INTEGER NOT NULL,
    share_type      TEXT NOT NULL,
    -- What a search looks in: lower-cased title, abstract, code and item titles.
    search          TEXT NOT NULL,
    file            TEXT NOT NULL,
    written_by      BLOB NOT NULL,
    submitted_by    BLOB,
    approved_by     BLOB,
    value_schema    INTEGER REFERENCES schema_text,
    key_schema      INTEGER REFERENCES schema_text,
    published_at    TEXT,
    -- The head's standing consent to automatic grants (Decree 809 art. 20), given by publishing.
    consented_by    BLOB,
    consented_at    TEXT,
    log_rolled_back BOOLEAN NOT NULL,
    created_at      TEXT NOT NULL,
    UNIQUE (class, sequence)
);
CREATE INDEX resource_provider ON resource (provider, number);

CREATE TABLE resource_version (
    resource   INTEGER NOT NULL REFERENCES resource,
    version    INTEGER NOT NULL,
    action     TEXT NOT NULL,
    state      TEXT NOT NULL,
    file       TEXT NOT NULL,
    changed_by BLOB NOT NULL,
    changed_at TEXT NOT NULL,
    PRIMARY KEY (resource, version)
);

-- The topic of each generation: wanted (committed) first, made afterwards.
CREATE TABLE topic (
    resource   INTEGER NOT NULL REFERENCES resource,
    generation INTEGER NOT NULL,
    name       TEXT NOT NULL UNIQUE,
    partitions INTEGER NOT NULL,
    made       BOOLEAN NOT NULL,
    PRIMARY KEY (resource, generation)
);

CREATE TABLE request (
    id           BLOB NOT NULL PRIMARY KEY,
    resource     INTEGER NOT NULL REFERENCES resource,
    consumer     BLOB NOT NULL REFERENCES agency,
    state        TEXT NOT NULL,
    version      INTEGER NOT NULL,
    file         TEXT NOT NULL,
    written_by   BLOB NOT NULL,
    submitted_by BLOB,
    submitted_at TEXT,
    answered_by  BLOB,
    answered_at  TEXT,
    answer       TEXT,
    grant_id     BLOB,
    created_at   TEXT NOT NULL
);
CREATE INDEX request_resource ON request (resource, id);
CREATE INDEX request_consumer ON request (consumer, id);

CREATE TABLE share_grant (
    id          BLOB NOT NULL PRIMARY KEY,
    number      INTEGER NOT NULL UNIQUE,
    resource    INTEGER NOT NULL REFERENCES resource,
    consumer    BLOB NOT NULL REFERENCES agency,
    request     BLOB NOT NULL REFERENCES request,
    version     INTEGER NOT NULL,
    state       TEXT NOT NULL,
    -- Purposes, items, masks, filters, history, delete lines, limits, handle key.
    terms       TEXT NOT NULL,
    floor       TEXT,
    schema_id   INTEGER NOT NULL REFERENCES schema_text,
    created_at  TEXT NOT NULL,
    valid_until TEXT,
    cause       TEXT
);
CREATE INDEX share_grant_resource ON share_grant (resource, number);
CREATE INDEX share_grant_consumer ON share_grant (consumer, number);
CREATE INDEX share_grant_end ON share_grant (valid_until) WHERE state IN ('active', 'suspended');

-- A grant's floor as offsets, resolved once per generation.
CREATE TABLE grant_floor (
    grant_id   BLOB NOT NULL REFERENCES share_grant,
    generation INTEGER NOT NULL,
    offsets    TEXT NOT NULL,
    PRIMARY KEY (grant_id, generation)
);

CREATE TABLE subscription (
    id         BLOB NOT NULL PRIMARY KEY,
    grant_id   BLOB NOT NULL REFERENCES share_grant,
    name       TEXT NOT NULL,
    deletes    BOOLEAN NOT NULL,
    seek_count INTEGER NOT NULL,
    -- Digest of the view that the position belongs to.
    view       INTEGER NOT NULL,
    -- Next offset per partition.
    position   TEXT NOT NULL,
    created_at TEXT NOT NULL,
    acked_at   TEXT,
    UNIQUE (grant_id, name)
);

CREATE TABLE connector (
    id         BLOB NOT NULL PRIMARY KEY,
    agency     BLOB NOT NULL REFERENCES agency,
    account    BLOB NOT NULL REFERENCES account,
    name       TEXT NOT NULL,
    spec       TEXT NOT NULL,
    -- What was ordered, and what the runner last reported.
    desired    TEXT NOT NULL,
    resets     INTEGER NOT NULL,
    confirmations INTEGER NOT NULL,
    status     TEXT NOT NULL,
    version    INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (agency, name)
);

-- Free text that events must not hold; they quote its digest.
CREATE TABLE note (
    id         BLOB NOT NULL PRIMARY KEY,
    kind       TEXT NOT NULL,
    object     TEXT NOT NULL,
    action     TEXT NOT NULL,
    digest     TEXT NOT NULL,
    text       TEXT NOT NULL,
    written_by BLOB NOT NULL,
    written_at TEXT NOT NULL
);
CREATE INDEX note_object ON note (kind, object, written_at);

-- The stored answer of an action under its idempotency key (protocol.md 5): made again from the object.
CREATE TABLE action_result (
    account    BLOB NOT NULL,
    action     TEXT NOT NULL,
    scope      TEXT NOT NULL,
    key        TEXT NOT NULL,
    hash       BLOB NOT NULL,
    status     INTEGER NOT NULL,
    object     TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (account, action, scope, key)
);
CREATE INDEX action_result_age ON action_result (created_at);
