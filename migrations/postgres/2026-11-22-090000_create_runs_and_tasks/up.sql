CREATE TABLE runs (
    id uuid PRIMARY KEY,
    workflow text NOT NULL CONSTRAINT runs_workflow CHECK (workflow IN ('grow', 'single')),
    status text NOT NULL CONSTRAINT runs_status
        CHECK (status IN ('queued', 'running', 'waiting', 'paused', 'completed', 'failed', 'cancelled')),
    goal text NOT NULL,
    repository text,
    base_ref text,
    base_commit text,
    branch text,
    head_commit text,
    source json NOT NULL,
    budget json NOT NULL,
    priority smallint NOT NULL CONSTRAINT runs_priority CHECK (priority BETWEEN 0 AND 9),
    metadata json NOT NULL,
    outcome json,
    requests bigint NOT NULL DEFAULT 0,
    tokens_in bigint NOT NULL DEFAULT 0,
    tokens_out bigint NOT NULL DEFAULT 0,
    model_ms bigint NOT NULL DEFAULT 0,
    deadline_at timestamptz,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    CONSTRAINT runs_finished
        CHECK ((status IN ('completed', 'failed', 'cancelled')) = (finished_at IS NOT NULL))
) WITH (fillfactor = 80);
COMMENT ON TABLE runs IS 'One piece of work from trigger to outcome';
COMMENT ON COLUMN runs.base_commit IS 'The commit on which the work is based, once it is known';
COMMENT ON COLUMN runs.deadline_at IS 'When its budget of minutes ends; set when its first attempt begins';
CREATE INDEX runs_newest ON runs (created_at, id);
CREATE INDEX runs_live ON runs (status, id) WHERE status IN ('queued', 'running', 'waiting', 'paused');
CREATE INDEX runs_deadline ON runs (deadline_at)
    WHERE deadline_at IS NOT NULL AND status IN ('queued', 'running', 'waiting', 'paused');

CREATE TABLE tasks (
    id uuid PRIMARY KEY,
    run_id uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
    role text NOT NULL CONSTRAINT tasks_role
        CHECK (role IN ('architect', 'implementer', 'reviewer', 'tester', 'maintainer')),
    kind text NOT NULL CONSTRAINT tasks_kind
        CHECK (kind IN ('single', 'plan', 'implement', 'review', 'test', 'decide')),
    status text NOT NULL CONSTRAINT tasks_status
        CHECK (status IN ('pending', 'queued', 'running', 'retrying', 'waiting', 'completed', 'failed', 'cancelled')),
    description text NOT NULL,
    payload json NOT NULL,
    metadata json NOT NULL,
    priority smallint NOT NULL CONSTRAINT tasks_priority CHECK (priority BETWEEN 0 AND 9),
    dispatched boolean NOT NULL,
    attempt integer NOT NULL DEFAULT 0,
    max_attempts integer,
    fence bigint NOT NULL DEFAULT 0,
    result json,
    error_code text,
    error_message text,
    cancel_reason text,
    requests bigint NOT NULL DEFAULT 0,
    tokens_in bigint NOT NULL DEFAULT 0,
    tokens_out bigint NOT NULL DEFAULT 0,
    model_ms bigint NOT NULL DEFAULT 0,
    worker_id uuid,
    leased_until timestamptz,
    run_at timestamptz,
    announced_at timestamptz,
    created_at timestamptz NOT NULL,
    queued_at timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    CONSTRAINT tasks_leased CHECK ((status = 'running') = (worker_id IS NOT NULL AND leased_until IS NOT NULL)),
    CONSTRAINT tasks_attempts CHECK (attempt >= 0 AND (max_attempts IS NULL OR (max_attempts >= 1 AND attempt <= max_attempts))),
    CONSTRAINT tasks_backoff CHECK ((status = 'retrying') = (run_at IS NOT NULL)),
    CONSTRAINT tasks_finished
        CHECK ((status IN ('completed', 'failed', 'cancelled')) = (finished_at IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE tasks IS 'One agent invocation inside a run';
COMMENT ON COLUMN tasks.dispatched IS 'Whether somebody asked for it to run; false keeps it pending';
COMMENT ON COLUMN tasks.attempt IS 'Attempts begun and not handed back';
COMMENT ON COLUMN tasks.max_attempts IS 'None until the first claim, which stamps the setting of its worker';
COMMENT ON COLUMN tasks.fence IS 'Grows with every claim; a write that carries an older one is refused';
COMMENT ON COLUMN tasks.announced_at IS 'When a message for it was last written to the outbox';
CREATE INDEX tasks_of_run ON tasks (run_id);
CREATE INDEX tasks_newest ON tasks (created_at, id);
CREATE INDEX tasks_queued ON tasks (role, priority, queued_at) WHERE status = 'queued';
CREATE INDEX tasks_running ON tasks (id) WHERE status = 'running';
CREATE INDEX tasks_retrying ON tasks (run_at) WHERE status = 'retrying';
CREATE INDEX tasks_pending ON tasks (created_at, id) WHERE status = 'pending';
CREATE INDEX tasks_waiting ON tasks (created_at, id) WHERE status = 'waiting';
CREATE INDEX tasks_failed ON tasks (created_at, id) WHERE status = 'failed';
CREATE INDEX tasks_cancelled ON tasks (finished_at) WHERE status = 'cancelled';

CREATE TABLE dependencies (
    task_id uuid NOT NULL REFERENCES tasks ON DELETE CASCADE,
    depends_on uuid NOT NULL REFERENCES tasks ON DELETE CASCADE,
    PRIMARY KEY (task_id, depends_on),
    CONSTRAINT dependencies_not_itself CHECK (task_id <> depends_on)
);
COMMENT ON TABLE dependencies IS 'Which tasks of the same run must complete before a task may begin';
CREATE INDEX dependencies_reverse ON dependencies (depends_on);

CREATE TABLE events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
    task_id uuid,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    attempt integer,
    data json NOT NULL
);
COMMENT ON TABLE events IS 'What happened to runs and tasks; append-only';
COMMENT ON COLUMN events.task_id IS 'Not a foreign key: the history of a deleted task stays with its run';
CREATE INDEX events_of_run ON events (run_id, id);

CREATE FUNCTION refuse_change_of_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'history is append-only';
END $$;
CREATE TRIGGER events_append_only BEFORE UPDATE ON events
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_history();

CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task_id uuid NOT NULL,
    run_id uuid NOT NULL,
    role text NOT NULL,
    attempt integer NOT NULL,
    created_at timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE outbox IS 'Messages that are not yet known to be with the broker; a row goes when its confirm has come';

CREATE TABLE dead_letters (
    task_id uuid PRIMARY KEY REFERENCES tasks ON DELETE CASCADE,
    run_id uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
    role text NOT NULL,
    reason text NOT NULL CONSTRAINT dead_letters_reason CHECK (reason IN ('attempts_spent', 'fatal')),
    code text NOT NULL,
    message text NOT NULL,
    attempts integer NOT NULL,
    at timestamptz NOT NULL
);
COMMENT ON TABLE dead_letters IS 'Failed tasks that nobody has replayed or dismissed';
CREATE INDEX dead_letters_newest ON dead_letters (at, task_id);
CREATE INDEX dead_letters_of_run ON dead_letters (run_id);

CREATE TABLE turns (
    task_id uuid NOT NULL REFERENCES tasks ON DELETE CASCADE,
    fence bigint NOT NULL,
    seq integer NOT NULL,
    attempt integer NOT NULL,
    kind text NOT NULL,
    speaker text NOT NULL,
    content text NOT NULL,
    model text,
    tokens_in bigint,
    tokens_out bigint,
    latency_ms bigint,
    at timestamptz NOT NULL,
    PRIMARY KEY (task_id, fence, seq)
);
COMMENT ON TABLE turns IS 'The transcript of each attempt; append-only';

CREATE TABLE approvals (
    id uuid PRIMARY KEY,
    run_id uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
    task_id uuid REFERENCES tasks ON DELETE CASCADE,
    gate text NOT NULL,
    question text NOT NULL,
    decision text CONSTRAINT approvals_decision CHECK (decision IN ('approved', 'rejected')),
    reason text,
    decided_by text,
    created_at timestamptz NOT NULL,
    decided_at timestamptz,
    CONSTRAINT approvals_decided CHECK ((decision IS NULL) = (decided_at IS NULL))
);
COMMENT ON TABLE approvals IS 'Points where a person must decide';
CREATE INDEX approvals_of_run ON approvals (run_id);
CREATE INDEX approvals_of_task ON approvals (task_id);
