-- `append_one` for a connection that has just appended, and knows where the log and the event's stream stand:
-- to look up what is known takes a fifth of its time. It is right as long as nobody else has added events,
-- which the position proves by being free: a unique violation otherwise. Null: somebody holds the lock, and
-- nothing was written.
DO $of_schema$
BEGIN
    -- The lock's number as a constant: to ask for the schema's name at each call takes time too.
    EXECUTE replace($function$
CREATE FUNCTION append_next(
    head          bigint,       -- the log's last event
    head_at       timestamptz,  -- its recorded_at
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
    at CONSTANT timestamptz := greatest(clock_timestamp(), head_at);
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('append ' || :schema, 0)) THEN
        RETURN NULL;
    END IF;

    INSERT INTO events (position, stream, version, type, schema_number, data, command_id,
                        correlation, causation, actor, recorded_at, valid_at)
    VALUES (head + 1, e_stream, e_version, e_type, e_number, e_data, c_id,
            c_correlation, c_causation, c_actor, at, e_valid_at);

    INSERT INTO commands (command_id, name, verdict, actor, channel, key, request_hash, arguments, answer,
                          correlation, causation, first_position, last_position, recorded_at)
    VALUES (c_id, c_name, 'accepted', c_actor, c_channel, NULL, NULL, c_arguments, c_answer,
            c_correlation, c_causation, head + 1, head + 1, at);
    RETURN at;
END
$$
$function$, ':schema', quote_literal(current_schema()));
END
$of_schema$;

-- What lies past the log's end is found by reading the journal part by part, which only an audit does: a
-- summary of its positions takes time of every append.
DROP INDEX commands_positions;
