-- What processes still have to do, as of their checkpoints (`tracking`): the two change in one step. A row points
-- to the event that opened the work, and says when the work is due.
CREATE TABLE open_work (
    process  text        COLLATE "C" NOT NULL,
    queue    text        COLLATE "C" NOT NULL,
    number   bigint      NOT NULL,
    due_at   timestamptz NOT NULL,
    position bigint      NOT NULL,
    PRIMARY KEY (process, queue, number)
);

CREATE INDEX open_work_due ON open_work (process, due_at);
