//! How every program of ours starts and learns that it should end: its settings, and the signals.

pub mod settings;
mod signals;

pub use crate::signals::until_told_to_stop;
