-- Appends a batch of commands: journal rows and events, positions without a gap.
--
-- The log's one lock comes first and is held until the commit, so commit order is position order and a
-- reader that sees n has seen everything below n. Being VOLATILE under READ COMMITTED, each statement
-- after it has a snapshot of its own and sees what the holder before committed.
--
-- Three functions. `append` takes a batch whose commands fit each other, writes it when the state before it
-- is the one they were decided on, and otherwise nothing. `append_one` is the same for the plainest command
-- alone. `append_each` judges every command in turn, and writes those that hold: for what the others would
-- not take.
--
-- Each says whether it `waited` for the lock: then another process writes too.

-- Rows travel whole: an array of rows costs the server a fraction of what an array for each column does.
CREATE TYPE new_event AS (
    stream        text,
    version       bigint,
    type          text,
    schema_number integer,
    data          bytea,
    command_id    uuid,
    correlation   text,
    causation     text,
    actor         text,
    valid_at      timestamptz
);

CREATE TYPE new_command AS (
    command_id    uuid,
    name          text,
    verdict       text,
    actor         text,
    channel       text,
    key           bytea,
    request_hash  bytea,
    arguments     bytea,
    answer        bytea,
    correlation   text,
    causation     text,
    events        integer,  -- how many
    events_before integer   -- how many of the batch are its forerunners'
);

CREATE FUNCTION append(
    s_name    text[],    -- every stream that was read, once
    s_version bigint[],  -- where it must stand
    c_key     bytea[],   -- the keys that are given
    k_subject text[],
    k_key     bytea[],
    c_rows    new_command[],
    e_rows    new_event[],
    OUT head   bigint,      -- the last position before the batch; null: nothing was written
    OUT at     timestamptz, -- the batch's recorded_at
    OUT waited boolean
)
LANGUAGE plpgsql VOLATILE
SET search_path = {schema}, pg_temp
AS $$
DECLARE
    log_lock CONSTANT bigint := hashtextextended('append ' || current_schema(), 0);
BEGIN
    waited := NOT pg_try_advisory_xact_lock(log_lock);
    IF waited THEN
        PERFORM pg_advisory_xact_lock(log_lock);
    END IF;

    SELECT e.position, greatest(clock_timestamp(), e.recorded_at) INTO head, at
      FROM events e ORDER BY e.position DESC LIMIT 1;
    IF NOT FOUND THEN
        head := 0;
        at := clock_timestamp();
    END IF;

    -- That a command is not in the journal yet needs no look: its row would be there twice. A version is looked
    -- for from where it must stand, as the index would otherwise read back a whole page of a long stream.
    IF EXISTS (
            SELECT FROM unnest(s_name, s_version) AS s (name, version)
             WHERE s.version <> coalesce((SELECT e.version FROM events e
                                           WHERE e.stream = s.name AND e.version >= s.version
                                           ORDER BY e.version DESC LIMIT 1), 0))
        OR c_key IS NOT NULL AND EXISTS (
            SELECT FROM unnest(c_key) AS c (key)
             WHERE (SELECT true FROM commands j
                     WHERE j.key = c.key AND j.key IS NOT NULL AND j.verdict <> 'refused'
                       AND j.recorded_at > at - interval '24 hours' LIMIT 1))
        OR k_subject IS NOT NULL AND EXISTS (
            SELECT FROM unnest(k_subject, k_key) AS k (subject, key)
             WHERE k.key <> (SELECT s.key FROM subject_keys s WHERE s.subject = k.subject))
    THEN
        head := NULL;
        RETURN;
    END IF;

    IF k_subject IS NOT NULL THEN
        INSERT INTO subject_keys (subject, key)
        SELECT k.subject, k.key FROM unnest(k_subject, k_key) AS k (subject, key)
        ON CONFLICT (subject) DO NOTHING;
    END IF;

    IF e_rows IS NOT NULL THEN
        INSERT INTO events (position, stream, version, type, schema_number, data, command_id,
                            correlation, causation, actor, recorded_at, valid_at)
        SELECT head + e.n, e.stream, e.version, e.type, e.schema_number, e.data, e.command_id,
               e.correlation, e.causation, e.actor, at, e.valid_at
          FROM unnest(e_rows) WITH ORDINALITY
               AS e (stream, version, type, schema_number, data, command_id,
                     correlation, causation, actor, valid_at, n);
    END IF;

    INSERT INTO commands (command_id, name, verdict, actor, channel, key, request_hash, arguments, answer,
                          correlation, causation, first_position, last_position, recorded_at)
    SELECT c.command_id, c.name, c.verdict, c.actor, c.channel, c.key, c.request_hash, c.arguments, c.answer,
           c.correlation, c.causation,
           CASE WHEN c.events > 0 THEN head + c.events_before + 1 END,
           CASE WHEN c.events > 0 THEN head + c.events_before + c.events END,
           at
      FROM unnest(c_rows) AS c;
END
$$;

-- One command that comes alone, adds one event to the one stream it read, and brings no subject's key.
-- Arrays of one row would take the server a fifth more of a call's time.
CREATE FUNCTION append_one(
    e_stream      text,
    e_version     bigint,  -- the event's: one more than where the stream must stand
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
    c_causation   text,
    OUT head   bigint,
    OUT at     timestamptz,
    OUT waited boolean
)
LANGUAGE plpgsql VOLATILE
SET search_path = {schema}, pg_temp
AS $$
DECLARE
    log_lock  CONSTANT bigint := hashtextextended('append ' || current_schema(), 0);
    stands_at bigint;
BEGIN
    waited := NOT pg_try_advisory_xact_lock(log_lock);
    IF waited THEN
        PERFORM pg_advisory_xact_lock(log_lock);
    END IF;

    SELECT coalesce(l.position, 0), greatest(clock_timestamp(), l.recorded_at),
           coalesce((SELECT e.version FROM events e
                      WHERE e.stream = e_stream AND e.version >= e_version - 1
                      ORDER BY e.version DESC LIMIT 1), 0)
      INTO head, at, stands_at
      FROM (VALUES (1)) AS always (one)
      LEFT JOIN (SELECT e.position, e.recorded_at FROM events e ORDER BY e.position DESC LIMIT 1) AS l ON true;

    IF stands_at <> e_version - 1 THEN
        head := NULL;
        RETURN;
    END IF;
    IF c_key IS NOT NULL THEN
        PERFORM FROM commands j
          WHERE j.key = c_key AND j.key IS NOT NULL AND j.verdict <> 'refused'
            AND j.recorded_at > at - interval '24 hours' LIMIT 1;
        IF FOUND THEN
            head := NULL;
            RETURN;
        END IF;
    END IF;

    INSERT INTO events (position, stream, version, type, schema_number, data, command_id,
                        correlation, causation, actor, recorded_at, valid_at)
    VALUES (head + 1, e_stream, e_version, e_type, e_number, e_data, c_id,
            c_correlation, c_causation, c_actor, at, e_valid_at);

    INSERT INTO commands (command_id, name, verdict, actor, channel, key, request_hash, arguments, answer,
                          correlation, causation, first_position, last_position, recorded_at)
    VALUES (c_id, c_name, 'accepted', c_actor, c_channel, c_key, c_hash, c_arguments, c_answer,
            c_correlation, c_causation, head + 1, head + 1, at);
END
$$;

-- Each command is judged by its key, the mates it was decided on, the versions it read (counting what its
-- neighbours add), and its subjects' keys.
--
-- Arrays: s_ streams, each once; c_ commands; r_ reads, m_ mates and k_ subjects' keys, in the order of
-- their commands. A number that points into another array counts from 1; 0 is none.
CREATE FUNCTION append_each(
    s_name    text[],
    c_id      uuid[],
    c_refused boolean[],  -- a refusal does not take its key
    c_key     bytea[],
    c_hash    bytea[],
    c_reads   integer[],  -- how many
    c_twin    integer[],  -- the nearest command before it with the same key
    r_stream  integer[],
    r_version bigint[],
    r_adds    integer[],  -- how many events the command adds to that stream
    m_command integer[],
    m_mate    integer[],
    k_command integer[],
    k_subject text[],
    k_key     bytea[],
    c_rows    new_command[],
    e_rows    new_event[],
    OUT head      bigint,
    OUT at        timestamptz,
    OUT waited    boolean,
    OUT judgement text  -- JSON
)
LANGUAGE plpgsql VOLATILE
SET search_path = {schema}, pg_temp
AS $$
DECLARE
    log_lock   CONSTANT bigint := hashtextextended('append ' || current_schema(), 0);

    appended   CONSTANT integer := 0;
    moved      CONSTANT integer := 1;
    replayed   CONSTANT integer := 2;
    key_reused CONSTANT integer := 3;

    fates          integer[];  -- by command
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
    holding        uuid[];
BEGIN
    waited := NOT pg_try_advisory_xact_lock(log_lock);
    IF waited THEN
        PERFORM pg_advisory_xact_lock(log_lock);
    END IF;

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
              AND j.recorded_at > clock_timestamp() - interval '24 hours'
            ORDER BY j.recorded_at DESC LIMIT 1)
          LIMIT 1
      ) AS j ON true;

    fates := array_fill(appended, ARRAY[cardinality(c_id)]);
    FOR c IN 1 .. cardinality(c_id) LOOP
        fate := appended;

        twin := CASE WHEN earlier[c] IS NULL THEN c_twin[c] ELSE 0 END;
        WHILE twin > 0 AND (fates[twin] <> appended OR c_refused[twin]) LOOP
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
            holding := holding || c_id[c];
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

    SELECT a.head, a.at INTO head, at
      FROM append(
          NULL, NULL, NULL, NULL, NULL,
          (SELECT array_agg(ROW(c.command_id, c.name, c.verdict, c.actor, c.channel, c.key, c.request_hash,
                                c.arguments, c.answer, c.correlation, c.causation, c.events,
                                c.events_so_far - c.events)::new_command ORDER BY c.n)
             FROM (SELECT *, sum(c.events) OVER (ORDER BY c.n ROWS UNBOUNDED PRECEDING) AS events_so_far
                     FROM unnest(c_rows) WITH ORDINALITY
                          AS c (command_id, name, verdict, actor, channel, key, request_hash, arguments,
                                answer, correlation, causation, events, events_before, n)
                    WHERE c.command_id = ANY (holding)) AS c),
          (SELECT array_agg(ROW(e.stream, e.version, e.type, e.schema_number, e.data, e.command_id,
                                e.correlation, e.causation, e.actor, e.valid_at)::new_event ORDER BY e.n)
             FROM unnest(e_rows) WITH ORDINALITY
                  AS e (stream, version, type, schema_number, data, command_id,
                        correlation, causation, actor, valid_at, n)
            WHERE e.command_id = ANY (holding))) AS a;
END
$$;
