//! Settings that are wrong, all of them at once.

use std::fmt;

/// Characters of a wrong value that are shown.
const VALUE_CHARS: usize = 80;

/// One setting that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError {
    /// The environment variable.
    pub name: &'static str,
    /// What it holds; none if that is or may hold a secret.
    pub value: Option<String>,
    /// What it may hold, as it fits after "use".
    pub allowed: String,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value, allowed } = self;
        match value {
            Some(value) if value.chars().count() > VALUE_CHARS => {
                let start: String = value.chars().take(VALUE_CHARS).collect();
                write!(f, "{name} is {start:?}…: use {allowed}")
            }
            Some(value) => write!(f, "{name} is {value:?}: use {allowed}"),
            None => write!(f, "{name} is wrong (its value is not shown): use {allowed}"),
        }
    }
}

/// Every setting that is wrong; never none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingErrors(pub Vec<SettingError>);

impl fmt::Display for SettingErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("a setting is wrong:")?,
            count => write!(f, "{count} settings are wrong:")?,
        }
        self.0.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}

impl std::error::Error for SettingErrors {}
