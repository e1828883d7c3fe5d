-- What tells one log from another, and one history of a log from another: a standby that was promoted with
-- events missing, or a restored backup, goes on with other events at positions that were there before.

-- Made with the log, and kept by its backups and standbys.
CREATE TABLE log (
    the_one boolean PRIMARY KEY DEFAULT true CHECK (the_one),
    id      uuid    NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO log DEFAULT VALUES;

-- Numbers that are given out once each: the last one by name.
CREATE TABLE numbers (
    name text   COLLATE "C" PRIMARY KEY,
    last bigint NOT NULL
);

-- Tells an event from any other at its position, in whichever history; records.py computes the same.
CREATE FUNCTION event_identity(
    e_position bigint, e_stream text, e_version bigint, e_command uuid, e_recorded_at timestamptz
) RETURNS text
LANGUAGE sql IMMUTABLE STRICT
AS $$
    SELECT left(encode(sha256(convert_to(
        e_position || E'\n' || e_stream || E'\n' || e_version || E'\n' || e_command || E'\n'
            || (extract(epoch FROM e_recorded_at) * 1000000)::bigint, 'UTF8')), 'hex'), 32)
$$;

-- The last event that a checkpoint, or a snapshot, has taken in. Null: made before, or by the library.
ALTER TABLE tracking ADD COLUMN event text COLLATE "C";
ALTER TABLE snapshots ADD COLUMN event text COLLATE "C";
