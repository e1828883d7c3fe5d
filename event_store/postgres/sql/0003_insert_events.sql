-- Appends calls of the `eventsourcing` library: events with explicit versions, of which only uniqueness
-- is asked, and the tracking positions that go with them. A call is written whole or not at all; the
-- result names those refused (counted from 1), and they never hurt their neighbours.
--
-- Arrays: e_ events and t_ tracking positions, each with the number of its call.
CREATE FUNCTION insert_events(
    smooth     boolean,  -- the calls do not contradict each other
    calls      integer,
    e_call     integer[],
    e_stream   text[],
    e_version  bigint[],
    e_type     text[],
    e_data     bytea[],
    t_call     integer[],
    t_name     text[],
    t_position bigint[],
    OUT head    bigint,  -- the last position before the batch
    OUT refused integer[]  -- null: none
)
LANGUAGE plpgsql VOLATILE
SET search_path = {schema}, pg_temp
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    at     timestamptz;
    last   bigint;
    added  bigint;
BEGIN
    -- The same lock as append's: one log, one order.
    PERFORM pg_advisory_xact_lock(hashtextextended('append ' || current_schema(), 0));

    SELECT e.position, greatest(clock_timestamp(), e.recorded_at) INTO head, at
      FROM events e ORDER BY e.position DESC LIMIT 1;
    IF NOT FOUND THEN
        head := 0;
        at := clock_timestamp();
    END IF;

    IF smooth
        AND NOT EXISTS (
            SELECT FROM unnest(e_stream, e_version) AS n (stream, version)
             WHERE (SELECT true FROM events e WHERE e.stream = n.stream AND e.version = n.version))
        AND NOT EXISTS (
            SELECT FROM unnest(t_name, t_position) AS n (name, position)
             WHERE n.position <= (SELECT t.position FROM tracking t WHERE t.name = n.name))
    THEN
        PERFORM write_events(head, at, 0, e_call, e_stream, e_version, e_type, e_data,
                             t_call, t_name, t_position);
        RETURN;
    END IF;

    last := head;
    FOR c IN 1 .. calls LOOP
        BEGIN
            added := write_events(last, at, c, e_call, e_stream, e_version, e_type, e_data,
                                  t_call, t_name, t_position);
            last := last + added;
        EXCEPTION WHEN unique_violation THEN
            refused := refused || c;
        END;
    END LOOP;
END
$$;

-- Writes one call, or all (only_call 0), after a position; returns how many events. A tracking position
-- that does not advance is a unique violation, like a version that is there.
CREATE FUNCTION write_events(
    after_position bigint, at timestamptz, only_call integer,
    e_call integer[], e_stream text[], e_version bigint[], e_type text[], e_data bytea[],
    t_call integer[], t_name text[], t_position bigint[]
) RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = {schema}, pg_temp
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    added bigint := 0;
BEGIN
    IF e_stream IS NOT NULL THEN
        INSERT INTO events (position, stream, version, type, schema_number, data, command_id, actor,
                            recorded_at)
        SELECT after_position + row_number() OVER (ORDER BY e.n), e.stream, e.version, e.type, 1, e.data,
               '00000000-0000-0000-0000-000000000000', 'library:', at
          FROM unnest(e_call, e_stream, e_version, e_type, e_data)
               WITH ORDINALITY AS e (call, stream, version, type, data, n)
         WHERE only_call = 0 OR e.call = only_call;
        GET DIAGNOSTICS added = ROW_COUNT;
    END IF;
    IF t_name IS NOT NULL THEN
        IF EXISTS (
            SELECT FROM unnest(t_call, t_name, t_position) AS n (call, name, position)
             WHERE (only_call = 0 OR n.call = only_call)
               AND n.position <= (SELECT t.position FROM tracking t WHERE t.name = n.name))
        THEN
            RAISE unique_violation USING MESSAGE = 'tracking does not advance';
        END IF;
        INSERT INTO tracking (name, position)
        SELECT n.name, max(n.position)
          FROM unnest(t_call, t_name, t_position) AS n (call, name, position)
         WHERE only_call = 0 OR n.call = only_call
         GROUP BY n.name
        ON CONFLICT (name) DO UPDATE SET position = excluded.position;
    END IF;
    RETURN added;
END
$$;
