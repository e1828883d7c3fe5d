-- The plainest command alone, from a connection that knows where the log ends: to look for the end takes longer
-- than to look at it.
--
-- Who knows the end may be wrong, as others write too: then the event's position is taken, a unique violation.
-- Null says that nothing was written: somebody holds the lock, the end is gone, or the stream or the key is not
-- as it must be. `append_each` tells which.
--
-- `append_one` remains for the code that calls it.
DO $of_schema$
BEGIN
    -- The lock's number as a constant: to ask for the schema's name at each call takes time.
    EXECUTE replace($function$
CREATE FUNCTION append_next(
    head          bigint,   -- the log's last event
    follows       boolean,  -- whether the event's stream is known to stand at the version before
    e_stream      text,
    e_version     bigint,
    e_type        text,
    e_number      integer,
    e_data        bytea,
    e_valid_at    timestamptz,
    c_id          uuid,
    c_name        text,
    c_actor       text,
    c_channel     text,
    c_key         bytea,
    c_hash        bytea,
    c_arguments   bytea,
    c_answer      bytea,
    c_correlation text,
    c_causation   text
)
RETURNS timestamptz -- the event's recorded_at
LANGUAGE plpgsql VOLATILE
SET search_path = {schema}, pg_temp
AS $$
DECLARE
    at timestamptz;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('append ' || :schema, 0)) THEN
        RETURN NULL;
    END IF;
    IF NOT follows AND e_version - 1 <> coalesce(
            (SELECT e.version FROM events e WHERE e.stream = e_stream AND e.version >= e_version - 1
              ORDER BY e.version DESC LIMIT 1), 0) THEN
        RETURN NULL;
    END IF;
    IF c_key IS NOT NULL THEN
        PERFORM FROM commands j
          WHERE j.key = c_key AND j.key IS NOT NULL AND j.verdict <> 'refused'
            AND j.recorded_at > clock_timestamp() - interval '24 hours' LIMIT 1;
        IF FOUND THEN
            RETURN NULL;
        END IF;
    END IF;

    INSERT INTO events (position, stream, version, type, schema_number, data, command_id,
                        correlation, causation, actor, recorded_at, valid_at)
    SELECT e.position + 1, e_stream, e_version, e_type, e_number, e_data, c_id,
           c_correlation, c_causation, c_actor, greatest(clock_timestamp(), e.recorded_at), e_valid_at
      FROM events e WHERE e.position = head
    RETURNING recorded_at INTO at;
    IF at IS NULL THEN
        RETURN NULL;
    END IF;

    INSERT INTO commands (command_id, name, verdict, actor, channel, key, request_hash, arguments, answer,
                          correlation, causation, first_position, last_position, recorded_at)
    VALUES (c_id, c_name, 'accepted', c_actor, c_channel, c_key, c_hash, c_arguments, c_answer,
            c_correlation, c_causation, head + 1, head + 1, at);
    RETURN at;
END
$$
$function$, ':schema', quote_literal(current_schema()));
END
$of_schema$;

-- What lies past the log's end is found by reading the journal page by page, which an audit does anyway: a
-- summary of its positions costs every append of one command a fortieth.
DROP INDEX commands_positions;
