-- The Schema Registry: subjects, their versions, what they refer to. The versions of a resource's schemas are the
-- versions of its subjects.

-- The ids of the default context. What belongs to a schema beside its text (references, metadata, rules) is a JSON
-- document; the fingerprint is that of the text alone where there is none. The guid of rows that were there before is
-- filled in by the first start of a server that knows this column.
ALTER TABLE schema_text ADD COLUMN beside TEXT;
ALTER TABLE schema_text ADD COLUMN guid BLOB;
CREATE INDEX schema_text_guid ON schema_text (guid);

-- The same of every other context: ids are given per context.
CREATE TABLE context_schema (
    context     TEXT NOT NULL,
    id          INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    text        TEXT NOT NULL,
    beside      TEXT,
    guid        BLOB NOT NULL,
    created_at  TEXT NOT NULL,
    PRIMARY KEY (context, id),
    UNIQUE (context, fingerprint)
);
CREATE INDEX context_schema_guid ON context_schema (guid);

CREATE VIEW registry_schema AS
    SELECT '.' AS context, id, fingerprint, text, beside, guid, created_at FROM schema_text
    UNION ALL
    SELECT context, id, fingerprint, text, beside, guid, created_at FROM context_schema;

-- Settings of a context; those of '.__GLOBAL' count for contexts that have none of their own.
CREATE TABLE registry_context (
    name       TEXT NOT NULL PRIMARY KEY,
    config     TEXT,
    mode       TEXT,
    created_at TEXT NOT NULL
);

-- A subject is a resource's (of one generation, its values or its keys) or an agency's. It may have settings before it
-- has versions.
CREATE TABLE registry_subject (
    context    TEXT NOT NULL,
    name       TEXT NOT NULL,
    owner      BLOB REFERENCES agency,
    resource   INTEGER REFERENCES resource,
    generation INTEGER,
    part       TEXT,
    config     TEXT,
    mode       TEXT,
    created_at TEXT NOT NULL,
    PRIMARY KEY (context, name),
    UNIQUE (resource, generation, part),
    CHECK ((owner IS NULL) = (resource IS NOT NULL))
);

CREATE TABLE registry_version (
    context          TEXT NOT NULL,
    subject          TEXT NOT NULL,
    version          INTEGER NOT NULL,
    id               INTEGER NOT NULL,
    deleted          BOOLEAN NOT NULL,
    -- The version of the entry that put it in force.
    resource_version INTEGER,
    created_at       TEXT NOT NULL,
    PRIMARY KEY (context, subject, version),
    FOREIGN KEY (context, subject) REFERENCES registry_subject (context, name)
);
CREATE INDEX registry_version_id ON registry_version (context, id);

-- What the schema of an id refers to.
CREATE TABLE registry_reference (
    context    TEXT NOT NULL,
    id         INTEGER NOT NULL,
    place      INTEGER NOT NULL,
    to_context TEXT NOT NULL,
    to_subject TEXT NOT NULL,
    to_version INTEGER NOT NULL,
    PRIMARY KEY (context, id, place)
);
CREATE INDEX registry_reference_to ON registry_reference (to_context, to_subject, to_version);

-- What is in force of the resources there are, and was of their earlier generations.
INSERT INTO registry_subject (context, name, resource, generation, part, created_at)
    SELECT '.', t.name || '-value', r.number, t.generation, 'value', r.published_at
    FROM resource r JOIN topic t ON t.resource = r.number AND t.generation <= r.generation
        AND (t.made OR t.generation = r.generation)
    WHERE r.value_schema IS NOT NULL AND r.published_at IS NOT NULL
    UNION ALL
    SELECT '.', 'ct.r.' || r.number || '-value', r.number, r.generation, 'value', r.published_at
    FROM resource r WHERE r.value_schema IS NOT NULL AND r.published_at IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM topic t WHERE t.resource = r.number AND t.generation = r.generation);
INSERT INTO registry_subject (context, name, resource, generation, part, created_at)
    SELECT '.', substr(s.name, 1, length(s.name) - 5) || 'key', s.resource, s.generation, 'key', s.created_at
    FROM registry_subject s JOIN resource r ON r.number = s.resource WHERE r.key_schema IS NOT NULL;
INSERT INTO registry_version (context, subject, version, id, deleted, resource_version, created_at)
    SELECT s.context, s.name, 1, CASE WHEN s.part = 'value' THEN r.value_schema ELSE r.key_schema END, FALSE,
        r.version, s.created_at
    FROM registry_subject s JOIN resource r ON r.number = s.resource;
