//! What is said, and where: figures on standard output, progress on standard error.

use std::io::Write;

use serde_json::Value;

use crate::{figures::flat, statements};

/// A table of every number of a measure; then its statements, where they were counted.
///
/// # Errors
/// If standard output cannot be written.
pub(crate) fn print(name: &str, value: &Value) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    let mut counted = Vec::new();
    flat(name, value, &mut lines, &mut counted);
    let mut out = std::io::stdout().lock();
    for (path, text) in lines {
        writeln!(out, "{path:<66} {text:>14}")?;
    }
    for (path, of) in counted {
        writeln!(out, "\n{path}\n{}", statements::table(&of))?;
    }
    writeln!(out)?;
    Ok(())
}

/// Progress, for whoever waits.
pub(crate) fn say(what: &str) {
    eprintln!("bench: {what}");
}
