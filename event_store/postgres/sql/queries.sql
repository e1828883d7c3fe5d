-- events_after --
-- Every reader's feed. Safe only because append holds the log's lock until it commits: without that, a
-- slow append could commit a lower position after the reader had passed it, and its event would be lost.
SELECT position, stream, version, type, schema_number, data, command_id, correlation, causation, actor,
       recorded_at, coalesce(valid_at, recorded_at)
  FROM events
 WHERE position > %(after)s AND position <= %(up_to)s
 ORDER BY position
 LIMIT %(limit)s

-- events_after_of_types --
SELECT position, stream, version, type, schema_number, data, command_id, correlation, causation, actor,
       recorded_at, coalesce(valid_at, recorded_at)
  FROM events
 WHERE position > %(after)s AND position <= %(up_to)s AND type = ANY (%(types)s)
 ORDER BY position
 LIMIT %(limit)s

-- events_selected --
-- Looks at every position of the range, so the range is the caller's to bound.
SELECT position, stream, version, type, schema_number, data, command_id, correlation, causation, actor,
       recorded_at, coalesce(valid_at, recorded_at)
  FROM events
 WHERE position > %(after)s AND position <= %(up_to)s
   AND (%(types)s::text[] IS NULL OR type = ANY (%(types)s::text[]))
   AND (%(recorded_from)s::timestamptz IS NULL OR recorded_at >= %(recorded_from)s::timestamptz)
   AND (%(recorded_to)s::timestamptz IS NULL OR recorded_at < %(recorded_to)s::timestamptz)
   AND (%(valid_from)s::timestamptz IS NULL OR coalesce(valid_at, recorded_at) >= %(valid_from)s::timestamptz)
   AND (%(valid_to)s::timestamptz IS NULL OR coalesce(valid_at, recorded_at) < %(valid_to)s::timestamptz)
 ORDER BY position
 LIMIT %(limit)s

-- events_selected_of_streams --
-- A stream's versions and positions rise together, so where to begin in it is found by halving, by the index of
-- versions: no index of positions by stream has to be kept. Where a version is missing it may be too early.
WITH RECURSIVE narrowed (name, low, high) AS (
    SELECT name, 0::bigint, (SELECT max(version) FROM events WHERE stream = name)
      FROM unnest(%(streams)s::text[]) AS name
    UNION ALL
    SELECT name,
           CASE WHEN e.position <= %(after)s THEN middle ELSE low END,
           CASE WHEN e.position <= %(after)s THEN high ELSE middle - 1 END
      FROM (SELECT name, low, high, (low + high + 1) / 2 AS middle FROM narrowed WHERE low < high) AS n
      JOIN events e ON e.stream = n.name AND e.version = n.middle
), begins AS (
    SELECT name, max(low) AS version FROM narrowed GROUP BY name
)
SELECT found.*
  FROM begins CROSS JOIN LATERAL (
    SELECT position, stream, version, type, schema_number, data, command_id, correlation, causation, actor,
           recorded_at, coalesce(valid_at, recorded_at)
      FROM events e
     WHERE e.stream = begins.name AND e.version > begins.version
       AND position <= %(up_to)s
       AND (%(types)s::text[] IS NULL OR type = ANY (%(types)s::text[]))
       AND (%(recorded_from)s::timestamptz IS NULL OR recorded_at >= %(recorded_from)s::timestamptz)
       AND (%(recorded_to)s::timestamptz IS NULL OR recorded_at < %(recorded_to)s::timestamptz)
       AND (%(valid_from)s::timestamptz IS NULL OR coalesce(valid_at, recorded_at) >= %(valid_from)s::timestamptz)
       AND (%(valid_to)s::timestamptz IS NULL OR coalesce(valid_at, recorded_at) < %(valid_to)s::timestamptz)
     ORDER BY e.version
     LIMIT %(limit)s
  ) AS found
 ORDER BY position
 LIMIT %(limit)s

-- position_before --
-- By halving, as positions have no gaps and recorded_at never runs backwards along them.
WITH RECURSIVE narrowed (low, high) AS (
    SELECT 0::bigint, (SELECT max(position) FROM events)
    UNION ALL
    SELECT CASE WHEN e.recorded_at < %(moment)s::timestamptz THEN middle ELSE low END,
           CASE WHEN e.recorded_at < %(moment)s::timestamptz THEN high ELSE middle - 1 END
      FROM (SELECT low, high, (low + high + 1) / 2 AS middle FROM narrowed WHERE low < high) AS n
      JOIN events e ON e.position = n.middle
)
SELECT max(low) FROM narrowed

-- events_at --
SELECT position, stream, version, type, schema_number, data, command_id, correlation, causation, actor,
       recorded_at, coalesce(valid_at, recorded_at)
  FROM events
 WHERE position = ANY (%(positions)s)
 ORDER BY position

-- next_position --
SELECT min(position) FROM events WHERE position > %(after)s

-- stream_events --
SELECT position, stream, version, type, schema_number, data, command_id, correlation, causation, actor,
       recorded_at, coalesce(valid_at, recorded_at)
  FROM events
 WHERE stream = %(stream)s AND version > %(after_version)s
 ORDER BY version
 LIMIT %(limit)s

-- streams_events --
SELECT position, stream, version, type, schema_number, data, command_id, correlation, causation, actor,
       recorded_at, coalesce(valid_at, recorded_at)
  FROM unnest(%(streams)s::text[], %(after)s::bigint[]) AS asked (name, above)
  JOIN events ON stream = asked.name AND version > asked.above
 ORDER BY stream, version

-- snapshots --
-- Only those whose last event is in the log: another history may have others.
SELECT DISTINCT ON (s.stream) s.stream, s.version, s.type, s.data, s.event
  FROM unnest(%(streams)s::text[], %(shapes)s::text[]) AS asked (name, shape)
  JOIN snapshots s ON s.stream = asked.name AND s.type = asked.shape
  JOIN events e ON e.stream = s.stream AND e.version = s.version
   AND s.event = event_identity(e.position, e.stream, e.version, e.command_id, e.recorded_at)
 ORDER BY s.stream, s.version DESC

-- save_snapshot --
-- Two processes may each save theirs: the higher version stays, if it is of this history. Whoever read another
-- history, and saves late, saves nothing.
WITH mine AS (
    SELECT FROM events e
     WHERE e.stream = %(stream)s AND e.version = %(version)s
       AND %(event)s = event_identity(e.position, e.stream, e.version, e.command_id, e.recorded_at)
), newer AS (
    SELECT FROM snapshots s JOIN events e ON e.stream = s.stream AND e.version = s.version
     WHERE s.stream = %(stream)s AND s.version > %(version)s
       AND s.event = event_identity(e.position, e.stream, e.version, e.command_id, e.recorded_at)
), others AS (
    DELETE FROM snapshots
     WHERE stream = %(stream)s AND version <> %(version)s
       AND EXISTS (SELECT FROM mine) AND NOT EXISTS (SELECT FROM newer)
)
INSERT INTO snapshots (stream, version, type, data, event)
SELECT %(stream)s, %(version)s, %(shape)s, %(data)s, %(event)s
 WHERE EXISTS (SELECT FROM mine) AND NOT EXISTS (SELECT FROM newer)
    ON CONFLICT (stream, version)
    DO UPDATE SET type = excluded.type, data = excluded.data, event = excluded.event

-- head --
SELECT coalesce(max(position), 0) FROM events

-- journal_pages --
SELECT pg_relation_size('commands') / current_setting('block_size')::bigint

-- journal_head_in_pages --
SELECT coalesce(max(last_position), 0) FROM commands
 WHERE ctid >= format('(%%s,0)', %(first)s::bigint)::tid AND ctid < format('(%%s,0)', %(end)s::bigint)::tid

-- subject_keys --
SELECT subject, key FROM subject_keys WHERE subject = ANY (%(subjects)s)

-- journal_by_id --
SELECT command_id, name, verdict, actor, channel, arguments, answer, key, request_hash,
       correlation, causation, first_position, last_position, recorded_at
  FROM commands
 WHERE command_id = ANY (%(ids)s)

-- journal_by_positions --
-- By way of the events, so that the journal needs no index of its own over positions.
SELECT command_id, name, verdict, actor, channel, arguments, answer, key, request_hash,
       correlation, causation, first_position, last_position, recorded_at
  FROM commands
 WHERE command_id IN (
           SELECT command_id FROM events WHERE position BETWEEN %(first_position)s AND %(last_position)s)
 ORDER BY first_position

-- installation_secret --
SELECT secret FROM installation

-- log_id --
SELECT id FROM log

-- next_number --
INSERT INTO numbers AS n (name, last) VALUES (%(name)s, %(above)s::bigint + 1)
    ON CONFLICT (name) DO UPDATE SET last = greatest(n.last, %(above)s::bigint) + 1
RETURNING last

-- checkpoint --
-- None of another history's: the event that it stood at must be there.
SELECT t.position FROM tracking t
 WHERE t.name = %(name)s
   AND (t.event IS NULL OR EXISTS (
           SELECT FROM events e
            WHERE e.position = t.position
              AND t.event = event_identity(e.position, e.stream, e.version, e.command_id, e.recorded_at)))

-- save_checkpoint --
INSERT INTO tracking (name, position) VALUES (%(name)s, %(position)s)
    ON CONFLICT (name)
    DO UPDATE SET position = greatest(tracking.position, excluded.position), event = NULL

-- save_checkpoint_of_history --
-- Only while the log still has the event that the reader has seen: then it has all those before it, too.
INSERT INTO tracking AS t (name, position, event)
SELECT %(name)s, e.position, event_identity(e.position, e.stream, e.version, e.command_id, e.recorded_at)
  FROM events e, events seen
 WHERE e.position = %(position)s AND seen.position = %(seen)s
   AND %(event)s = event_identity(seen.position, seen.stream, seen.version, seen.command_id, seen.recorded_at)
    ON CONFLICT (name) DO UPDATE SET position = excluded.position, event = excluded.event
 WHERE excluded.position > t.position
    OR NOT EXISTS (
           SELECT FROM events e
            WHERE e.position = t.position
              AND t.event = event_identity(e.position, e.stream, e.version, e.command_id, e.recorded_at))

-- open_work --
SELECT queue, number, due_at, position
  FROM open_work
 WHERE process = %(name)s AND due_at >= %(due_from)s AND due_at < %(due_before)s

-- listed_work --
SELECT queue, number, due_at, position, tries, failure
  FROM open_work
 WHERE process = %(name)s AND (position, queue, number) > (%(position)s, %(queue)s::text, %(number)s)
 ORDER BY position, queue, number
 LIMIT %(limit)s

-- find_work --
SELECT queue, number, due_at, position, tries, failure
  FROM open_work
 WHERE process = %(name)s AND queue = %(queue)s AND number = %(number)s

-- work_tried --
UPDATE open_work AS w
   SET tries = t.tries, failure = t.failure
  FROM unnest(%(queues)s::text[], %(numbers)s::bigint[], %(positions)s::bigint[], %(tries)s::integer[],
              %(failures)s::text[]) AS t (queue, number, position, tries, failure)
 WHERE w.process = %(name)s AND w.queue = t.queue AND w.number = t.number AND w.position = t.position

-- request_retry --
UPDATE open_work SET retry = true
 WHERE process = %(name)s AND queue = %(queue)s AND number = %(number)s
RETURNING number

-- take_retries --
UPDATE open_work SET retry = false
 WHERE process = %(name)s AND retry
RETURNING queue, number

-- forget_other_progress --
-- A checkpoint of another history is no position of this one, nor is what was open at it.
WITH other AS (
    UPDATE tracking t SET position = 0, event = NULL
     WHERE t.name = %(name)s AND t.position > 0
       AND NOT EXISTS (
           SELECT FROM events e
            WHERE e.position = t.position
              AND coalesce(
                  t.event = event_identity(e.position, e.stream, e.version, e.command_id, e.recorded_at), true))
    RETURNING name
)
DELETE FROM open_work w USING other WHERE w.process = other.name

-- save_progress --
-- The checkpoint is the fence, and the event that stands there: who started from another one than it is now, or
-- has read another history, writes nothing.
WITH here AS (
    SELECT WHERE %(event)s::text IS NULL OR EXISTS (
        SELECT FROM events e
         WHERE e.position = %(position)s
           AND %(event)s = event_identity(e.position, e.stream, e.version, e.command_id, e.recorded_at))
), moved AS (
    UPDATE tracking SET position = %(position)s, event = %(event)s
     WHERE name = %(name)s AND position = %(after)s::bigint AND EXISTS (SELECT FROM here)
    RETURNING name
), begun AS (
    INSERT INTO tracking (name, position, event)
    SELECT %(name)s, %(position)s, %(event)s FROM here WHERE %(after)s::bigint IS NULL
        ON CONFLICT DO NOTHING
    RETURNING name
), ours AS (
    SELECT name FROM moved UNION ALL SELECT name FROM begun
), closed AS (
    DELETE FROM open_work AS w
     USING ours, unnest(%(closed_queues)s::text[], %(closed_numbers)s::bigint[]) AS c (queue, number)
     WHERE w.process = ours.name AND w.queue = c.queue AND w.number = c.number
), opened AS (
    INSERT INTO open_work (process, queue, number, due_at, position)
    SELECT ours.name, o.queue, o.number, o.due_at, o.position
      FROM ours, unnest(%(queues)s::text[], %(numbers)s::bigint[], %(due)s::timestamptz[],
                        %(positions)s::bigint[]) AS o (queue, number, due_at, position)
        ON CONFLICT (process, queue, number)
        DO UPDATE SET due_at = excluded.due_at, position = excluded.position,
                      tries = 0, failure = NULL, retry = false
)
SELECT count(*) FROM ours

-- delivery_cursor --
SELECT position, event, version, failing_since FROM delivery_cursors WHERE endpoint = %(endpoint)s

-- begin_deliveries --
WITH stands AS (
    SELECT %(position)s::bigint IS NOT NULL
           AND (c.position > %(position)s::bigint
                OR c.position > 0 AND NOT EXISTS (
                    SELECT FROM events e
                     WHERE e.position = c.position
                       AND c.event = event_identity(
                           e.position, e.stream, e.version, e.command_id, e.recorded_at))) AS goes_back
      FROM delivery_cursors c
     WHERE c.endpoint = %(endpoint)s
), begun AS (
    INSERT INTO delivery_cursors AS c (endpoint, position, event, version)
    VALUES (%(endpoint)s, coalesce(%(position)s::bigint, 0), coalesce(%(event)s::text, ''), %(version)s)
        ON CONFLICT (endpoint) DO UPDATE
       SET version = excluded.version,
           failing_since = NULL,
           position = CASE WHEN (SELECT goes_back FROM stands) THEN excluded.position ELSE c.position END,
           event = CASE WHEN (SELECT goes_back FROM stands) THEN excluded.event ELSE c.event END
     WHERE c.version < excluded.version
    RETURNING endpoint, position
), dropped AS (
    DELETE FROM deliveries d USING begun
     WHERE d.endpoint = begun.endpoint AND d.state = 'pending' AND d.position > begun.position
)
UPDATE deliveries d SET attempts = 0, due_at = %(now)s
  FROM begun
 WHERE d.endpoint = begun.endpoint AND d.state = 'pending' AND d.position <= begun.position

-- queue_deliveries --
-- The cursor is the fence: who started from another one than it is now writes nothing.
WITH moved AS (
    UPDATE delivery_cursors SET position = %(to)s, event = %(to_event)s
     WHERE endpoint = %(endpoint)s AND version = %(version)s
       AND position = %(after)s AND event = %(after_event)s
    RETURNING endpoint
), queued AS (
    INSERT INTO deliveries (endpoint, position, stream, type, event, state, due_at)
    SELECT moved.endpoint, f.position, f.stream, f.type, f.event, 'pending', %(now)s
      FROM moved, unnest(%(positions)s::bigint[], %(streams)s::text[], %(types)s::text[], %(events)s::text[])
             AS f (position, stream, type, event)
        ON CONFLICT (endpoint, position)
        DO UPDATE SET stream = excluded.stream, type = excluded.type, event = excluded.event,
                      state = 'pending', attempts = 0, due_at = excluded.due_at, ended_at = NULL
)
SELECT count(*) FROM moved

-- pending_deliveries --
SELECT endpoint, position, stream, type, event, state, attempts, due_at, ended_at
  FROM deliveries
 WHERE endpoint = %(endpoint)s AND state = 'pending'
 ORDER BY position

-- note_attempt --
-- The number of attempts is the fence: of two that made the same one the first writes it down.
WITH noted AS (
    UPDATE deliveries
       SET state = %(state)s, attempts = attempts + 1, due_at = %(due_at)s,
           ended_at = CASE WHEN %(state)s <> 'pending' THEN %(at)s::timestamptz END
     WHERE endpoint = %(endpoint)s AND position = %(position)s
       AND state = 'pending' AND attempts = %(attempts)s AND event = %(event)s
    RETURNING endpoint
), standing AS (
    UPDATE delivery_cursors c
       SET failing_since = CASE WHEN %(state)s = 'delivered' THEN NULL ELSE %(at)s::timestamptz END
      FROM noted
     WHERE c.endpoint = noted.endpoint AND (c.failing_since IS NULL) <> (%(state)s = 'delivered')
), written AS (
    INSERT INTO delivery_attempts (endpoint, position, at, milliseconds, outcome, status, detail)
    SELECT endpoint, %(position)s, %(at)s, %(milliseconds)s, %(outcome)s, %(status)s::integer, %(detail)s
      FROM noted
)
SELECT count(*) FROM noted

-- listed_deliveries --
SELECT endpoint, position, stream, type, event, state, attempts, due_at, ended_at
  FROM deliveries
 WHERE endpoint = %(endpoint)s AND position < %(before)s
 ORDER BY position DESC
 LIMIT %(limit)s

-- listed_deliveries_of_state --
SELECT endpoint, position, stream, type, event, state, attempts, due_at, ended_at
  FROM deliveries
 WHERE endpoint = %(endpoint)s AND position < %(before)s AND state = %(state)s
 ORDER BY position DESC
 LIMIT %(limit)s

-- delivery_attempts --
SELECT position, at, milliseconds, outcome, status, detail
  FROM delivery_attempts
 WHERE endpoint = %(endpoint)s AND position = ANY (%(positions)s)
 ORDER BY position, at

-- pending_count --
SELECT count(*) FROM deliveries WHERE endpoint = %(endpoint)s AND state = 'pending'

-- forget_endpoints --
WITH attempted AS (
    DELETE FROM delivery_attempts WHERE endpoint <> ALL (%(kept)s)
), delivered AS (
    DELETE FROM deliveries WHERE endpoint <> ALL (%(kept)s)
)
DELETE FROM delivery_cursors WHERE endpoint <> ALL (%(kept)s)

-- prune_deliveries --
WITH attempted AS (
    DELETE FROM delivery_attempts
     WHERE ctid = ANY (ARRAY(SELECT ctid FROM delivery_attempts WHERE at < %(before)s LIMIT 10000))
    RETURNING 1
), delivered AS (
    DELETE FROM deliveries
     WHERE ctid = ANY (ARRAY(SELECT ctid FROM deliveries WHERE ended_at < %(before)s LIMIT 10000))
    RETURNING 1
)
SELECT (SELECT count(*) FROM attempted) + (SELECT count(*) FROM delivered)

-- library_events --
SELECT version, type, schema_number, data
  FROM events
 WHERE stream = %(stream)s AND version > %(gt)s AND version <= %(lte)s
 ORDER BY version
 LIMIT %(limit)s

-- library_events_backwards --
SELECT version, type, schema_number, data
  FROM events
 WHERE stream = %(stream)s AND version > %(gt)s AND version <= %(lte)s
 ORDER BY version DESC
 LIMIT %(limit)s

-- library_snapshots --
SELECT version, type, 1, data
  FROM snapshots
 WHERE stream = %(stream)s AND version > %(gt)s AND version <= %(lte)s
 ORDER BY version
 LIMIT %(limit)s

-- library_snapshots_backwards --
SELECT version, type, 1, data
  FROM snapshots
 WHERE stream = %(stream)s AND version > %(gt)s AND version <= %(lte)s
 ORDER BY version DESC
 LIMIT %(limit)s

-- insert_snapshots --
INSERT INTO snapshots (stream, version, type, data)
SELECT * FROM unnest(%(streams)s::text[], %(versions)s::bigint[], %(types)s::text[], %(data)s::bytea[])

-- library_notifications --
SELECT position, stream, version, type, schema_number, data
  FROM events
 WHERE position > %(after)s AND position <= %(up_to)s
 ORDER BY position
 LIMIT %(limit)s

-- library_notifications_of_types --
SELECT position, stream, version, type, schema_number, data
  FROM events
 WHERE position > %(after)s AND position <= %(up_to)s AND type = ANY (%(types)s)
 ORDER BY position
 LIMIT %(limit)s

-- take_locks --
SELECT name, pg_try_advisory_lock(hashtextextended(%(prefix)s || name, 0)) FROM unnest(%(names)s::text[]) AS name

-- share_locks --
SELECT name, pg_try_advisory_lock_shared(hashtextextended(%(prefix)s || name, 0))
FROM unnest(%(names)s::text[]) AS name

-- release_locks --
SELECT name, pg_advisory_unlock(hashtextextended(%(prefix)s || name, 0)) FROM unnest(%(names)s::text[]) AS name

-- lock_holders --
SELECT name, pid, coalesce(application_name, '')
FROM unnest(%(names)s::text[]) AS name
JOIN pg_locks ON locktype = 'advisory' AND granted AND objsubid = 1
    AND (classid::bigint << 32 | objid::bigint) = hashtextextended(%(prefix)s || name, 0)
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
LEFT JOIN pg_stat_activity USING (pid)
