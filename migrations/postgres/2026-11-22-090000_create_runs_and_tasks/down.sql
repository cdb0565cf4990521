DROP TABLE approvals, turns, dead_letters, outbox, events, dependencies, tasks, runs;
DROP FUNCTION refuse_change_of_history;
