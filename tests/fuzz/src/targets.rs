//! The closed list of targets.

mod body;
mod cursor;
mod envelope;
mod headers;
mod json;
mod merge_patch;
mod message;
mod query;
mod schedule;
mod signature;

use crate::Target;

macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        /// Every target.
        pub const TARGETS: &[Target] = &[$(Target { name: stringify!($name), check: $name::check }),*];
    };
}

targets!(signature, headers, envelope, body, cursor, query, json, merge_patch, schedule, message);
