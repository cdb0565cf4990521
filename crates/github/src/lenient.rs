//! Reading parts of JSON that somebody else may change: a part that is not as we know it is absent, not an error.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::value::RawValue;

/// Characters kept of a body: an issue's, a comment's, a commit message.
pub(crate) const TEXT_CHARS: usize = 32_768;
/// Characters kept of anything shorter: titles, names, references, URLs.
pub(crate) const LINE_CHARS: usize = 1_024;

/// A part of a payload, still as text: whether it is as we know it shows when it is read.
pub(crate) type Part<'a> = Option<&'a RawValue>;

/// The part as a `T`; `None` if it is absent, null, or not a `T`.
pub(crate) fn read<T: DeserializeOwned>(part: Part<'_>) -> Option<T> {
    serde_json::from_str(part?.get()).ok()
}

/// For `deserialize_with`: a field that is `None` if it is not of its type.
pub(crate) fn field<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(read(Some(raw)))
}

/// As [`field`], for text: cut after [`LINE_CHARS`].
pub(crate) fn line<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    text_of(deserializer, LINE_CHARS)
}

/// As [`field`], for long text: cut after [`TEXT_CHARS`].
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    text_of(deserializer, TEXT_CHARS)
}

/// As [`line()`], for a field without which its part means nothing.
pub(crate) fn needed_line<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let whole = Cow::<'de, str>::deserialize(deserializer)?;
    Ok(bounded(&whole, LINE_CHARS).to_owned())
}

fn text_of<'de, D: Deserializer<'de>>(
    deserializer: D,
    chars: usize,
) -> Result<Option<String>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    let whole: Option<Cow<'_, str>> = serde_json::from_str(raw.get()).ok();
    Ok(whole.map(|whole| bounded(&whole, chars).to_owned()))
}

/// The first `chars` characters.
pub(crate) fn bounded(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters() {
        let check = |text: &str, chars, expected: &str| assert_eq!(bounded(text, chars), expected);
        check("", 2, "");
        check("ab", 2, "ab");
        check("äöü", 2, "äö");
    }
}
