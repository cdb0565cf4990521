//! `/dlq`: tasks that failed for good.

mod list;
mod purge;
mod replay;
mod size;

pub(crate) use self::{list::*, purge::*, replay::*, size::*};

/// Dead letters that one request replays or dismisses, at most.
const LETTERS: u32 = 1_000;
/// As many where the request does not say.
const LETTERS_DEFAULT: u32 = 100;
