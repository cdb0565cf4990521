//! API keys, by the hash of their secret.

use chrono::{DateTime, Utc};
use domain::{
    access::{ApiKey, Scope},
    ids::ApiKeyId,
};

use crate::operations::operations;

/// A key to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewApiKey {
    pub name: String,
    pub scopes: Vec<Scope>,
    pub expires_at: Option<DateTime<Utc>>,
    /// SHA-256 of the secret.
    pub hash: Vec<u8>,
}

operations! {
    write create_api_key(key: NewApiKey) -> ApiKey = keys::create;

    read find_api_key(hash: Vec<u8>) -> Option<ApiKey> = keys::find;

    read list_api_keys() -> Vec<ApiKey> = keys::list;

    /// Ends a key. None where there is none; a key that has ended stays so.
    write revoke_api_key(id: ApiKeyId) -> Option<ApiKey> = keys::revoke;

    /// Notes that keys were used, in one statement for many.
    write touch_api_keys(ids: Vec<ApiKeyId>) -> () = keys::touch;
}
