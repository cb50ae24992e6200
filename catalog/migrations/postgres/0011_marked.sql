-- A record set aside bears the id of its row as its key in the log. Those from before bear none.
ALTER TABLE quarantine ADD COLUMN marked BOOLEAN NOT NULL DEFAULT FALSE;
