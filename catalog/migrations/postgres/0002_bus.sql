-- What the bus side keeps: events, topics, what counts, idempotency, source positions, windows, quotas, quarantine,
-- and which server is in force (protocol.md 3 to 7, 9, 10). Lists of offsets are JSON arrays as text.

-- Insert only. One partition a day, made ahead by a job; a day without one goes into the default partition.
CREATE TABLE audit_event (
    day DATE NOT NULL,
    id UUID NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    code TEXT COLLATE "C" NOT NULL,
    agency UUID,
    account UUID,
    resource BIGINT,
    grant_id UUID,
    body BYTEA NOT NULL,
    PRIMARY KEY (day, id)
) PARTITION BY RANGE (day);
CREATE TABLE audit_event_other PARTITION OF audit_event DEFAULT;
CREATE INDEX audit_event_resource ON audit_event (resource, day, id) WHERE resource IS NOT NULL;
CREATE INDEX audit_event_grant ON audit_event (grant_id, day, id) WHERE grant_id IS NOT NULL;
CREATE INDEX audit_event_agency ON audit_event (agency, day, id) WHERE agency IS NOT NULL;

CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit events are never changed or deleted';
END $$;
CREATE TRIGGER audit_event_no_change BEFORE UPDATE OR DELETE ON audit_event
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

-- The one server of this database: one row.
CREATE TABLE server_lease (
    id SMALLINT NOT NULL PRIMARY KEY CHECK (id = 1),
    node UUID NOT NULL,
    epoch BIGINT NOT NULL,
    lease_until TIMESTAMPTZ NOT NULL
);

-- Everything below `settled` is final.
CREATE TABLE settled_mark (
    resource BIGINT NOT NULL,
    generation INTEGER NOT NULL,
    part INTEGER NOT NULL,
    settled BIGINT NOT NULL,
    PRIMARY KEY (resource, generation, part)
);

-- Closed ranges of offsets with a verdict; no two of a partition overlap.
CREATE TABLE run (
    resource BIGINT NOT NULL,
    generation INTEGER NOT NULL,
    part INTEGER NOT NULL,
    first_offset BIGINT NOT NULL,
    last_offset BIGINT NOT NULL,
    dead BOOLEAN NOT NULL,
    PRIMARY KEY (resource, generation, part, first_offset),
    CHECK (first_offset <= last_offset)
);

-- One row per key of a client under which a publish counted; deleted by age.
CREATE TABLE idempotency (
    account UUID NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    object TEXT COLLATE "C" NOT NULL,
    claim_key TEXT COLLATE "C" NOT NULL,
    hash BYTEA NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    batch UUID NOT NULL,
    quarantined BIGINT NOT NULL,
    event UUID NOT NULL,
    PRIMARY KEY (account, action, object, claim_key)
);
CREATE INDEX idempotency_at ON idempotency (at);

CREATE TABLE source_position (
    resource BIGINT NOT NULL,
    connector TEXT COLLATE "C" NOT NULL,
    account UUID NOT NULL,
    position TEXT COLLATE "C" NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (resource, connector)
);

-- Open windows only: closing deletes the row and leaves its event and `let_out`.
CREATE TABLE delivery_window (
    id UUID NOT NULL PRIMARY KEY,
    subscription UUID NOT NULL,
    grant_id UUID NOT NULL,
    resource BIGINT NOT NULL,
    generation INTEGER NOT NULL,
    agency UUID NOT NULL,
    account UUID NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    start_offsets TEXT COLLATE "C" NOT NULL,
    most BIGINT NOT NULL,
    day DATE NOT NULL,
    epoch BIGINT NOT NULL,
    opened_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX delivery_window_grant ON delivery_window (grant_id);

-- Per subscription and key the farthest that its closed windows let out (protocol.md 7).
CREATE TABLE let_out (
    subscription UUID NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    account UUID NOT NULL,
    agency UUID NOT NULL,
    grant_id UUID NOT NULL,
    resource BIGINT NOT NULL,
    generation INTEGER NOT NULL,
    offsets TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (subscription, key_id)
);
CREATE INDEX let_out_grant ON let_out (grant_id);
CREATE INDEX let_out_key ON let_out (key_id);
CREATE INDEX let_out_account ON let_out (account);

-- What a grant has used of a day's quota; `reserved` is what its open windows may still let out.
CREATE TABLE quota_use (
    grant_id UUID NOT NULL,
    day DATE NOT NULL,
    calls BIGINT NOT NULL,
    records BIGINT NOT NULL,
    reserved BIGINT NOT NULL,
    PRIMARY KEY (grant_id, day)
);

-- Index rows of records set aside; their bytes are in the quarantine topic.
CREATE TABLE quarantine (
    id UUID NOT NULL PRIMARY KEY,
    resource BIGINT NOT NULL,
    generation INTEGER NOT NULL,
    agency UUID NOT NULL,
    account UUID NOT NULL,
    batch UUID NOT NULL,
    part INTEGER NOT NULL,
    log_offset BIGINT NOT NULL,
    code TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    reason_zh TEXT COLLATE "C" NOT NULL,
    reason_en TEXT COLLATE "C" NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    replayed_as UUID
);
CREATE INDEX quarantine_resource ON quarantine (resource, id);

-- Refusals of a minute that isn't over: one event each when it is.
CREATE TABLE refusal_count (
    agency UUID NOT NULL,
    account UUID NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    code TEXT COLLATE "C" NOT NULL,
    minute TIMESTAMPTZ NOT NULL,
    refused BIGINT NOT NULL,
    resource BIGINT,
    grant_id UUID,
    PRIMARY KEY (account, key_id, code, minute)
);
