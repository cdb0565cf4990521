CREATE TABLE deliveries (
    id text PRIMARY KEY,
    event text NOT NULL,
    action text,
    repository text,
    sender text,
    installation_id integer,
    status text NOT NULL CONSTRAINT deliveries_status CHECK (status IN ('accepted', 'skipped', 'redelivering')),
    reason text,
    run_id text,
    payload blob NOT NULL,
    size integer NOT NULL,
    redeliveries integer NOT NULL DEFAULT 0,
    received_at text NOT NULL
);
CREATE INDEX deliveries_newest ON deliveries (received_at, id);
CREATE INDEX deliveries_redelivering ON deliveries (received_at) WHERE status = 'redelivering';

CREATE TABLE schedules (
    id text PRIMARY KEY,
    name text NOT NULL CONSTRAINT schedules_name UNIQUE,
    cadence text NOT NULL,
    catch_up text NOT NULL CONSTRAINT schedules_catch_up CHECK (catch_up IN ('skip', 'latest', 'all')),
    target text NOT NULL,
    repository text,
    base_ref text,
    enabled integer NOT NULL,
    next_at text,
    last_slot text,
    created_at text NOT NULL,
    updated_at text NOT NULL
);
CREATE INDEX schedules_due ON schedules (next_at) WHERE enabled;

CREATE TABLE firings (
    schedule_id text NOT NULL REFERENCES schedules (id) ON DELETE CASCADE,
    slot text NOT NULL,
    run_id text NOT NULL,
    fired_at text NOT NULL,
    PRIMARY KEY (schedule_id, slot)
);

CREATE TABLE idempotency (
    principal text NOT NULL,
    key text NOT NULL,
    fingerprint blob NOT NULL,
    response text NOT NULL,
    created_at text NOT NULL,
    PRIMARY KEY (principal, key)
);
CREATE INDEX idempotency_oldest ON idempotency (created_at);
