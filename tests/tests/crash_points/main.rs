//! A crash at every fault point, once, and nothing is lost, doubled or stranded.
//!
//! Needs the programs with their fault points: `make crash`, or `scripts/build-faulty.sh` and
//! `cargo nextest run --workspace --features e2e/faulty -E 'binary(crash_points)'`.
//!
//! ```text
//!  plan ──▶ rounds: for each program the next points of docs/fault-points.md
//!  round:   late (what somebody should have done already) ──▶ orders ──▶ workload
//!           keeper: what dies is started again             ──▶ settled? ──▶ checker
//! ```
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod plan;

mod agents;
mod caller;
mod checker;
mod keeper;
mod late;
mod workload;

mod campaign;
mod command_line;
mod embedded;
mod guards;
