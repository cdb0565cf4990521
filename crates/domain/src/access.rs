//! API keys: who may do what.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{ids::ApiKeyId, named_enum};

named_enum! {
    /// What an API key allows. Each is its own right; `admin` includes all.
    pub enum Scope ("scope") {
        Read = "read",
        Write = "write",
        Approve = "approve",
        Admin = "admin",
    }
}

/// An API key as it is listed. Its secret is stored nowhere.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub name: String,
    pub scopes: Vec<Scope>,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
}

impl ApiKey {
    /// Whether it may do what needs `scope` at `now`.
    pub fn allows(&self, scope: Scope, now: DateTime<Utc>) -> bool {
        self.is_valid(now) && (self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin))
    }

    pub fn is_valid(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}
