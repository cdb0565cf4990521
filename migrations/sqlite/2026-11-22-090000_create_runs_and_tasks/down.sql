DROP TABLE approvals;
DROP TABLE turns;
DROP TABLE dead_letters;
DROP TABLE outbox;
DROP TABLE events;
DROP TABLE dependencies;
DROP TABLE tasks;
DROP TABLE runs;
