//! Where our App is installed, and whether a webhook works.

use serde::{Deserialize, Deserializer};

use super::{LIST, Maybe};
use crate::{
    lenient::{self, Part},
    webhook::Account,
};

/// An installation of an App, made, changed or removed as the action says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    pub id: i64,
    /// Whose repositories it may see.
    pub account: Option<Account>,
    /// `owner/name` of what it may see now: all of a new installation, the added ones of a changed one.
    pub added: Vec<String>,
    /// `owner/name` of what it may not see any more.
    pub removed: Vec<String>,
}

impl Installation {
    pub(super) fn read(part: Part<'_>, json: &[u8]) -> Option<Self> {
        let installation: InstallationJson = lenient::read(part)?;
        let lists: Lists = serde_json::from_slice(json).ok()?;
        let added = if lists.repositories.is_empty() {
            lists.repositories_added
        } else {
            lists.repositories
        };
        Some(Self {
            id: installation.id,
            account: installation.account,
            added,
            removed: lists.repositories_removed,
        })
    }
}

#[derive(Deserialize)]
struct InstallationJson {
    id: i64,
    #[serde(default, deserialize_with = "lenient::field")]
    account: Option<Account>,
}

#[derive(Deserialize)]
struct Lists {
    #[serde(default, deserialize_with = "full_names")]
    repositories: Vec<String>,
    #[serde(default, deserialize_with = "full_names")]
    repositories_added: Vec<String>,
    #[serde(default, deserialize_with = "full_names")]
    repositories_removed: Vec<String>,
}

fn full_names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    struct FullName {
        #[serde(deserialize_with = "lenient::needed_line")]
        full_name: String,
    }
    let list: Option<Vec<Maybe<FullName>>> = lenient::field(deserializer)?;
    Ok(list
        .unwrap_or_default()
        .into_iter()
        .filter_map(|it| it.0)
        .map(|it| it.full_name)
        .take(LIST)
        .collect())
}

/// GitHub tries out a webhook that was just made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Ping {
    #[serde(default, deserialize_with = "lenient::line")]
    pub zen: Option<String>,
    #[serde(default, deserialize_with = "lenient::field")]
    pub hook_id: Option<i64>,
}
