-- Who takes part, what may be shared, who asked and what was granted. Text compares by code point (COLLATE "C"),
-- as in SQLite; documents are JSON text that only the service reads.

-- Numbers given in the creating transaction, never reused: resources, grants, schema ids, a sequence per class.
CREATE TABLE counter (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);

CREATE TABLE agency (
    id         UUID NOT NULL PRIMARY KEY,
    suspended  BOOLEAN NOT NULL,
    version    INTEGER NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);

-- Credit code, name and alias are dated: agencies merge and are renamed. The row without an end is in force.
CREATE TABLE agency_name (
    agency      UUID NOT NULL REFERENCES agency,
    valid_from  TIMESTAMPTZ NOT NULL,
    valid_until TIMESTAMPTZ,
    code        TEXT COLLATE "C",
    name        TEXT COLLATE "C" NOT NULL,
    alias       TEXT COLLATE "C",
    PRIMARY KEY (agency, valid_from)
);
CREATE UNIQUE INDEX agency_name_code ON agency_name (code) WHERE valid_until IS NULL;
CREATE UNIQUE INDEX agency_name_alias ON agency_name (alias) WHERE valid_until IS NULL;
CREATE UNIQUE INDEX agency_name_in_force ON agency_name (agency) WHERE valid_until IS NULL;

CREATE TABLE account (
    id         UUID NOT NULL PRIMARY KEY,
    agency     UUID NOT NULL REFERENCES agency,
    name       TEXT COLLATE "C" NOT NULL,
    roles      INTEGER NOT NULL,
    suspended  BOOLEAN NOT NULL,
    version    INTEGER NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    UNIQUE (agency, name)
);

-- Of a key's secret only the HMAC is kept.
CREATE TABLE api_key (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    mac          BYTEA NOT NULL,
    pepper       TEXT COLLATE "C" NOT NULL,
    account      UUID NOT NULL REFERENCES account,
    scopes       INTEGER NOT NULL,
    issued_by    UUID,
    created_at   TIMESTAMPTZ NOT NULL,
    expires_at   TIMESTAMPTZ NOT NULL,
    revoked_at   TIMESTAMPTZ,
    last_used_at TIMESTAMPTZ
);
CREATE INDEX api_key_account ON api_key (account);

CREATE TABLE schema_text (
    id          INTEGER NOT NULL PRIMARY KEY,
    fingerprint TEXT COLLATE "C" NOT NULL UNIQUE,
    text        TEXT COLLATE "C" NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL
);

CREATE TABLE resource (
    number          BIGINT NOT NULL PRIMARY KEY,
    class           TEXT COLLATE "C" NOT NULL,
    sequence        BIGINT NOT NULL,
    provider        UUID NOT NULL REFERENCES agency,
    state           TEXT COLLATE "C" NOT NULL,
    version         INTEGER NOT NULL,
    generation      INTEGER NOT NULL,
    share_type      TEXT COLLATE "C" NOT NULL,
    -- What a search looks in: lower-cased title, abstract, code and item titles.
    search          TEXT COLLATE "C" NOT NULL,
    file            TEXT COLLATE "C" NOT NULL,
    written_by      UUID NOT NULL,
    submitted_by    UUID,
    approved_by     UUID,
    value_schema    INTEGER REFERENCES schema_text,
    key_schema      INTEGER REFERENCES schema_text,
    published_at    TIMESTAMPTZ,
    -- The head's standing consent to automatic grants (Decree 809 art. 20), given by publishing.
    consented_by    UUID,
    consented_at    TIMESTAMPTZ,
    log_rolled_back BOOLEAN NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    UNIQUE (class, sequence)
);
CREATE INDEX resource_provider ON resource (provider, number);

CREATE TABLE resource_version (
    resource   BIGINT NOT NULL REFERENCES resource,
    version    INTEGER NOT NULL,
    action     TEXT COLLATE "C" NOT NULL,
    state      TEXT COLLATE "C" NOT NULL,
    file       TEXT COLLATE "C" NOT NULL,
    changed_by UUID NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (resource, version)
);

-- The topic of each generation: wanted (committed) first, made afterwards.
CREATE TABLE topic (
    resource   BIGINT NOT NULL REFERENCES resource,
    generation INTEGER NOT NULL,
    name       TEXT COLLATE "C" NOT NULL UNIQUE,
    partitions INTEGER NOT NULL,
    made       BOOLEAN NOT NULL,
    PRIMARY KEY (resource, generation)
);

CREATE TABLE request (
    id           UUID NOT NULL PRIMARY KEY,
    resource     BIGINT NOT NULL REFERENCES resource,
    consumer     UUID NOT NULL REFERENCES agency,
    state        TEXT COLLATE "C" NOT NULL,
    version      INTEGER NOT NULL,
    file         TEXT COLLATE "C" NOT NULL,
    written_by   UUID NOT NULL,
    submitted_by UUID,
    submitted_at TIMESTAMPTZ,
    answered_by  UUID,
    answered_at  TIMESTAMPTZ,
    answer       TEXT COLLATE "C",
    grant_id     UUID,
    created_at   TIMESTAMPTZ NOT NULL
);
CREATE INDEX request_resource ON request (resource, id);
CREATE INDEX request_consumer ON request (consumer, id);

CREATE TABLE share_grant (
    id          UUID NOT NULL PRIMARY KEY,
    number      BIGINT NOT NULL UNIQUE,
    resource    BIGINT NOT NULL REFERENCES resource,
    consumer    UUID NOT NULL REFERENCES agency,
    request     UUID NOT NULL REFERENCES request,
    version     INTEGER NOT NULL,
    state       TEXT COLLATE "C" NOT NULL,
    -- Purposes, items, masks, filters, history, delete lines, limits, handle key.
    terms       TEXT COLLATE "C" NOT NULL,
    floor       TIMESTAMPTZ,
    schema_id   INTEGER NOT NULL REFERENCES schema_text,
    created_at  TIMESTAMPTZ NOT NULL,
    valid_until TIMESTAMPTZ,
    cause       TEXT COLLATE "C"
);
CREATE INDEX share_grant_resource ON share_grant (resource, number);
CREATE INDEX share_grant_consumer ON share_grant (consumer, number);
CREATE INDEX share_grant_end ON share_grant (valid_until) WHERE state IN ('active', 'suspended');

-- A grant's floor as offsets, resolved once per generation.
CREATE TABLE grant_floor (
    grant_id   UUID NOT NULL REFERENCES share_grant,
    generation INTEGER NOT NULL,
    offsets    TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (grant_id, generation)
);

CREATE TABLE subscription (
    id         UUID NOT NULL PRIMARY KEY,
    grant_id   UUID NOT NULL REFERENCES share_grant,
    name       TEXT COLLATE "C" NOT NULL,
    deletes    BOOLEAN NOT NULL,
    seek_count INTEGER NOT NULL,
    -- Digest of the view that the position belongs to.
    view       BIGINT NOT NULL,
    -- Next offset per partition.
    position   TEXT COLLATE "C" NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    acked_at   TIMESTAMPTZ,
    UNIQUE (grant_id, name)
);

CREATE TABLE connector (
    id         UUID NOT NULL PRIMARY KEY,
    agency     UUID NOT NULL REFERENCES agency,
    account    UUID NOT NULL REFERENCES account,
    name       TEXT COLLATE "C" NOT NULL,
    spec       TEXT COLLATE "C" NOT NULL,
    -- What was ordered, and what the runner last reported.
    desired    TEXT COLLATE "C" NOT NULL,
    resets     INTEGER NOT NULL,
    confirmations INTEGER NOT NULL,
    status     TEXT COLLATE "C" NOT NULL,
    version    INTEGER NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    UNIQUE (agency, name)
);

-- Free text that events must not hold; they quote its digest.
CREATE TABLE note (
    id         UUID NOT NULL PRIMARY KEY,
    kind       TEXT COLLATE "C" NOT NULL,
    object     TEXT COLLATE "C" NOT NULL,
    action     TEXT COLLATE "C" NOT NULL,
    digest     TEXT COLLATE "C" NOT NULL,
    text       TEXT COLLATE "C" NOT NULL,
    written_by UUID NOT NULL,
    written_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX note_object ON note (kind, object, written_at);

-- The stored answer of an action under its idempotency key (protocol.md 5): made again from the object.
CREATE TABLE action_result (
    account    UUID NOT NULL,
    action     TEXT COLLATE "C" NOT NULL,
    scope      TEXT COLLATE "C" NOT NULL,
    key        TEXT COLLATE "C" NOT NULL,
    hash       BYTEA NOT NULL,
    status     INTEGER NOT NULL,
    object     TEXT COLLATE "C" NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (account, action, scope, key)
);
CREATE INDEX action_result_age ON action_result (created_at);
