//! What serde says about a value, as a field error that a client can act on.

use serde_path_to_error::{Path, Segment};

use crate::problem::FieldError;

/// Characters of a message: serde repeats a wrong string, however long it is.
const DETAIL_CHARS: usize = 300;

/// The field that `message` is about, found at `path`. `in_body` adds the JSON pointer.
pub(super) fn field_error(path: &Path, message: &str, in_body: bool) -> FieldError {
    let mut segments: Vec<&Segment> =
        path.iter().filter(|segment| !matches!(segment, Segment::Unknown)).collect();
    let named = named_field(message);
    let mut field = String::new();
    let mut pointer = String::from("#");
    // serde finds an unknown field while it reads its name, and a missing one at the end of its object: the path may then
    // end above the field, or at it.
    if let (Some(name), Some(Segment::Map { key })) = (named, segments.last())
        && key == name
    {
        segments.pop();
    }
    for segment in segments {
        match segment {
            Segment::Seq { index } => {
                field.push_str(&format!("[{index}]"));
                pointer.push_str(&format!("/{index}"));
            }
            Segment::Map { key } => push(&mut field, &mut pointer, key),
            // The variant of an enum is no level of its JSON that a client would count.
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    if let Some(name) = named {
        push(&mut field, &mut pointer, name);
    }
    FieldError {
        field: if field.is_empty() { "body".to_owned() } else { field },
        pointer: in_body.then_some(pointer),
        detail: bounded(message),
        allowed: allowed(message),
    }
}

fn push(field: &mut String, pointer: &mut String, key: &str) {
    if !field.is_empty() {
        field.push('.');
    }
    field.extend(key.chars().take(DETAIL_CHARS));
    pointer.push('/');
    pointer.extend(key.replace('~', "~0").replace('/', "~1").chars().take(DETAIL_CHARS));
}

/// The field that a message is about, where it is not the value at the path.
fn named_field(message: &str) -> Option<&str> {
    ["unknown field `", "missing field `", "duplicate field `"]
        .iter()
        .find_map(|start| message.strip_prefix(start))
        .and_then(|rest| rest.split_once('`'))
        .map(|(name, _)| name)
}

/// The closed list behind "expected one of", in serde's words for unknown fields and variants.
fn allowed(message: &str) -> Vec<String> {
    if !message.starts_with("unknown field `") && !message.starts_with("unknown variant `") {
        return Vec::new();
    }
    let Some((_, list)) = message.rsplit_once("`, expected ") else { return Vec::new() };
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn bounded(message: &str) -> String {
    match message.char_indices().nth(DETAIL_CHARS) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closed_list_is_read_from_each_form_that_serde_writes() {
        let check =
            |message: &str, expected: &[&str]| assert_eq!(allowed(message), expected, "{message}");
        check("unknown field `x`, expected `a`", &["a"]);
        check("unknown field `x`, expected `a` or `b`", &["a", "b"]);
        check("unknown variant `x`, expected one of `a`, `b`, `c`", &["a", "b", "c"]);
        check("unknown field `x`, there are no fields", &[]);
        check("unknown field `y`, expected `z`, expected `a`", &["a"]);
        check("invalid type: string \"`, expected `a`\", expected u32", &[]);
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let cut = bounded(&"ü".repeat(1_000));
        assert_eq!(cut.chars().count(), DETAIL_CHARS + 1);
    }
}
