//! Pages of lists that are sorted by time, newest first.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Where a page ended: the next one begins after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    pub at: DateTime<Utc>,
    /// The id of the last row, as text.
    pub id: String,
}

/// Which page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    pub after: Option<Position>,
    /// Rows, at most.
    pub limit: u32,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Where the next page begins; none where this is the last.
    pub next: Option<Position>,
}

impl<T> Page<T> {
    /// A page of `limit` rows from a list that was read one row further, to see whether there are more.
    pub(crate) fn of(mut items: Vec<T>, limit: u32, position: impl Fn(&T) -> Position) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(position) } else { None };
        Self { items, next }
    }
}
