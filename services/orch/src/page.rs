//! Lists that come in pages.

use clap::{Args, value_parser};
use serde_json::Value;

use crate::{
    failure::{Exit, Outcome},
    output::Output,
};

/// Which part of a list.
#[derive(Clone, Debug, Args)]
pub(crate) struct PageArgs {
    /// How many, the newest first [default: 50].
    #[arg(long, value_parser = value_parser!(u16).range(1..=200))]
    pub(crate) limit: Option<u16>,
    /// Where to go on: what the page before ended with.
    #[arg(long)]
    pub(crate) cursor: Option<String>,
}

impl PageArgs {
    pub(crate) fn limit(&self) -> Option<String> {
        self.limit.map(|it| it.to_string())
    }
}

/// Shows a page, and how to see the next.
pub(crate) fn show(output: &Output, page: &Value, text: impl FnOnce() -> String) -> Outcome {
    output.result(page, text)?;
    if let Some(cursor) = page.get("nextCursor").and_then(Value::as_str) {
        output.note_for_people(format_args!(
            "There is more: --cursor {}",
            crate::view::plain(cursor)
        ));
    }
    Ok(Exit::Completed)
}
