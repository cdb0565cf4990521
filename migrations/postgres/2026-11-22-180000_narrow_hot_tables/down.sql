DO $$
BEGIN
    EXECUTE 'ALTER TABLE runs ALTER goal SET COMPRESSION default, ALTER source SET COMPRESSION default,
                              ALTER metadata SET COMPRESSION default, ALTER outcome SET COMPRESSION default';
    EXECUTE 'ALTER TABLE tasks ALTER description SET COMPRESSION default, ALTER payload SET COMPRESSION default,
                               ALTER metadata SET COMPRESSION default, ALTER result SET COMPRESSION default,
                               ALTER error_message SET COMPRESSION default';
    EXECUTE 'ALTER TABLE events ALTER data SET COMPRESSION default';
    EXECUTE 'ALTER TABLE turns ALTER content SET COMPRESSION default';
EXCEPTION WHEN syntax_error THEN
    NULL;
END $$;
ALTER TABLE runs RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_cost_delay);
DROP INDEX tasks_queued;
CREATE INDEX tasks_queued ON tasks (role, priority, queued_at) WHERE status = 'queued';
DROP TRIGGER tasks_remove_transcripts ON tasks;
DROP FUNCTION remove_transcripts_of_tasks();
DROP TRIGGER runs_remove_history ON runs;
DROP FUNCTION remove_history_of_runs();
ALTER TABLE turns ADD CONSTRAINT turns_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks ON DELETE CASCADE;
ALTER TABLE events DROP CONSTRAINT events_pkey;
ALTER TABLE events ADD PRIMARY KEY (id), ADD CONSTRAINT events_run_id_fkey FOREIGN KEY (run_id) REFERENCES runs ON DELETE CASCADE;
CREATE INDEX events_of_run ON events (run_id, id);
