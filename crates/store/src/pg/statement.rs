//! Statements with a text that never changes, so that each is prepared once for a connection, however many rows it is about:
//! columns go in as arrays, and `unnest` makes rows of them. (What diesel builds for many rows has a text, and a plan, for each
//! number of rows.)

use std::marker::PhantomData;

use diesel::{
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    result::QueryResult,
    serialize::ToSql,
    sql_types::HasSqlType,
};

/// A text with a `?` for each of its values, that gives rows of type `Row`.
pub(crate) struct Statement<'a, Row = ()> {
    text: &'static str,
    binds: Vec<Box<dyn Bind + 'a>>,
    row: PhantomData<Row>,
}

/// A value with its SQL type.
trait Bind: Send + Sync {
    fn push<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()>;
}

struct Typed<T, V> {
    value: V,
    sql_type: PhantomData<T>,
}

impl<T, V> Bind for Typed<T, V>
where
    V: ToSql<T, Pg> + Send + Sync,
    T: Send + Sync,
    Pg: HasSqlType<T>,
{
    fn push<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param::<T, V>(&self.value)
    }
}

impl<'a, Row> Statement<'a, Row> {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self { text, binds: Vec::new(), row: PhantomData }
    }

    /// Fills in the next `?`.
    pub(crate) fn bind<T, V>(mut self, value: V) -> Self
    where
        V: ToSql<T, Pg> + Send + Sync + 'a,
        T: Send + Sync + 'a,
        Pg: HasSqlType<T>,
    {
        self.binds.push(Box::new(Typed { value, sql_type: PhantomData::<T> }));
        self
    }
}

impl<Row> QueryFragment<Pg> for Statement<'_, Row> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let mut binds = self.binds.iter();
        for (index, part) in self.text.split('?').enumerate() {
            if index > 0 {
                let bind = binds.next().expect("a statement is given a value for each `?`");
                bind.push(&mut out)?;
            }
            out.push_sql(part);
        }
        debug_assert!(binds.next().is_none(), "more values than `?`: {}", self.text);
        Ok(())
    }
}

impl<Row> QueryId for Statement<'_, Row> {
    type QueryId = ();
    // They are told apart by their texts.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Row> Query for Statement<'_, Row> {
    type SqlType = Row;
}

/// Rows of a table that are inserted together; made by `new_rows!`.
pub(crate) trait NewRows: Sized {
    /// `INSERT INTO table (columns) SELECT * FROM unnest(arrays)`.
    const INSERT: &'static str;

    /// Fills in the arrays, column by column.
    fn bind<'a, Row>(rows: &'a [Self], statement: Statement<'a, Row>) -> Statement<'a, Row>;
}

/// Inserts all of these.
pub(crate) fn insert<T: NewRows>(rows: &[T]) -> Statement<'_> {
    T::bind(rows, Statement::new(T::INSERT))
}

/// Inserts those of these whose key is not there, and gives back a column of those that went in, in their order.
pub(crate) fn insert_new<'a, T: NewRows, C>(rows: &'a [T], returning: C) -> InsertNew<'a, C> {
    InsertNew { insert: insert(rows), returning }
}

/// See [`insert_new()`].
pub(crate) struct InsertNew<'a, C> {
    insert: Statement<'a>,
    returning: C,
}

impl<C: QueryFragment<Pg>> QueryFragment<Pg> for InsertNew<'_, C> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.insert.walk_ast(out.reborrow())?;
        out.push_sql(" ON CONFLICT DO NOTHING RETURNING ");
        self.returning.walk_ast(out)
    }
}

impl<C> QueryId for InsertNew<'_, C> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C: diesel::Expression> Query for InsertNew<'_, C> {
    type SqlType = C::SqlType;
}
