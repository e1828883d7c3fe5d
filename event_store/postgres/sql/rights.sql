-- Who may do what. Run after every migration and by `daybook events migrate`, by the log's owner, so that it
-- also holds for a role that was made later.
--
-- daybook_writer appends through the functions (insert_events, and all whose names begin with append), which
-- run with the owner's rights, and reads. It changes no fact: only checkpoints, open work, deliveries, snapshots
-- and the numbers given out, which are not facts, are its to replace.
-- daybook_reader reads, the installation's secret aside.
-- daybook_feed reads the events and which log they are of: no subject's key, and none of the commands' arguments.

-- Roles belong to the whole cluster: we may not be allowed to make them, or another log's migration was faster.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['daybook_feed', 'daybook_reader', 'daybook_writer'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', name);
            END IF;
        EXCEPTION
            WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;
END
$$;

-- A function is open to everybody unless told. Each pins its own search_path where it is made.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {schema} FROM PUBLIC;

DO $$
DECLARE
    writing regprocedure;
    name    text;
BEGIN
    FOREACH name IN ARRAY ARRAY['daybook_feed', 'daybook_reader', 'daybook_writer'] LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name);
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM %I', name);
        EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {schema} FROM %I', name);
        EXECUTE format('GRANT USAGE ON SCHEMA {schema} TO %I', name);
        EXECUTE format('GRANT SELECT ON events, schema_migrations TO %I', name);
        IF to_regclass('log') IS NOT NULL THEN  -- Made by the sixth migration.
            EXECUTE format('GRANT SELECT ON log TO %I', name);
        END IF;
        IF name <> 'daybook_feed' THEN
            EXECUTE format('GRANT SELECT ON commands, subject_keys, snapshots, tracking TO %I', name);
            IF to_regclass('numbers') IS NOT NULL THEN  -- The same.
                EXECUTE format('GRANT SELECT ON numbers TO %I', name);
                EXECUTE format('GRANT EXECUTE ON FUNCTION event_identity TO %I', name);
            END IF;
            IF to_regclass('open_work') IS NOT NULL THEN  -- by the seventh
                EXECUTE format('GRANT SELECT ON open_work TO %I', name);
            END IF;
            IF to_regclass('deliveries') IS NOT NULL THEN  -- by the tenth
                EXECUTE format('GRANT SELECT ON deliveries, delivery_attempts, delivery_cursors TO %I', name);
            END IF;
        END IF;
    END LOOP;

    FOR writing IN
        SELECT p.oid FROM pg_proc p
         WHERE p.pronamespace = current_schema()::regnamespace
           AND (p.proname LIKE 'append%' OR p.proname = 'insert_events')
    LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER', writing);
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'daybook_writer') THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO daybook_writer', writing);
        END IF;
    END LOOP;

    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'daybook_writer') THEN
        GRANT SELECT ON installation TO daybook_writer;
        GRANT INSERT, UPDATE ON tracking TO daybook_writer;
        IF to_regclass('numbers') IS NOT NULL THEN
            GRANT INSERT, UPDATE ON numbers TO daybook_writer;
        END IF;
        IF to_regclass('open_work') IS NOT NULL THEN
            GRANT INSERT, UPDATE, DELETE ON open_work TO daybook_writer;
        END IF;
        IF to_regclass('deliveries') IS NOT NULL THEN
            GRANT INSERT, UPDATE, DELETE ON deliveries, delivery_attempts, delivery_cursors TO daybook_writer;
        END IF;
        GRANT INSERT, UPDATE, DELETE ON snapshots TO daybook_writer;
    END IF;
END
$$;
