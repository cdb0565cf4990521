//! Statements that the two databases phrase differently, as macros, since their types differ too.

/// Rows of a table that are inserted, each column with its SQL type.
macro_rules! new_rows {
    (
        $(#[$doc:meta])*
        struct $name:ident $(<$life:lifetime>)? in $table:ident {
            $($column:ident: $rust:ty as $sql:ty,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(diesel::Insertable, diesel::Selectable)]
        #[diesel(table_name = $table)]
        pub(crate) struct $name $(<$life>)? {
            $(pub(crate) $column: $rust,)*
        }

        // The types are said for the other database; diesel finds them by the columns.
        const _: std::marker::PhantomData<($($sql,)*)> = std::marker::PhantomData;
    };
}

/// Inserts many rows; one statement each, in a transaction that is in this process.
macro_rules! insert_all {
    ($conn:expr, $table:path, $rows:expr, $action:literal) => {{
        for row in &$rows {
            diesel::insert_into($table).values(row).execute($conn).await.during($action)?;
        }
    }};
}

/// Inserts many rows, leaves out those whose key is there, and gives back the keys that went in.
macro_rules! insert_new {
    ($conn:expr, $table:path, $rows:expr, $key:expr => $key_type:ty, $action:literal) => {{
        let mut inserted: Vec<$key_type> = Vec::new();
        for row in &$rows {
            let key: Option<$key_type> = diesel::insert_into($table)
                .values(row)
                .on_conflict_do_nothing()
                .returning($key)
                .get_result($conn)
                .await
                .optional()
                .during($action)?;
            inserted.extend(key);
        }
        inserted
    }};
}

/// A writing transaction has the whole database: there is nothing to lock.
macro_rules! locked {
    ($query:expr) => {
        $query
    };
}

/// A writing transaction has the whole database: every row is free.
macro_rules! locked_if_free {
    ($query:expr) => {
        $query
    };
}

/// Whether text is part of a column, in any case of ASCII letters.
macro_rules! contains {
    ($column:expr, $text:expr) => {
        $column.like(crate::lite::bulk::pattern($text)).escape('\\')
    };
}
