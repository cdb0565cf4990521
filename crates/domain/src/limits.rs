//! Every bound that is not a setting, with its reason.

/// Tasks of one `POST /tasks/batch`: one transaction that stays well under a second.
pub const BATCH_TASKS: usize = 1_000;
/// Rows of one page, at most.
pub const PAGE_ROWS: u32 = 200;
/// Rows of one page where none are asked for.
pub const PAGE_ROWS_DEFAULT: u32 = 50;
/// Characters of a description or goal: what fits a model's context beside the rest.
pub const DESCRIPTION_CHARS: usize = 65_536;
/// Bytes of a task's or run's payload and of its metadata, as JSON.
pub const PAYLOAD_BYTES: usize = 262_144;
/// Depth of nested JSON in a request; deeper is an attack or a mistake.
pub const JSON_DEPTH: usize = 32;
/// Dependencies of one task.
pub const DEPENDENCIES: usize = 256;
/// Characters of text that a trigger takes from an issue or comment.
pub const TRIGGER_CHARS: usize = 32_768;
/// Implement and review rounds of one run before a person is asked.
pub const MAX_ROUNDS: i32 = 3;
/// Bytes of one transcript entry; the rest is cut and said to be.
pub const TURN_BYTES: usize = 262_144;
/// Characters of an error message that is stored.
pub const FAILURE_CHARS: usize = 2_000;
/// Runs that one schedule may start at once to catch up.
pub const CATCH_UP_RUNS: usize = 100;
