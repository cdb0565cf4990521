//! Reads settings one by one and remembers all that are wrong, instead of stopping at the first.

use std::{fmt::Display, ops::RangeInclusive, str::FromStr};

use super::{SettingError, SettingErrors};

/// Collects what is wrong while settings are read. A wrong setting reads as its default; [`Reader::end`] then tells.
#[derive(Debug, Default)]
pub struct Reader {
    errors: Vec<SettingError>,
}

impl Reader {
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that a setting is wrong.
    pub fn wrong(
        &mut self,
        name: &'static str,
        value: impl Into<Option<String>>,
        allowed: impl Into<String>,
    ) {
        self.errors.push(SettingError { name, value: value.into(), allowed: allowed.into() });
    }

    /// Reads a setting with `parse`; none if it is unset, blank or wrong.
    pub fn read<T>(
        &mut self,
        name: &'static str,
        raw: Option<String>,
        allowed: impl Into<String>,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let raw = set(raw)?;
        let parsed = parse(&raw);
        if parsed.is_none() {
            self.wrong(name, raw, allowed);
        }
        parsed
    }

    /// Reads one of several names.
    pub fn choice<T: Copy>(
        &mut self,
        name: &'static str,
        raw: Option<String>,
        choices: &[(&str, T)],
        default: T,
    ) -> T {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        let find =
            |raw: &str| choices.iter().find(|(name, _)| *name == raw).map(|(_, value)| *value);
        self.read(name, raw, one_of(&names), find).unwrap_or(default)
    }

    /// Reads a number within a range.
    pub fn number<T: FromStr + PartialOrd + Display>(
        &mut self,
        name: &'static str,
        raw: Option<String>,
        range: RangeInclusive<T>,
    ) -> Option<T> {
        let allowed = format!("a number from {} to {}", range.start(), range.end());
        self.read(name, raw, allowed, |raw| raw.parse().ok().filter(|it| range.contains(it)))
    }

    /// Reads a switch.
    pub fn flag(&mut self, name: &'static str, raw: Option<String>, default: bool) -> bool {
        let choices = [("true", true), ("false", false), ("1", true), ("0", false)];
        let lower = raw.map(|it| it.trim().to_ascii_lowercase());
        let read = |raw: &str| choices.iter().find(|it| it.0 == raw).map(|it| it.1);
        self.read(name, lower, "true or false", read).unwrap_or(default)
    }

    /// Reads a list with commas; none if it is unset or if an item of it is wrong.
    pub fn list<T>(
        &mut self,
        name: &'static str,
        raw: Option<String>,
        allowed: impl Into<String>,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.read(name, raw, allowed, |raw| {
            raw.split(',').map(str::trim).filter(|it| !it.is_empty()).map(parse).collect()
        })
    }

    /// All is well, or everything that is wrong.
    pub fn end(self) -> Result<(), SettingErrors> {
        if self.errors.is_empty() { Ok(()) } else { Err(SettingErrors(self.errors)) }
    }
}

/// The value of a setting; one that is empty or blank is unset.
pub(super) fn set(raw: Option<String>) -> Option<String> {
    raw.map(|it| it.trim().to_owned()).filter(|it| !it.is_empty())
}

/// `a, b or c`.
fn one_of(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
