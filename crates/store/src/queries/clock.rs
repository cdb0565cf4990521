//! The database's clock, for callers.

use chrono::{DateTime, Utc};

use super::dialect::{self, Conn};
use crate::Result;

pub(crate) async fn read(conn: &mut Conn) -> Result<DateTime<Utc>> {
    dialect::now(conn).await
}
