-- New generations of a resource (protocol.md 2 and 6): where a reader stops in one and goes on in the next.

-- Where a reader that comes from the generation before goes on: behind what was copied. JSON arrays of offsets.
ALTER TABLE topic ADD COLUMN begins TEXT COLLATE "C";
-- Where a reader of this generation stops, once another is in force.
ALTER TABLE topic ADD COLUMN ends TEXT COLLATE "C";

-- Whose offsets a position holds: of a stream it may be an earlier generation than the one in force.
ALTER TABLE subscription ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;
