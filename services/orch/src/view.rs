//! How answers look to people.

use chrono::{DateTime, Utc};
use comfy_table::{Table, presets::NOTHING};
use serde_json::Value;

/// Characters of a text in a column.
const COLUMN_CHARS: usize = 60;

/// The text without characters that a terminal would obey: much of it comes from strangers.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|it| if it.is_control() && it != '\n' && it != '\t' { '\u{fffd}' } else { it })
        .collect()
}

/// What a JSON pointer (RFC 6901) leads to, as text; `-` where there is nothing.
pub(crate) fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => plain(text),
        Some(Value::Array(items)) if items.is_empty() => "-".to_owned(),
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
            plain(&items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "))
        }
        Some(other) => plain(&other.to_string()),
    }
}

/// A text, or none where there is nothing.
pub(crate) fn some_text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(Value::as_str).map(plain)
}

/// The beginning of a text, in one line.
pub(crate) fn short(value: &Value, pointer: &str) -> String {
    shorten(&text(value, pointer), COLUMN_CHARS)
}

/// At most `most` characters, in one line.
pub(crate) fn shorten(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most {
        return line;
    }
    let kept: String = line.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// How long ago a time was, or how long it is until then.
pub(crate) fn ago(value: &Value, pointer: &str, now: DateTime<Utc>) -> String {
    let Some(at) = time(value, pointer) else { return "-".to_owned() };
    let seconds = (now - at).num_seconds();
    if seconds >= 0 { format!("{} ago", span(seconds)) } else { format!("in {}", span(-seconds)) }
}

/// A time in an answer.
pub(crate) fn time(value: &Value, pointer: &str) -> Option<DateTime<Utc>> {
    value.pointer(pointer)?.as_str()?.parse().ok()
}

fn span(seconds: i64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// The items of a list.
pub(crate) fn items(answer: &Value) -> &[Value] {
    answer.get("items").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A table, or what is said where it would be empty.
pub(crate) fn table(headers: &[&str], rows: Vec<Vec<String>>, empty: &str) -> String {
    if rows.is_empty() {
        return empty.to_owned();
    }
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(headers.iter().map(|it| it.to_uppercase()));
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// Names with what they stand for, one below the other; those without a value are left out.
pub(crate) fn fields(fields: &[(&str, String)]) -> String {
    let given: Vec<_> =
        fields.iter().filter(|(_, value)| !value.is_empty() && value != "-").collect();
    let width = given.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let lines = given.iter().map(|(name, value)| {
        let value = value.replace('\n', &format!("\n  {:width$}  ", ""));
        format!("  {name:width$}  {value}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What a result says: its text where it is one, else all of it.
pub(crate) fn result(value: &Value) -> String {
    if value.is_null() {
        return String::new();
    }
    match value.as_str().or_else(|| value.get("text")?.as_str()) {
        Some(text) => plain(text),
        None => plain(&serde_json::to_string_pretty(value).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_terminal_is_not_told_what_to_do_by_strangers() {
        assert_eq!(plain("a\u{1b}]0;owned\u{7}\nb\r"), "a\u{fffd}]0;owned\u{fffd}\nb\u{fffd}");
    }

    #[test]
    fn a_column_holds_one_short_line() {
        assert_eq!(shorten("a\n  b", 3), "a b");
        assert_eq!(shorten("äöüß", 3), "äö…");
    }

    #[test]
    fn values_are_shown_by_their_kind() {
        let value = json!({"a": "x", "b": null, "c": ["x", "y"], "d": [], "e": {"f": 7}});
        let shown = ["/a", "/b", "/c", "/d", "/e/f", "/g"].map(|it| text(&value, it));
        assert_eq!(shown, ["x", "-", "x, y", "-", "7", "-"]);
    }

    #[test]
    fn a_time_is_told_by_its_distance() {
        let value = json!({"at": "2026-01-01T12:00:00Z"});
        let check = |now: &str, expected: &str| {
            assert_eq!(ago(&value, "/at", now.parse().unwrap()), expected)
        };
        check("2026-01-01T12:01:59Z", "119 s ago");
        check("2026-01-01T12:02:00Z", "2 min ago");
        check("2026-01-03T12:00:00Z", "2 d ago");
        check("2026-01-01T09:00:00Z", "in 3 h");
    }

    #[test]
    fn fields_stand_below_each_other() {
        let shown = fields(&[
            ("id", "7".to_owned()),
            ("goal", "a\nb".to_owned()),
            ("none", "-".to_owned()),
        ]);
        assert_eq!(shown, "  id    7\n  goal  a\n        b");
    }

    #[test]
    fn a_table_has_no_trailing_blanks() {
        let shown = table(&["id", "goal"], vec![vec!["1".to_owned(), "x".to_owned()]], "nothing");
        assert_eq!(shown, "ID  GOAL\n1   x");
        assert_eq!(table(&["id"], Vec::new(), "nothing"), "nothing");
    }
}
