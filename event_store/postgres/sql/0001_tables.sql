-- The log, the journal of the commands that wrote it, and what stands beside them.
-- Texts compare by bytes: the order of an index must not depend on the database's language.

CREATE TABLE events (
    position      bigint      PRIMARY KEY,
    stream        text        COLLATE "C" NOT NULL,
    version       bigint      NOT NULL,
    type          text        COLLATE "C" NOT NULL,
    schema_number integer     NOT NULL,
    data          bytea       NOT NULL,
    command_id    uuid        NOT NULL,
    correlation   text        COLLATE "C",
    causation     text        COLLATE "C",
    actor         text        COLLATE "C" NOT NULL,
    recorded_at   timestamptz NOT NULL,
    valid_at      timestamptz,  -- null: recorded_at
    UNIQUE (stream, version)
);

CREATE TABLE commands (
    command_id     uuid        PRIMARY KEY,
    name           text        COLLATE "C" NOT NULL,
    verdict        text        COLLATE "C" NOT NULL,  -- accepted, refused or unchanged
    actor          text        COLLATE "C" NOT NULL,
    channel        text        COLLATE "C" NOT NULL,
    key            bytea,
    request_hash   bytea,
    arguments      bytea       NOT NULL,
    answer         bytea       NOT NULL,
    correlation    text        COLLATE "C",
    causation      text        COLLATE "C",
    first_position bigint,
    last_position  bigint,
    recorded_at    timestamptz NOT NULL
);

-- A refusal is decided afresh, so only what was accepted (or changed nothing) holds its key.
CREATE INDEX commands_key ON commands (key, recorded_at)
    WHERE key IS NOT NULL AND verdict <> 'refused';

CREATE TABLE subject_keys (
    subject text  COLLATE "C" PRIMARY KEY,
    key     bytea NOT NULL
);

CREATE TABLE snapshots (
    stream  text   COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    type    text   COLLATE "C" NOT NULL,
    data    bytea  NOT NULL,
    PRIMARY KEY (stream, version)
);

CREATE TABLE tracking (
    name     text   COLLATE "C" PRIMARY KEY,
    position bigint NOT NULL
);

CREATE TABLE installation (
    the_one boolean PRIMARY KEY DEFAULT true CHECK (the_one),
    secret  bytea   NOT NULL CHECK (length(secret) = 32)
);

-- Auditors' and readers' processes come as this role. It never sees the installation's secret.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'daybook_reader') THEN
        CREATE ROLE daybook_reader NOLOGIN;
    END IF;
EXCEPTION
    -- Roles belong to the whole cluster: we may not be allowed to, or another database's log was faster.
    WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN NULL;
END
$$;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'daybook_reader') THEN
        GRANT USAGE ON SCHEMA {schema} TO daybook_reader;
        GRANT SELECT ON events, commands, subject_keys, snapshots, tracking, schema_migrations
            TO daybook_reader;
    END IF;
END
$$;
