//! Everything that reads what strangers send, tried with what nobody would write.
//!
//! A target takes bytes, has them read, and panics where a promise does not hold: not only that nothing panics, but what
//! must be true of what is accepted and of what is refused. `tests/quick.rs` tries each for some seconds with mutations of
//! the seeds in `corpus/`; `make fuzz` has libFuzzer look for new ways through the code for minutes.
//!
//! An input of several parts has one line for each but the last.

pub mod corpus;
pub mod mutation;
mod targets;

pub use targets::TARGETS;

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Also the folder of its seeds.
    pub name: &'static str,
    /// Panics where a promise does not hold.
    pub check: fn(&[u8]),
}

impl Target {
    /// The target of this name.
    pub fn named(name: &str) -> Option<Self> {
        TARGETS.iter().find(|target| target.name == name).copied()
    }
}

/// The first line of an input, and the rest of it.
fn line(input: &[u8]) -> (&[u8], &[u8]) {
    match input.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (input, b""),
    }
}
