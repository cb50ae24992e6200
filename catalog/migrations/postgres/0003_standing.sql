-- Who suspended an entry or a grant (what the authority stopped only the authority lets go on), and which pseudonym key
-- a grant's masks use for its life: empty until the first start of a server that knows this column gives it the one in
-- force.
ALTER TABLE resource ADD COLUMN suspended_by TEXT COLLATE "C";
ALTER TABLE share_grant ADD COLUMN suspended_by TEXT COLLATE "C";
ALTER TABLE share_grant ADD COLUMN pseudonym_key TEXT COLLATE "C" NOT NULL DEFAULT '';

-- `last_left` of an agency: over what its accounts read and over what was read of its resources.
CREATE INDEX let_out_agency ON let_out (agency);
CREATE INDEX let_out_resource ON let_out (resource);
