//! Statements that the two databases phrase differently, as macros, since their types differ too.

/// Inserts many rows in one statement; none for no rows.
macro_rules! insert_all {
    ($conn:expr, $table:path, $rows:expr, $action:literal) => {{
        let rows = $rows;
        if !rows.is_empty() {
            diesel::insert_into($table).values(&rows).execute($conn).await.during($action)?;
        }
    }};
}

/// Inserts many rows, leaves out those whose key is there, and gives back the keys that went in.
macro_rules! insert_new {
    ($conn:expr, $table:path, $rows:expr, $key:expr => $key_type:ty, $action:literal) => {{
        let rows = $rows;
        let inserted: Vec<$key_type> = if rows.is_empty() {
            Vec::new()
        } else {
            diesel::insert_into($table)
                .values(&rows)
                .on_conflict_do_nothing()
                .returning($key)
                .get_results($conn)
                .await
                .during($action)?
        };
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

/// Whether no older transaction can still add an event before this one.
macro_rules! settled_event {
    () => {
        diesel::dsl::sql::<diesel::sql_types::Bool>(
            "events.xid < pg_snapshot_xmin(pg_current_snapshot())",
        )
    };
}
