//! What is said, and where: results on standard output, everything else on standard error.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
};

use serde_json::Value;

use crate::failure::{Exit, Failure};

/// Colours of words that say how something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Doubtful,
    Bad,
}

impl Tone {
    /// The number of the colour in an ANSI escape sequence (ECMA-48).
    const fn ansi(self) -> u8 {
        match self {
            Self::Good => 32,
            Self::Doubtful => 33,
            Self::Bad => 31,
        }
    }
}

/// The two streams.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
    /// Whether results are coloured.
    colours: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        // https://no-color.org: any value that is not empty.
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
        Self { json, colours: !json && !unwanted && io::stdout().is_terminal() }
    }

    /// Whether machines read standard output.
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a result: the value itself for machines, `text` for people.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn result(
        &self,
        value: &Value,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        if self.json { self.line(value) } else { self.line(text().trim_end()) }
    }

    /// Prints a line, or several, on standard output.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn line(&self, text: impl Display) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match writeln!(out, "{text}").and_then(|()| out.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                Err(Failure::nobody_listens())
            }
            Err(error) => Err(Failure::new(
                Exit::Failed,
                format!("standard output cannot be written: {error}"),
            )),
        }
    }

    /// Says something beside the result.
    pub(crate) fn note(&self, text: impl Display) {
        // Nowhere is left to tell that standard error is gone.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// As [`Self::note`], unless a machine reads the result.
    pub(crate) fn note_for_people(&self, text: impl Display) {
        if !self.json {
            self.note(text);
        }
    }

    pub(crate) fn failure(&self, failure: &Failure) {
        if !failure.is_silent() {
            self.note(format_args!("error: {failure}"));
        }
    }

    /// The text in the colour of its tone, where colours are wanted.
    pub(crate) fn toned(&self, tone: Tone, text: &str) -> String {
        if self.colours { format!("\x1b[{}m{text}\x1b[0m", tone.ansi()) } else { text.to_owned() }
    }
}
