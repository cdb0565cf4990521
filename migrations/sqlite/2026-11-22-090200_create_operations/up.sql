CREATE TABLE api_keys (
    id text PRIMARY KEY,
    name text NOT NULL,
    hash blob NOT NULL CONSTRAINT api_keys_hash UNIQUE,
    scopes text NOT NULL,
    created_at text NOT NULL,
    expires_at text,
    revoked_at text,
    last_used_at text
);
