//! What the shared queries use and Postgres has in its own way.

use chrono::{DateTime, Utc};
use diesel::{NullableExpressionMethods, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{Result, error::During};

pub(crate) type Conn = AsyncPgConnection;

/// SQL types under one name for both databases.
pub(crate) mod columns {
    pub(crate) use diesel::sql_types::{
        Binary as Bytes, Json as Js, Timestamptz as Ts, Uuid as Id,
    };
}

diesel::define_sql_function! {
    /// The time at this moment, not at the transaction's begin.
    fn clock_timestamp() -> sql_types::Timestamptz;
}

/// The database's time, as a column of a statement that is about something else.
pub(crate) fn clock() -> diesel::dsl::Nullable<clock_timestamp> {
    clock_timestamp().nullable()
}

/// The database's time.
pub(crate) async fn now(conn: &mut Conn) -> Result<DateTime<Utc>> {
    diesel::select(clock_timestamp()).get_result(conn).await.during("read the clock")
}
