-- A revision of a published entry waits beside it for a reviewer: a JSON document of file, writer and time. Every version
-- keeps what waited then.
ALTER TABLE resource ADD COLUMN proposal TEXT;
ALTER TABLE resource_version ADD COLUMN proposal TEXT;
