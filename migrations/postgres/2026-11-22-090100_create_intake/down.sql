DROP TABLE idempotency, firings, schedules, deliveries;
