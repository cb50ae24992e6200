-- Of a generation that is over (protocol.md 2 and 6): when it was replaced, and what of it the log had lost by then.

ALTER TABLE topic ADD COLUMN ended_at TIMESTAMPTZ;
-- A JSON array of runs that counted and were not copied; its readers pass them over.
ALTER TABLE topic ADD COLUMN lost TEXT COLLATE "C";
