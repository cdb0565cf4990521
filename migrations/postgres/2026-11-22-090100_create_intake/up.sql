CREATE TABLE deliveries (
    id text PRIMARY KEY,
    event text NOT NULL,
    action text,
    repository text,
    sender text,
    installation_id bigint,
    status text NOT NULL CONSTRAINT deliveries_status CHECK (status IN ('accepted', 'skipped', 'redelivering')),
    reason text,
    run_id uuid,
    payload bytea NOT NULL,
    size bigint NOT NULL,
    redeliveries integer NOT NULL DEFAULT 0,
    received_at timestamptz NOT NULL
);
ALTER TABLE deliveries ALTER COLUMN payload SET STORAGE EXTERNAL;
COMMENT ON TABLE deliveries IS 'Webhook deliveries as they were received';
COMMENT ON COLUMN deliveries.payload IS 'The raw body, compressed (LZ4 block after its size); so the database need not try again';
COMMENT ON COLUMN deliveries.run_id IS 'The newest run that it started; not a foreign key, a delivery may outlive its run';
CREATE INDEX deliveries_newest ON deliveries (received_at, id);
CREATE INDEX deliveries_redelivering ON deliveries (received_at) WHERE status = 'redelivering';

CREATE TABLE schedules (
    id uuid PRIMARY KEY,
    name text NOT NULL CONSTRAINT schedules_name UNIQUE,
    cadence json NOT NULL,
    catch_up text NOT NULL CONSTRAINT schedules_catch_up CHECK (catch_up IN ('skip', 'latest', 'all')),
    target json NOT NULL,
    repository text,
    base_ref text,
    enabled boolean NOT NULL,
    next_at timestamptz,
    last_slot timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
COMMENT ON TABLE schedules IS 'Rules that start runs over time';
CREATE INDEX schedules_due ON schedules (next_at) WHERE enabled;

CREATE TABLE firings (
    schedule_id uuid NOT NULL REFERENCES schedules ON DELETE CASCADE,
    slot timestamptz NOT NULL,
    run_id uuid NOT NULL,
    fired_at timestamptz NOT NULL,
    PRIMARY KEY (schedule_id, slot)
);
COMMENT ON TABLE firings IS 'Slots that have fired: the primary key makes each fire once, however many schedulers look';

CREATE TABLE idempotency (
    principal text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    response json NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (principal, key)
);
COMMENT ON TABLE idempotency IS 'Answers to requests with an Idempotency-Key, to be given again';
COMMENT ON COLUMN idempotency.fingerprint IS 'SHA-256 of the route and the body';
CREATE INDEX idempotency_oldest ON idempotency (created_at);
