//! Postgres and SQLite behind one set of functions. The only crate that knows SQL.
//!
//! [`Store`] is what callers hold. Its operations are declared beside the types that they take and give ([`tasks`],
//! [`runs`], …) and are each one transaction or one read. What they do is written once, in `queries/`, and compiled for
//! both dialects; only what the databases do differently is in `pg/` and `lite/`.
//!
//! Rules that hold in every query:
//! - Locks are taken in one order: runs by id, then tasks. So transactions never wait for each other in a circle.
//! - A task changes its status only in an `UPDATE` that repeats, as its guard, what the caller believes.
//! - Time is the database's: `dialect::now`, read once in a transaction.
//! - A transaction runs to its end in a task of its own: dropping the caller's future cannot leave it half-way.

mod args;
mod error;
mod key;
mod literal;
#[doc(hidden)]
pub mod merge_patch;
mod operations;
mod paging;
mod store;

pub mod batch;
pub mod deliveries;
pub mod history;
pub mod keys;
pub mod runs;
pub mod schedules;
pub mod tasks;
pub mod upkeep;

#[expect(
    clippy::duplicate_mod,
    reason = "the queries are written once and compiled for each dialect"
)]
mod lite;
mod pg;

pub use args::{DatabaseArgs, StoreKind};
pub use error::{Error, Result};
pub use paging::{Page, PageRequest, Position};
pub use store::{PoolState, Store};
