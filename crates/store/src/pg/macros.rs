//! Statements that the two databases phrase differently, as macros, since their types differ too.

/// Rows of one `INSERT`: a statement has at most 65,535 binds, and no table has 32 columns.
pub(crate) const ROWS: usize = 2_000;

/// Inserts many rows, in as few statements as their binds allow.
macro_rules! insert_all {
    ($conn:expr, $table:path, $rows:expr, $action:literal) => {{
        for rows in $rows.chunks(crate::pg::macros::ROWS) {
            diesel::insert_into($table).values(rows).execute($conn).await.during($action)?;
        }
    }};
}

/// Inserts many rows, leaves out those whose key is there, and gives back the keys that went in.
macro_rules! insert_new {
    ($conn:expr, $table:path, $rows:expr, $key:expr => $key_type:ty, $action:literal) => {{
        let mut inserted: Vec<$key_type> = Vec::new();
        for rows in $rows.chunks(crate::pg::macros::ROWS) {
            let keys: Vec<$key_type> = diesel::insert_into($table)
                .values(rows)
                .on_conflict_do_nothing()
                .returning($key)
                .get_results($conn)
                .await
                .during($action)?;
            inserted.extend(keys);
        }
        inserted
    }};
}

/// Locks the rows of a query until the transaction ends.
macro_rules! locked {
    ($query:expr) => {
        $query.for_no_key_update()
    };
}

/// Locks the rows of a query that nobody else has locked; the others are left out.
macro_rules! locked_if_free {
    ($query:expr) => {
        $query.for_no_key_update().skip_locked()
    };
}

/// Whether text is part of a column, in any case.
macro_rules! contains {
    ($column:expr, $text:expr) => {
        $column.ilike(crate::pg::bulk::pattern($text))
    };
}
