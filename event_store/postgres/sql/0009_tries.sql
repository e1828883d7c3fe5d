-- readable from 1, writable from 5

-- What became of open work so far, for the operator who looks at it, and may have it tried at once.
ALTER TABLE open_work
    ADD COLUMN tries   integer NOT NULL DEFAULT 0,  -- by the process that follows now
    ADD COLUMN failure text,                        -- why the last of them did not end it
    ADD COLUMN retry   boolean NOT NULL DEFAULT false;  -- without the pause that it is in

CREATE INDEX open_work_retry ON open_work (process) WHERE retry;
