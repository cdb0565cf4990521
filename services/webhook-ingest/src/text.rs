//! Text from outside, made fit to be stored: Postgres refuses NUL in text, and everything has a bound.

use domain::limits::TRIGGER_CHARS;

/// Characters of what stands in one line: titles, names, references.
const LINE_CHARS: usize = 1_024;

/// A body or message.
pub(crate) fn bounded(text: &str) -> String {
    text.chars().filter(|it| *it != '\0').take(TRIGGER_CHARS).collect()
}

/// A title, name or reference.
pub(crate) fn line(text: &str) -> String {
    text.chars().filter(|it| !it.is_control()).take(LINE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_stored_is_taken_out() {
        assert_eq!(bounded("a\0b\nc"), "ab\nc");
        assert_eq!(line("a\0b\nc\u{1b}[1m"), "abc[1m");
        assert_eq!(bounded(&"ä".repeat(TRIGGER_CHARS + 1)).chars().count(), TRIGGER_CHARS);
        assert_eq!(line(&"ä".repeat(LINE_CHARS + 1)).chars().count(), LINE_CHARS);
    }
}
