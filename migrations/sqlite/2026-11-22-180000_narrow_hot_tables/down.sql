DROP INDEX tasks_queued;
CREATE INDEX tasks_queued ON tasks (role, priority, queued_at) WHERE status = 'queued';
