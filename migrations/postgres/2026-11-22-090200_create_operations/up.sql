CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    hash bytea NOT NULL CONSTRAINT api_keys_hash UNIQUE,
    scopes text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);
COMMENT ON TABLE api_keys IS 'API keys';
COMMENT ON COLUMN api_keys.hash IS 'SHA-256 of the secret, which has 256 random bits and is stored nowhere';
COMMENT ON COLUMN api_keys.scopes IS 'Names of scopes, separated by spaces';
