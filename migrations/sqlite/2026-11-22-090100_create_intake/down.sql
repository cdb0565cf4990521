DROP TABLE idempotency;
DROP TABLE firings;
DROP TABLE schedules;
DROP TABLE deliveries;
