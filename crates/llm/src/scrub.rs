//! Text from a server, made fit for logs and errors.

/// Characters of a server's message that are kept.
const MESSAGE_CHARS: usize = 300;

/// `text` on one line, bounded, with `key` blotted out wherever the server repeated it.
pub(crate) fn scrubbed(text: &str, key: Option<&str>) -> String {
    let blotted = match key {
        Some(key) if !key.is_empty() => text.replace(key, "[key]"),
        _ => text.to_owned(),
    };
    let mut line = String::new();
    for word in blotted.split(|it: char| it.is_whitespace() || it.is_control()) {
        if !word.is_empty() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        if line.chars().count() > MESSAGE_CHARS {
            return line.chars().take(MESSAGE_CHARS).chain(['…']).collect();
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_message_is_one_bounded_line_without_the_key() {
        check("bad key sk-1, sk-1!", Some("sk-1"), "bad key [key], [key]!");
        check("a\r\n\tb\u{1b}[31m", None, "a b [31m");
        check("", Some(""), "");
        assert_eq!(scrubbed(&"x".repeat(1_000_000), None).chars().count(), MESSAGE_CHARS + 1);
    }

    #[track_caller]
    fn check(text: &str, key: Option<&str>, expected: &str) {
        assert_eq!(scrubbed(text, key), expected);
    }
}
