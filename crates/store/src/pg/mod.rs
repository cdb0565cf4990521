//! Postgres: the truth of every deployment of several processes.

#[macro_use]
mod macros;

mod bulk;
mod connect;
pub(crate) mod dialect;
pub(crate) mod migrations;
pub(crate) mod statement;

pub(crate) use connect::{Pool, checkout, pool};

// The queries, compiled for this dialect.
#[path = "../queries/claim.rs"]
pub(crate) mod claim;
#[path = "../queries/clock.rs"]
pub(crate) mod clock;
#[path = "../queries/create.rs"]
pub(crate) mod create;
#[path = "../queries/create_rows.rs"]
pub(crate) mod create_rows;
#[path = "../queries/dead_letters.rs"]
pub(crate) mod dead_letters;
#[path = "../queries/deliveries.rs"]
pub(crate) mod deliveries;
#[path = "../queries/guards.rs"]
pub(crate) mod guards;
#[path = "../queries/history.rs"]
pub(crate) mod history;
#[path = "../queries/keys.rs"]
pub(crate) mod keys;
#[path = "../queries/lookup.rs"]
pub(crate) mod lookup;
#[path = "../queries/outbox.rs"]
pub(crate) mod outbox;
#[path = "../queries/rows.rs"]
pub(crate) mod rows;
#[path = "../queries/run_status.rs"]
pub(crate) mod run_status;
#[path = "../queries/runs.rs"]
pub(crate) mod runs;
#[path = "../queries/schedules.rs"]
pub(crate) mod schedules;
#[path = "../queries/schema.rs"]
pub(crate) mod schema;
#[path = "../queries/settle.rs"]
pub(crate) mod settle;
#[path = "../queries/tasks.rs"]
pub(crate) mod tasks;
#[path = "../queries/transcripts.rs"]
pub(crate) mod transcripts;
#[path = "../queries/transitions.rs"]
pub(crate) mod transitions;
#[path = "../queries/upkeep.rs"]
pub(crate) mod upkeep;
