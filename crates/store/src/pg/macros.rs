//! Statements that the two databases phrase differently, as macros, since their types differ too.

/// Rows of a table that are inserted, each column with its SQL type.
macro_rules! new_rows {
    (
        $(#[$doc:meta])*
        struct $name:ident $(<$life:lifetime>)? in $table:ident {
            $first:ident: $first_rust:ty as $first_sql:ty,
            $($column:ident: $rust:ty as $sql:ty,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(diesel::Selectable)]
        #[diesel(table_name = $table)]
        pub(crate) struct $name $(<$life>)? {
            pub(crate) $first: $first_rust,
            $(pub(crate) $column: $rust,)*
        }

        impl $(<$life>)? crate::pg::statement::NewRows for $name $(<$life>)? {
            const INSERT: &'static str = concat!(
                "INSERT INTO ", stringify!($table), " (", stringify!($first), $(", ", stringify!($column),)*
                ") SELECT * FROM unnest(?", $(crate::pg::macros::one_more!($column),)* ")"
            );

            fn bind<'rows, Row>(
                rows: &'rows [Self],
                statement: crate::pg::statement::Statement<'rows, Row>,
            ) -> crate::pg::statement::Statement<'rows, Row> {
                use diesel::sql_types::Array;
                statement
                    .bind::<Array<$first_sql>, _>(rows.iter().map(|row| &row.$first).collect::<Vec<_>>())
                    $(.bind::<Array<$sql>, _>(rows.iter().map(|row| &row.$column).collect::<Vec<_>>()))*
            }
        }
    };
}

/// Another place for a value.
macro_rules! one_more {
    ($column:ident) => {
        ", ?"
    };
}
pub(crate) use one_more;

/// Inserts many rows in one statement.
macro_rules! insert_all {
    ($conn:expr, $table:path, $rows:expr, $action:literal) => {{
        let rows = $rows;
        if !rows.is_empty() {
            crate::pg::statement::insert(&rows).execute($conn).await.during($action)?;
        }
    }};
}

/// Inserts many rows in one statement, leaves out those whose key is there, and gives back the keys that went in.
macro_rules! insert_new {
    ($conn:expr, $table:path, $rows:expr, $key:expr => $key_type:ty, $action:literal) => {{
        let rows = $rows;
        let inserted: Vec<$key_type> = if rows.is_empty() {
            Vec::new()
        } else {
            crate::pg::statement::insert_new(&rows, $key)
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
