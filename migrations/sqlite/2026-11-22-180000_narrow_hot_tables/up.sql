DROP INDEX tasks_queued;
CREATE INDEX tasks_queued ON tasks (priority, queued_at) WHERE status = 'queued';
