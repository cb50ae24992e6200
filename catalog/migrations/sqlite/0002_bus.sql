-- What the bus side keeps: events, topics, what counts, idempotency, source positions, windows, quotas, quarantine,
-- and which server is in force (protocol.md 3 to 7, 9, 10). Lists of offsets are JSON arrays as text.

-- Insert only.
CREATE TABLE audit_event (
    day TEXT NOT NULL,
    id BLOB NOT NULL,
    at TEXT NOT NULL,
    code TEXT NOT NULL,
    agency BLOB,
    account BLOB,
    resource INTEGER,
    grant_id BLOB,
    body BLOB NOT NULL,
    PRIMARY KEY (day, id)
);
CREATE INDEX audit_event_resource ON audit_event (resource, day, id) WHERE resource IS NOT NULL;
CREATE INDEX audit_event_grant ON audit_event (grant_id, day, id) WHERE grant_id IS NOT NULL;
CREATE INDEX audit_event_agency ON audit_event (agency, day, id) WHERE agency IS NOT NULL;

CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event
BEGIN
    SELECT RAISE(ABORT, 'audit events are never changed or deleted');
END;
CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event
BEGIN
    SELECT RAISE(ABORT, 'audit events are never changed or deleted');
END;

-- The one server of this database: one row.
CREATE TABLE server_lease (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    node BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    lease_until TEXT NOT NULL
);

-- Everything below `settled` is final.
CREATE TABLE settled_mark (
    resource INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    part INTEGER NOT NULL,
    settled INTEGER NOT NULL,
    PRIMARY KEY (resource, generation, part)
);

-- Closed ranges of offsets with a verdict; no two of a partition overlap.
CREATE TABLE run (
    resource INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    part INTEGER NOT NULL,
    first_offset INTEGER NOT NULL,
    last_offset INTEGER NOT NULL,
    dead BOOLEAN NOT NULL,
    PRIMARY KEY (resource, generation, part, first_offset),
    CHECK (first_offset <= last_offset)
);

-- One row per key of a client under which a publish counted; deleted by age.
CREATE TABLE idempotency (
    account BLOB NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    claim_key TEXT NOT NULL,
    hash BLOB NOT NULL,
    at TEXT NOT NULL,
    batch BLOB NOT NULL,
    quarantined INTEGER NOT NULL,
    event BLOB NOT NULL,
    PRIMARY KEY (account, action, object, claim_key)
);
CREATE INDEX idempotency_at ON idempotency (at);

CREATE TABLE source_position (
    resource INTEGER NOT NULL,
    connector TEXT NOT NULL,
    account BLOB NOT NULL,
    position TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (resource, connector)
);

-- Open windows only: closing deletes the row and leaves its event and `let_out`.
CREATE TABLE delivery_window (
    id BLOB NOT NULL PRIMARY KEY,
    subscription BLOB NOT NULL,
    grant_id BLOB NOT NULL,
    resource INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    agency BLOB NOT NULL,
    account BLOB NOT NULL,
    key_id TEXT NOT NULL,
    start_offsets TEXT NOT NULL,
    most INTEGER NOT NULL,
    day TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    opened_at TEXT NOT NULL
);
CREATE INDEX delivery_window_grant ON delivery_window (grant_id);

-- Per subscription and key the farthest that its closed windows let out (protocol.md 7).
CREATE TABLE let_out (
    subscription BLOB NOT NULL,
    key_id TEXT NOT NULL,
    account BLOB NOT NULL,
    agency BLOB NOT NULL,
    grant_id BLOB NOT NULL,
    resource INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    offsets TEXT NOT NULL,
    PRIMARY KEY (subscription, key_id)
);
CREATE INDEX let_out_grant ON let_out (grant_id);
CREATE INDEX let_out_key ON let_out (key_id);
CREATE INDEX let_out_account ON let_out (account);

-- What a grant has used of a day's quota; `reserved` is what its open windows may still let out.
CREATE TABLE quota_use (
    grant_id BLOB NOT NULL,
    day TEXT NOT NULL,
    calls INTEGER NOT NULL,
    records INTEGER NOT NULL,
    reserved INTEGER NOT NULL,
    PRIMARY KEY (grant_id, day)
);

-- Index rows of records set aside; their bytes are in the quarantine topic.
CREATE TABLE quarantine (
    id BLOB NOT NULL PRIMARY KEY,
    resource INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    agency BLOB NOT NULL,
    account BLOB NOT NULL,
    batch BLOB NOT NULL,
    part INTEGER NOT NULL,
    log_offset INTEGER NOT NULL,
    code TEXT NOT NULL,
    path TEXT NOT NULL,
    reason_zh TEXT NOT NULL,
    reason_en TEXT NOT NULL,
    at TEXT NOT NULL,
    state TEXT NOT NULL,
    replayed_as BLOB
);
CREATE INDEX quarantine_resource ON quarantine (resource, id);

-- Refusals of a minute that isn't over: one event each when it is.
CREATE TABLE refusal_count (
    agency BLOB NOT NULL,
    account BLOB NOT NULL,
    key_id TEXT NOT NULL,
    code TEXT NOT NULL,
    minute TEXT NOT NULL,
    refused INTEGER NOT NULL,
    resource INTEGER,
    grant_id BLOB,
    PRIMARY KEY (account, key_id, code, minute)
);
