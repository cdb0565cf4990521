-- History and transcripts are written for every task: one index each, and no look at the row that they belong to. A run or
-- task that goes still takes them with it, for all rows of a statement at once.
ALTER TABLE events DROP CONSTRAINT events_pkey, DROP CONSTRAINT events_run_id_fkey;
DROP INDEX events_of_run;
ALTER TABLE events ADD PRIMARY KEY (run_id, id);
ALTER TABLE turns DROP CONSTRAINT turns_task_id_fkey;

CREATE FUNCTION remove_history_of_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM events WHERE run_id IN (SELECT id FROM gone);
    RETURN NULL;
END $$;
CREATE TRIGGER runs_remove_history AFTER DELETE ON runs REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION remove_history_of_runs();

CREATE FUNCTION remove_transcripts_of_tasks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM turns WHERE task_id IN (SELECT id FROM gone);
    RETURN NULL;
END $$;
CREATE TRIGGER tasks_remove_transcripts AFTER DELETE ON tasks REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION remove_transcripts_of_tasks();

-- In the order in which tasks are taken, whatever their roles: a backlog is not sorted again at every look.
DROP INDEX tasks_queued;
CREATE INDEX tasks_queued ON tasks (priority, queued_at) INCLUDE (role) WHERE status = 'queued';

ALTER TABLE runs SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

-- Long texts cost the server more time to compress than all else about their rows; LZ4 takes a tenth of it. A server that was
-- built without LZ4, or is older than it (PostgreSQL 14), goes on as it is.
DO $$
BEGIN
    EXECUTE 'ALTER TABLE runs ALTER goal SET COMPRESSION lz4, ALTER source SET COMPRESSION lz4,
                              ALTER metadata SET COMPRESSION lz4, ALTER outcome SET COMPRESSION lz4';
    EXECUTE 'ALTER TABLE tasks ALTER description SET COMPRESSION lz4, ALTER payload SET COMPRESSION lz4,
                               ALTER metadata SET COMPRESSION lz4, ALTER result SET COMPRESSION lz4,
                               ALTER error_message SET COMPRESSION lz4';
    EXECUTE 'ALTER TABLE events ALTER data SET COMPRESSION lz4';
    EXECUTE 'ALTER TABLE turns ALTER content SET COMPRESSION lz4';
EXCEPTION WHEN feature_not_supported OR syntax_error THEN
    RAISE NOTICE 'long texts are compressed by pglz, which takes longer: %', SQLERRM;
END $$;
