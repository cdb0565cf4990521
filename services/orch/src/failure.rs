//! How a command ends.

use std::{fmt, process::ExitCode};

/// What the program tells its caller. The numbers are documented and stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It is done; a run that was followed completed.
    Completed,
    /// It failed: the run, the server or the command.
    Failed,
    /// The command line or a setting is wrong, the API key included.
    Settings,
    /// The run that was followed was cancelled.
    Cancelled,
    /// No server answers.
    Unreachable,
    /// Ctrl-C, while a run was followed.
    Interrupted,
}

impl Exit {
    pub const fn code(self) -> u8 {
        match self {
            Self::Completed => 0,
            Self::Failed => 1,
            Self::Settings => 2,
            Self::Cancelled => 3,
            Self::Unreachable => 4,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// How a command ended, or why it could not do what it was to do.
pub(crate) type Outcome = Result<Exit, Failure>;

/// A sentence for a person, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// Empty where nothing is to be said.
    message: String,
    advice: Option<String>,
    is_passing: bool,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), advice: None, is_passing: false }
    }

    /// The command line is wrong in a way that clap does not see.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Settings, message)
    }

    /// Every setting that is wrong, in one message.
    pub(crate) fn wrong_settings(sentences: &[String]) -> Self {
        let count = match sentences.len() {
            1 => "a setting is wrong".to_owned(),
            count => format!("{count} settings are wrong"),
        };
        Self::usage(format!("{count}:\n  {}", sentences.join("\n  ")))
            .advising("`orch doctor` checks settings and everything that they need.")
    }

    /// Nobody reads standard output any more: no reason to go on, and none to complain.
    pub(crate) fn nobody_listens() -> Self {
        Self::new(Exit::Completed, "")
    }

    /// What to do about it.
    pub(crate) fn advising(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// The same request may succeed soon.
    pub(crate) fn passing(mut self) -> Self {
        self.is_passing = true;
        self
    }

    pub(crate) const fn is_passing(&self) -> bool {
        self.is_passing
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.message.is_empty()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.advice {
            Some(advice) => write!(f, "\n  {advice}"),
            None => Ok(()),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let is_setting = error
            .chain()
            .any(|cause| matches!(cause.downcast_ref(), Some(store::Error::Settings(_))));
        Self::new(if is_setting { Exit::Settings } else { Exit::Failed }, format!("{error:#}"))
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        anyhow::Error::new(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_a_sentence_and_what_to_do() {
        let failure = Failure::usage("no").advising("do that");
        assert_eq!((failure.exit.code(), failure.to_string()), (2, "no\n  do that".to_owned()));
    }

    #[test]
    fn a_wrong_setting_of_the_store_is_told_from_a_store_that_fails() {
        assert_eq!(Failure::from(store::Error::Settings("x".to_owned())).exit, Exit::Settings);
        assert_eq!(Failure::from(store::Error::Busy).exit, Exit::Failed);
    }
}
