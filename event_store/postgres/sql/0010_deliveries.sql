-- readable from 1, writable from 5

-- Events on their way to endpoints outside, and every attempt: rows that come and go, and no facts.

-- How far the log was looked at for an endpoint, and the event that stands there.
CREATE TABLE delivery_cursors (
    endpoint      text   COLLATE "C" PRIMARY KEY,
    position      bigint NOT NULL,
    event         text   COLLATE "C" NOT NULL,
    version       bigint NOT NULL,  -- of the last turn that was taken in
    failing_since timestamptz
);

CREATE TABLE deliveries (
    endpoint text        COLLATE "C" NOT NULL,
    position bigint      NOT NULL,
    stream   text        COLLATE "C" NOT NULL,
    type     text        COLLATE "C" NOT NULL,
    event    text        COLLATE "C" NOT NULL,
    state    text        COLLATE "C" NOT NULL,  -- pending, delivered or failed
    attempts integer     NOT NULL DEFAULT 0,
    due_at   timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (endpoint, position)
);

CREATE INDEX deliveries_by_state ON deliveries (endpoint, state, position);
CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE delivery_attempts (
    endpoint     text        COLLATE "C" NOT NULL,
    position     bigint      NOT NULL,
    at           timestamptz NOT NULL,
    milliseconds integer     NOT NULL,
    outcome      text        COLLATE "C" NOT NULL,
    status       integer,
    detail       text        NOT NULL
);

CREATE INDEX delivery_attempts_of ON delivery_attempts (endpoint, position, at);
CREATE INDEX delivery_attempts_at ON delivery_attempts (at);
