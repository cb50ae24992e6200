-- Who has a schema is asked with every id that is met, and before a schema is forgotten.
CREATE INDEX share_grant_schema ON share_grant (schema_id);
CREATE INDEX resource_value_schema ON resource (value_schema);
CREATE INDEX resource_key_schema ON resource (key_schema);
-- An agency opens so many contexts. Of those that were there before nobody knows whose they are.
ALTER TABLE registry_context ADD COLUMN opened_by BLOB;
CREATE INDEX registry_context_opened_by ON registry_context (opened_by);
