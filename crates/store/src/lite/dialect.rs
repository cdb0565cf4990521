//! What the shared queries use and SQLite has in its own way.

use chrono::{DateTime, SubsecRound, Utc};
use diesel::{IntoSql, SqliteConnection, sql_types::Nullable};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;

use crate::Result;

pub(crate) type Conn = SyncConnectionWrapper<SqliteConnection>;

/// SQL types under one name for both databases.
pub(crate) mod columns {
    pub(crate) use diesel::sql_types::{
        Binary as Bytes, Json as Js, Text as Id, TimestamptzSqlite as Ts,
    };
}

/// No time: [`now`] costs nothing here.
pub(crate) fn clock() -> diesel::dsl::AsExprOf<Option<DateTime<Utc>>, Nullable<columns::Ts>> {
    None::<DateTime<Utc>>.into_sql()
}

/// The database's time: that of its only process, in microseconds as Postgres has it.
#[expect(clippy::unused_async, reason = "the same shape as in the other dialect")]
pub(crate) async fn now(_conn: &mut Conn) -> Result<DateTime<Utc>> {
    Ok(Utc::now().trunc_subsecs(6))
}
