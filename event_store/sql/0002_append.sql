-- Appends a batch of commands: journal rows and events, positions without a gap.
--
-- The log's one lock comes first and is held until the commit, so commit order is position order and a
-- reader that sees n has seen everything below n. Being VOLATILE under READ COMMITTED, each statement
-- after it has a snapshot of its own and sees what the holder before committed.
--
-- The usual batch holds as a whole, which a few index look-ups show, and nothing is done row by row.
-- Otherwise each command is judged in turn: by its key, the mates it was decided on, the versions it read
-- (counting what its neighbours add), and its subjects' keys. Only those that hold are written.
--
-- Arrays: s_ streams, each once; c_ commands; e_ events; r_ reads, m_ mates and k_ subjects' keys, in the
-- order of their commands. A number that points into another array counts from 1; 0 is none.
CREATE FUNCTION append(
    smooth        boolean,  -- the commands fit each other: only the state before the batch is in question
    s_name        text[],
    s_base        bigint[],  -- the version that the first command reading the stream saw
    c_id          uuid[],
    c_name        text[],
    c_verdict     text[],
    c_actor       text[],
    c_channel     text[],
    c_key         bytea[],
    c_hash        bytea[],
    c_arguments   bytea[],
    c_answer      bytea[],
    c_correlation text[],
    c_causation   text[],
    c_events      integer[],  -- how many
    c_reads       integer[],  -- how many
    c_twin        integer[],  -- the nearest command before it with the same key
    e_command     integer[],
    e_stream      text[],
    e_version     bigint[],
    e_type        text[],
    e_schema      integer[],
    e_data        bytea[],
    e_id          uuid[],
    e_correlation text[],
    e_causation   text[],
    e_actor       text[],
    e_valid_at    timestamptz[],
    r_stream      integer[],
    r_version     bigint[],
    r_adds        integer[],  -- how many events the command adds to that stream
    m_command     integer[],
    m_mate        integer[],
    k_command     integer[],
    k_subject     text[],
    k_key         bytea[],
    OUT head      bigint,       -- the last position before the batch
    OUT at        timestamptz,  -- the batch's recorded_at
    OUT judgement text          -- JSON; null when every command was appended
)
LANGUAGE plpgsql VOLATILE
SET search_path = {schema}, pg_temp
SET enable_seqscan = off  -- Plans are made while the tables are small and kept while they grow.
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    appended   CONSTANT integer := 0;
    moved      CONSTANT integer := 1;
    replayed   CONSTANT integer := 2;
    key_reused CONSTANT integer := 3;

    fates          integer[];  -- by command; null: all appended
    stands_at      bigint[];   -- by stream: its version, with what the commands judged so far add
    earlier        uuid[];     -- by command: the one it repeats
    earlier_hash   bytea[];
    moved_command  integer[] := '{}';
    moved_stream   integer[] := '{}';
    other_command  integer[] := '{}';  -- whose subject has another key
    other_subject  text[] := '{}';
    fate           integer;
    twin           integer;
    mate_fell      boolean;
    last_read      integer := 0;
    next_mate      integer := 1;
    others         text[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('append ' || current_schema(), 0));

    SELECT e.position, greatest(clock_timestamp(), e.recorded_at) INTO head, at
      FROM events e ORDER BY e.position DESC LIMIT 1;
    IF NOT FOUND THEN
        head := 0;
        at := clock_timestamp();
    END IF;

    IF NOT smooth
        OR EXISTS (
            SELECT FROM unnest(s_name, s_base) AS s (name, base)
             WHERE s.base <> coalesce((SELECT e.version FROM events e WHERE e.stream = s.name
                                        ORDER BY e.version DESC LIMIT 1), 0))
        OR EXISTS (
            SELECT FROM unnest(c_id) AS c (id)
             WHERE (SELECT true FROM commands j WHERE j.command_id = c.id))
        OR EXISTS (
            SELECT FROM unnest(c_key) AS c (key)
             WHERE (SELECT true FROM commands j
                     WHERE j.key = c.key AND j.key IS NOT NULL AND j.verdict <> 'refused'
                       AND j.recorded_at > at - interval '24 hours' LIMIT 1))
        OR EXISTS (
            SELECT FROM unnest(k_subject, k_key) AS k (subject, key)
             WHERE k.key <> (SELECT s.key FROM subject_keys s WHERE s.subject = k.subject))
    THEN
        SELECT array_agg(coalesce((SELECT e.version FROM events e WHERE e.stream = s.name
                                    ORDER BY e.version DESC LIMIT 1), 0) ORDER BY s.n)
          INTO stands_at
          FROM unnest(s_name) WITH ORDINALITY AS s (name, n);

        SELECT array_agg(j.command_id ORDER BY c.n), array_agg(j.request_hash ORDER BY c.n)
          INTO earlier, earlier_hash
          FROM unnest(c_id, c_key) WITH ORDINALITY AS c (id, key, n)
          LEFT JOIN LATERAL (
              (SELECT j.command_id, j.request_hash FROM commands j WHERE j.command_id = c.id)
              UNION ALL
              (SELECT j.command_id, j.request_hash FROM commands j
                WHERE j.key = c.key AND j.key IS NOT NULL AND j.verdict <> 'refused'
                  AND j.recorded_at > at - interval '24 hours'
                ORDER BY j.recorded_at DESC LIMIT 1)
              LIMIT 1
          ) AS j ON true;

        fates := array_fill(appended, ARRAY[cardinality(c_id)]);
        FOR c IN 1 .. cardinality(c_id) LOOP
            fate := appended;

            twin := CASE WHEN earlier[c] IS NULL THEN c_twin[c] ELSE 0 END;
            WHILE twin > 0 AND (fates[twin] <> appended OR c_verdict[twin] = 'refused') LOOP
                twin := c_twin[twin];
            END LOOP;
            IF twin > 0 THEN
                earlier[c] := c_id[twin];
                earlier_hash[c] := c_hash[twin];
            END IF;
            IF earlier[c] IS NOT NULL THEN
                fate := CASE WHEN earlier_hash[c] IS NOT DISTINCT FROM c_hash[c]
                             THEN replayed ELSE key_reused END;
            END IF;

            mate_fell := false;
            WHILE m_command[next_mate] = c LOOP
                mate_fell := mate_fell OR fates[m_mate[next_mate]] <> appended;
                next_mate := next_mate + 1;
            END LOOP;

            IF fate = appended THEN
                FOR r IN last_read + 1 .. last_read + c_reads[c] LOOP
                    IF mate_fell OR stands_at[r_stream[r]] <> r_version[r] THEN
                        moved_command := moved_command || c;
                        moved_stream := moved_stream || r_stream[r];
                        fate := moved;
                    END IF;
                END LOOP;
                IF mate_fell THEN
                    fate := moved;
                END IF;
                IF c = ANY (k_command) THEN
                    SELECT array_agg(k.subject) INTO others
                      FROM unnest(k_command, k_subject, k_key) AS k (command, subject, key)
                     WHERE k.command = c
                       AND k.key <> (SELECT s.key FROM subject_keys s WHERE s.subject = k.subject);
                    IF others IS NOT NULL THEN
                        other_command := other_command || array_fill(c, ARRAY[cardinality(others)]);
                        other_subject := other_subject || others;
                        fate := moved;
                    ELSIF fate = appended THEN
                        -- At once, so that the commands after it are judged by it.
                        INSERT INTO subject_keys (subject, key)
                        SELECT k.subject, k.key
                          FROM unnest(k_command, k_subject, k_key) AS k (command, subject, key)
                         WHERE k.command = c
                        ON CONFLICT (subject) DO NOTHING;
                    END IF;
                END IF;
            END IF;

            IF fate = appended THEN
                FOR r IN last_read + 1 .. last_read + c_reads[c] LOOP
                    stands_at[r_stream[r]] := stands_at[r_stream[r]] + r_adds[r];
                END LOOP;
            END IF;
            last_read := last_read + c_reads[c];
            fates[c] := fate;
        END LOOP;

        judgement := json_build_object(
            'fates', fates, 'earlier', earlier,
            'moved_command', moved_command, 'moved_stream', moved_stream,
            'other_command', other_command, 'other_subject', other_subject);
    ELSIF k_subject IS NOT NULL THEN
        INSERT INTO subject_keys (subject, key)
        SELECT k.subject, k.key FROM unnest(k_subject, k_key) AS k (subject, key)
        ON CONFLICT (subject) DO NOTHING;
    END IF;

    IF e_stream IS NOT NULL THEN
        INSERT INTO events (position, stream, version, type, schema_number, data, command_id,
                            correlation, causation, actor, recorded_at, valid_at)
        SELECT head + row_number() OVER (ORDER BY e.n), e.stream, e.version, e.type, e.schema, e.data, e.id,
               e.correlation, e.causation, e.actor, at, e.valid_at
          FROM unnest(e_command, e_stream, e_version, e_type, e_schema, e_data, e_id,
                      e_correlation, e_causation, e_actor, e_valid_at)
               WITH ORDINALITY AS e (command, stream, version, type, schema, data, id,
                                     correlation, causation, actor, valid_at, n)
         WHERE fates IS NULL OR fates[e.command] = appended;
    END IF;

    INSERT INTO commands (command_id, name, verdict, actor, channel, key, request_hash, arguments, answer,
                          correlation, causation, first_position, last_position, recorded_at)
    SELECT c.id, c.name, c.verdict, c.actor, c.channel, c.key, c.hash, c.arguments, c.answer,
           c.correlation, c.causation,
           CASE WHEN c.events > 0 THEN head + c.events_so_far - c.events + 1 END,
           CASE WHEN c.events > 0 THEN head + c.events_so_far END,
           at
      FROM (SELECT *, sum(c.events) OVER (ORDER BY c.n ROWS UNBOUNDED PRECEDING) AS events_so_far
              FROM unnest(c_id, c_name, c_verdict, c_actor, c_channel, c_key, c_hash, c_arguments,
                          c_answer, c_correlation, c_causation, c_events)
                   WITH ORDINALITY AS c (id, name, verdict, actor, channel, key, hash, arguments,
                                         answer, correlation, causation, events, n)
             WHERE fates IS NULL OR fates[c.n] = appended) AS c;
END
$$;
