CREATE TABLE runs (
    id text PRIMARY KEY,
    workflow text NOT NULL CONSTRAINT runs_workflow CHECK (workflow IN ('grow', 'single')),
    status text NOT NULL CONSTRAINT runs_status
        CHECK (status IN ('queued', 'running', 'waiting', 'paused', 'completed', 'failed', 'cancelled')),
    goal text NOT NULL,
    repository text,
    base_ref text,
    base_commit text,
    branch text,
    head_commit text,
    source text NOT NULL,
    budget text NOT NULL,
    priority integer NOT NULL CONSTRAINT runs_priority CHECK (priority BETWEEN 0 AND 9),
    metadata text NOT NULL,
    outcome text,
    requests integer NOT NULL DEFAULT 0,
    tokens_in integer NOT NULL DEFAULT 0,
    tokens_out integer NOT NULL DEFAULT 0,
    model_ms integer NOT NULL DEFAULT 0,
    deadline_at text,
    created_at text NOT NULL,
    started_at text,
    finished_at text,
    CONSTRAINT runs_finished
        CHECK ((status IN ('completed', 'failed', 'cancelled')) = (finished_at IS NOT NULL))
);
CREATE INDEX runs_newest ON runs (created_at, id);
CREATE INDEX runs_live ON runs (status, id) WHERE status IN ('queued', 'running', 'waiting', 'paused');
CREATE INDEX runs_deadline ON runs (deadline_at)
    WHERE deadline_at IS NOT NULL AND status IN ('queued', 'running', 'waiting', 'paused');

CREATE TABLE tasks (
    id text PRIMARY KEY,
    run_id text NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    role text NOT NULL CONSTRAINT tasks_role
        CHECK (role IN ('architect', 'implementer', 'reviewer', 'tester', 'maintainer')),
    kind text NOT NULL CONSTRAINT tasks_kind
        CHECK (kind IN ('single', 'plan', 'implement', 'review', 'test', 'decide')),
    status text NOT NULL CONSTRAINT tasks_status
        CHECK (status IN ('pending', 'queued', 'running', 'retrying', 'waiting', 'completed', 'failed', 'cancelled')),
    description text NOT NULL,
    payload text NOT NULL,
    metadata text NOT NULL,
    priority integer NOT NULL CONSTRAINT tasks_priority CHECK (priority BETWEEN 0 AND 9),
    dispatched integer NOT NULL,
    attempt integer NOT NULL DEFAULT 0,
    max_attempts integer,
    fence integer NOT NULL DEFAULT 0,
    result text,
    error_code text,
    error_message text,
    cancel_reason text,
    requests integer NOT NULL DEFAULT 0,
    tokens_in integer NOT NULL DEFAULT 0,
    tokens_out integer NOT NULL DEFAULT 0,
    model_ms integer NOT NULL DEFAULT 0,
    worker_id text,
    leased_until text,
    run_at text,
    announced_at text,
    created_at text NOT NULL,
    queued_at text,
    started_at text,
    finished_at text,
    CONSTRAINT tasks_leased CHECK ((status = 'running') = (worker_id IS NOT NULL AND leased_until IS NOT NULL)),
    CONSTRAINT tasks_attempts CHECK (attempt >= 0 AND (max_attempts IS NULL OR (max_attempts >= 1 AND attempt <= max_attempts))),
    CONSTRAINT tasks_backoff CHECK ((status = 'retrying') = (run_at IS NOT NULL)),
    CONSTRAINT tasks_finished
        CHECK ((status IN ('completed', 'failed', 'cancelled')) = (finished_at IS NOT NULL))
);
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
    task_id text NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    depends_on text NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    PRIMARY KEY (task_id, depends_on),
    CONSTRAINT dependencies_not_itself CHECK (task_id <> depends_on)
);
CREATE INDEX dependencies_reverse ON dependencies (depends_on);

CREATE TABLE events (
    id integer PRIMARY KEY AUTOINCREMENT,
    run_id text NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    task_id text,
    at text NOT NULL,
    kind text NOT NULL,
    attempt integer,
    data text NOT NULL
);
CREATE INDEX events_of_run ON events (run_id, id);

CREATE TRIGGER events_append_only BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'history is append-only');
END;

CREATE TABLE outbox (
    id integer PRIMARY KEY AUTOINCREMENT,
    task_id text NOT NULL,
    run_id text NOT NULL,
    role text NOT NULL,
    attempt integer NOT NULL,
    created_at text NOT NULL
);

CREATE TABLE dead_letters (
    task_id text PRIMARY KEY REFERENCES tasks (id) ON DELETE CASCADE,
    run_id text NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    role text NOT NULL,
    reason text NOT NULL CONSTRAINT dead_letters_reason CHECK (reason IN ('attempts_spent', 'fatal')),
    code text NOT NULL,
    message text NOT NULL,
    attempts integer NOT NULL,
    at text NOT NULL
);
CREATE INDEX dead_letters_newest ON dead_letters (at, task_id);
CREATE INDEX dead_letters_of_run ON dead_letters (run_id);

CREATE TABLE turns (
    task_id text NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    fence integer NOT NULL,
    seq integer NOT NULL,
    attempt integer NOT NULL,
    kind text NOT NULL,
    speaker text NOT NULL,
    content text NOT NULL,
    model text,
    tokens_in integer,
    tokens_out integer,
    latency_ms integer,
    at text NOT NULL,
    PRIMARY KEY (task_id, fence, seq)
);

CREATE TABLE approvals (
    id text PRIMARY KEY,
    run_id text NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    task_id text REFERENCES tasks (id) ON DELETE CASCADE,
    gate text NOT NULL,
    question text NOT NULL,
    decision text CONSTRAINT approvals_decision CHECK (decision IN ('approved', 'rejected')),
    reason text,
    decided_by text,
    created_at text NOT NULL,
    decided_at text,
    CONSTRAINT approvals_decided CHECK ((decision IS NULL) = (decided_at IS NULL))
);
CREATE INDEX approvals_of_run ON approvals (run_id);
CREATE INDEX approvals_of_task ON approvals (task_id);
