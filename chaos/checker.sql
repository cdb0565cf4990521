-- What must hold of a database once everything has come to rest, whatever was done to its services.
--
-- Each query gives the rows that offend: a task where the first column is `task_id`, so that its history can be shown.
-- A comment that begins with the word check, a name and a sentence begins one. They read only; run them on any database at rest.

-- check: terminal: every task has come to its end
SELECT id AS task_id, status, attempt, fence, leased_until, run_at
FROM tasks WHERE status NOT IN ('completed', 'failed', 'cancelled');

-- check: leases: no lease is there once its time and that of its rescue are over
SELECT id AS task_id, leased_until, clock_timestamp() - leased_until AS late
FROM tasks WHERE status = 'running' AND leased_until < clock_timestamp() - interval '5 seconds';

-- check: fences: the fence of a task counts its grants
SELECT t.id AS task_id, t.fence, count(e.id) AS grants
FROM tasks t LEFT JOIN events e ON e.task_id = t.id AND e.kind = 'task.started'
GROUP BY t.id HAVING t.fence <> count(e.id);

-- check: attempts: the attempts of a task are its grants without those that were handed back
SELECT t.id AS task_id, t.attempt, count(e.id) FILTER (WHERE e.kind = 'task.started') AS grants,
    count(e.id) FILTER (WHERE e.kind = 'task.handed_back') AS handed_back
FROM tasks t LEFT JOIN events e ON e.task_id = t.id AND e.kind IN ('task.started', 'task.handed_back')
WHERE NOT EXISTS (SELECT FROM events r WHERE r.task_id = t.id AND r.kind = 'task.replayed')
GROUP BY t.id
HAVING t.attempt <> count(e.id) FILTER (WHERE e.kind = 'task.started') - count(e.id) FILTER (WHERE e.kind = 'task.handed_back');

-- check: attempt_numbers: each grant has the number that follows from those before
SELECT task_id, id AS event, attempt, expected FROM (
    SELECT id, task_id, kind, attempt, 1 + count(*) FILTER (WHERE kind = 'task.started') OVER before
        - count(*) FILTER (WHERE kind = 'task.handed_back') OVER before AS expected
    FROM events e WHERE kind IN ('task.started', 'task.handed_back')
        AND NOT EXISTS (SELECT FROM events r WHERE r.task_id = e.task_id AND r.kind = 'task.replayed')
    WINDOW before AS (PARTITION BY task_id ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
) AS numbered WHERE kind = 'task.started' AND attempt <> expected;

-- check: outbox: every message is known to be with the broker
SELECT o.task_id, o.id AS message, o.created_at, t.status FROM outbox o LEFT JOIN tasks t ON t.id = o.task_id;

-- check: transitions: every step of a history is one that a task may take, from its creation to the state that it is in
WITH steps AS (
    SELECT id, task_id, kind, CASE kind
        WHEN 'task.created' THEN data ->> 'status'
        WHEN 'task.queued' THEN 'queued'
        WHEN 'task.held' THEN 'pending'
        WHEN 'task.started' THEN 'running'
        WHEN 'task.completed' THEN 'completed'
        WHEN 'task.retrying' THEN 'retrying'
        WHEN 'task.lease_expired' THEN 'retrying'
        WHEN 'task.failed' THEN 'failed'
        WHEN 'task.cancelled' THEN 'cancelled'
        WHEN 'task.handed_back' THEN 'queued'
        WHEN 'task.replayed' THEN 'queued'
        WHEN 'task.revived' THEN 'pending'
    END AS state
    FROM events WHERE task_id IS NOT NULL AND kind NOT IN ('task.updated', 'task.fenced', 'task.deleted', 'dead_letter.purged')
), pairs AS (
    SELECT task_id, id, kind, state, lag(state) OVER (PARTITION BY task_id ORDER BY id) AS before,
        lag(kind) OVER (PARTITION BY task_id ORDER BY id) AS after,
        lead(id) OVER (PARTITION BY task_id ORDER BY id) IS NULL AS is_last
    FROM steps
)
SELECT p.task_id, p.id AS event, p.before, p.kind, p.state, t.status AS stored
FROM pairs p LEFT JOIN tasks t ON t.id = p.task_id
WHERE NOT coalesce(CASE
        WHEN p.before IS NULL THEN p.kind = 'task.created'
        WHEN p.after = 'task.replayed' AND p.kind = 'task.queued' THEN true
        WHEN p.before = 'pending' THEN p.state IN ('queued', 'cancelled')
        WHEN p.before = 'queued' THEN p.state IN ('running', 'pending', 'cancelled')
        WHEN p.before = 'running' THEN
            p.state IN ('completed', 'failed', 'cancelled', 'retrying', 'waiting', 'queued', 'pending')
        WHEN p.before = 'retrying' THEN p.state IN ('queued', 'cancelled')
        WHEN p.before = 'waiting' THEN p.state IN ('queued', 'completed', 'failed', 'cancelled')
        WHEN p.before = 'failed' THEN p.state IN ('queued', 'pending')
        WHEN p.before = 'cancelled' THEN p.state IN ('pending', 'queued')
    END, false)
    OR (p.is_last AND p.state IS DISTINCT FROM t.status
        AND NOT EXISTS (SELECT FROM events d WHERE d.task_id = p.task_id AND d.kind = 'task.deleted'));

-- check: histories: every task has a history
SELECT t.id AS task_id, t.status FROM tasks t
WHERE NOT EXISTS (SELECT FROM events e WHERE e.task_id = t.id AND e.kind = 'task.created');

-- check: completed_once: a task completes exactly once, or never
SELECT t.id AS task_id, t.status, count(e.id) AS completions
FROM tasks t LEFT JOIN events e ON e.task_id = t.id AND e.kind = 'task.completed'
GROUP BY t.id HAVING count(e.id) <> (CASE t.status WHEN 'completed' THEN 1 ELSE 0 END);

-- check: not_again: no completed task is executed again
SELECT s.task_id, c.id AS completed, s.id AS started
FROM events c JOIN events s ON s.task_id = c.task_id AND s.kind = 'task.started' AND s.id > c.id
WHERE c.kind = 'task.completed';

-- check: dependencies: no task begins before all that it depends on have completed
SELECT d.task_id, d.depends_on, min(s.id) AS started
FROM dependencies d JOIN events s ON s.task_id = d.task_id AND s.kind = 'task.started'
GROUP BY d.task_id, d.depends_on
HAVING NOT EXISTS (SELECT FROM events c WHERE c.task_id = d.depends_on AND c.kind = 'task.completed' AND c.id < min(s.id));

-- check: as_expected: every task ended as its making foresaw
SELECT id AS task_id, status, metadata ->> 'expect' AS expected, attempt, error_code, error_message, cancel_reason
FROM tasks WHERE metadata ->> 'expect' IS NOT NULL AND status <> metadata ->> 'expect';

-- check: runs: the status of a run follows from its tasks
WITH counts AS (
    SELECT run_id, count(*) FILTER (WHERE status IN ('running', 'retrying')) AS busy,
        count(*) FILTER (WHERE status IN ('queued', 'pending')) AS open,
        count(*) FILTER (WHERE status = 'waiting') AS waiting,
        -- A run that took too long fails, and cancels what was left of it.
        count(*) FILTER (WHERE status = 'failed' OR cancel_reason = 'run_timed_out') AS failed,
        count(*) FILTER (WHERE status = 'completed') AS completed
    FROM tasks GROUP BY run_id
), derived AS (
    SELECT run_id, CASE
        WHEN busy > 0 THEN 'running'
        WHEN open > 0 THEN CASE WHEN completed + waiting > 0 THEN 'running' ELSE 'queued' END
        WHEN waiting > 0 THEN 'waiting'
        WHEN failed > 0 THEN 'failed'
        WHEN completed > 0 THEN 'completed'
        ELSE 'cancelled' END AS status
    FROM counts
)
SELECT r.id AS run_id, r.status, d.status AS derived FROM runs r LEFT JOIN derived d ON d.run_id = r.id
WHERE r.workflow = 'single' AND r.status IS DISTINCT FROM d.status
    -- What a deleted task has brought to its run stays.
    AND NOT EXISTS (SELECT FROM events e WHERE e.run_id = r.id AND e.kind = 'task.deleted');

-- check: run_ends: a run ends exactly once, and once more each time that it was reopened; its history says how
SELECT r.id AS run_id, r.status, count(e.id) FILTER (WHERE e.kind <> 'run.reopened') AS ends,
    (array_agg(e.kind ORDER BY e.id DESC))[1] AS kind
FROM runs r LEFT JOIN events e
    ON e.run_id = r.id AND e.kind IN ('run.completed', 'run.failed', 'run.cancelled', 'run.reopened')
GROUP BY r.id
HAVING count(e.id) FILTER (WHERE e.kind <> 'run.reopened') <> 1 + count(e.id) FILTER (WHERE e.kind = 'run.reopened')
    OR (array_agg(e.kind ORDER BY e.id DESC))[1] IS DISTINCT FROM 'run.' || r.status;

-- check: dead_letters: the dead letters are the failed tasks
SELECT coalesce(t.id, l.task_id) AS task_id, t.status, t.attempt, l.reason, l.attempts
FROM (SELECT * FROM tasks WHERE status = 'failed') t FULL JOIN dead_letters l ON l.task_id = t.id
WHERE t.id IS NULL OR l.task_id IS NULL OR l.attempts <> t.attempt;

-- check: deliveries: a delivery that started a run and a run that a delivery started are one to one
SELECT r.id AS run_id, coalesce(r.delivery, d.id) AS delivery, d.run_id AS known_run
FROM (SELECT id, source ->> 'deliveryId' AS delivery FROM runs WHERE source ->> 'kind' = 'webhook') r
FULL JOIN (SELECT * FROM deliveries WHERE status = 'accepted') d ON d.run_id = r.id
WHERE r.id IS NULL OR d.id IS NULL OR r.delivery <> d.id;

-- check: firings: a slot that fired and the run that it started are one to one
SELECT r.id AS run_id, f.schedule_id, f.slot
FROM (SELECT id, source FROM runs WHERE source ->> 'kind' = 'schedule') r
FULL JOIN firings f ON f.run_id = r.id
WHERE r.id IS NULL OR f.run_id IS NULL OR r.source ->> 'scheduleId' <> f.schedule_id::text
    OR (r.source ->> 'slot')::timestamptz <> f.slot;

-- check: slots: a schedule that catches up on everything misses no slot
SELECT f.schedule_id, count(*) AS fired, min(f.slot) AS first, max(f.slot) AS last
FROM firings f JOIN schedules s ON s.id = f.schedule_id
WHERE s.catch_up = 'all' AND s.cadence ->> 'kind' = 'interval'
GROUP BY f.schedule_id, s.cadence ->> 'everyMs'
HAVING count(*) <> 1 + round(extract(epoch FROM max(f.slot) - min(f.slot)) * 1000 / (s.cadence ->> 'everyMs')::bigint);

-- check: transactions: nothing holds a transaction open without using it
SELECT pid, application_name, state, clock_timestamp() - state_change AS idle, left(query, 80) AS query
FROM pg_stat_activity
WHERE datname = current_database() AND state LIKE 'idle in transaction%'
    AND state_change < clock_timestamp() - interval '3 seconds';
