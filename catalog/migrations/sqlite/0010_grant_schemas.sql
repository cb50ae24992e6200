-- The derived schemas that grants hold or held: records that were read under them keep their ids. Of those that grants
-- held before this, only what they hold now is known.
CREATE TABLE grant_schema (
    grant_id  BLOB NOT NULL REFERENCES share_grant,
    schema_id INTEGER NOT NULL REFERENCES schema_text,
    PRIMARY KEY (schema_id, grant_id)
);
INSERT INTO grant_schema (grant_id, schema_id) SELECT id, schema_id FROM share_grant;
