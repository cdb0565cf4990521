//! Declares the store's operations: one method for each, that runs the same query on whichever database there is.

/// Each line is `mode name(arguments) -> answer = module::function;` where the function is in `queries/` and the mode is
/// - `read`: one connection, no transaction;
/// - `write`: one transaction, in a task of its own;
/// - `batch`: as `write`; the function gets a `Vec` and is called for each item alone where the batch as a whole cannot be.
///
/// What commits has two fault points by that: `store.<name>.before_commit` and `store.<name>.after_commit`.
macro_rules! operations {
    ($(
        $(#[$doc:meta])*
        $mode:ident $name:ident ($($arg:ident : $ty:ty),* $(,)?) -> $ret:ty = $module:ident :: $function:ident;
    )*) => {
        impl $crate::Store {$(
            $(#[$doc])*
            pub async fn $name(&self $(, $arg: $ty)*) -> $crate::Result<$ret> {
                $crate::operations::run!(self, $mode, $name, $module::$function($($arg),*))
            }
        )*}
    };
}

macro_rules! run {
    ($store:expr, batch, $name:ident, $module:ident :: $function:ident ($arg:ident)) => {{
        let whole = $arg.clone();
        match $crate::operations::run!($store, write, $name, $module::$function(whole)) {
            Err(error) if !error.is_transient() && $arg.len() > 1 => {
                let mut answers = Vec::with_capacity($arg.len());
                for item in $arg {
                    let one = vec![item];
                    let answer = $crate::operations::run!($store, write, $name, $module::$function(one));
                    answers.extend($crate::runs::alone(answer)?);
                }
                Ok(answers)
            }
            answer => $crate::runs::alone(answer),
        }
    }};
    ($store:expr, write, $name:ident, $module:ident :: $function:ident ($($arg:expr),*)) => {
        match $store.backend() {
            $crate::store::Backend::Postgres(pool) => {
                let pool = pool.clone();
                $store.detached(async move {
                    let mut conn = $crate::pg::checkout(&pool).await?;
                    diesel_async::AsyncConnection::transaction(&mut *conn, async move |conn| {
                        let answer = $crate::pg::$module::$function(conn $(, $arg)*).await;
                        answer.inspect(|_| $crate::operations::point!($name, "before_commit"))
                    })
                    .await
                    .inspect(|_| $crate::operations::point!($name, "after_commit"))
                }).await
            }
            $crate::store::Backend::Sqlite(pools) => {
                let pool = pools.writer.clone();
                $store.detached(async move {
                    let mut conn = $crate::lite::checkout(&pool).await?;
                    conn.immediate_transaction(async move |conn| {
                        let answer = $crate::lite::$module::$function(conn $(, $arg)*).await;
                        answer.inspect(|_| $crate::operations::point!($name, "before_commit"))
                    })
                    .await
                    .inspect(|_| $crate::operations::point!($name, "after_commit"))
                }).await
            }
        }
    };
    ($store:expr, read, $name:ident, $module:ident :: $function:ident ($($arg:expr),*)) => {
        match $store.backend() {
            $crate::store::Backend::Postgres(pool) => {
                let pool = pool.clone();
                $store.detached(async move {
                    let mut conn = $crate::pg::checkout(&pool).await?;
                    $crate::pg::$module::$function(&mut conn $(, $arg)*).await
                }).await
            }
            $crate::store::Backend::Sqlite(pools) => {
                let pool = pools.reader.clone();
                $store.detached(async move {
                    let mut conn = $crate::lite::checkout(&pool).await?;
                    $crate::lite::$module::$function(&mut conn $(, $arg)*).await
                }).await
            }
        }
    };
}

/// A fault point of an operation, on either side of its commit.
macro_rules! point {
    ($name:ident, $side:literal) => {
        faults::point!(concat!("store.", stringify!($name), ".", $side))
    };
}

pub(crate) use {operations, point, run};
