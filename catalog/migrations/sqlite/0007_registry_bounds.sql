-- A subject is looked for by its name in all contexts, and an agency's are counted.
CREATE INDEX registry_subject_name ON registry_subject (name, context);
CREATE INDEX registry_subject_owner ON registry_subject (owner);
