//! Where in a body the NUL character is. Looked for only in bodies that are refused because of it.

use serde_json::Value;

use crate::problem::FieldError;

/// The first field that holds the NUL character in its value or, for an object, in the name of a member. None where the
/// text is no JSON, or a later member of the same name hides it.
pub(super) fn place_of(json: &str) -> Option<FieldError> {
    let body: Value = serde_json::from_str(json).ok()?;
    let mut place = Place { field: String::new(), pointer: "#".to_owned() };
    if !place.descend(&body) {
        return None;
    }
    let field = if place.field.is_empty() { "body".to_owned() } else { place.field };
    Some(FieldError {
        pointer: Some(place.pointer),
        ..FieldError::new(field, "it holds the NUL character")
    })
}

/// A place in a body, in both of our notations.
struct Place {
    field: String,
    pointer: String,
}

impl Place {
    /// Goes to the first NUL below `value`; stays where it is if there is none.
    fn descend(&mut self, value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains('\0'),
            Value::Array(items) => items.iter().enumerate().any(|(index, item)| {
                self.try_step(&format!("[{index}]"), &format!("/{index}"), item)
            }),
            Value::Object(members) => members.iter().any(|(name, member)| {
                let dot = if self.field.is_empty() { "" } else { "." };
                let step = name.replace('~', "~0").replace('/', "~1");
                name.contains('\0')
                    || self.try_step(&format!("{dot}{name}"), &format!("/{step}"), member)
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    fn try_step(&mut self, field: &str, pointer: &str, value: &Value) -> bool {
        let (field_end, pointer_end) = (self.field.len(), self.pointer.len());
        self.field.push_str(field);
        self.pointer.push_str(pointer);
        let found = self.descend(value);
        if !found {
            self.field.truncate(field_end);
            self.pointer.truncate(pointer_end);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_field_with_a_nul_is_named() {
        let check = |json: &str, expected: Option<(&str, &str)>| {
            let found = place_of(json).map(|it| (it.field, it.pointer.unwrap_or_default()));
            let expected = expected.map(|(field, at)| (field.to_owned(), at.to_owned()));
            assert_eq!(found, expected, "{json}");
        };
        check(r#"{"a":1,"b":{"c/d":[1,"\u0000"]}}"#, Some(("b.c/d[1]", "#/b/c~1d/1")));
        check(r#"{"a":{"b\u0000":1}}"#, Some(("a", "#/a")));
        check(r#""\u0000""#, Some(("body", "#")));
        check(r#"{"a":"\\u0000"}"#, None);
        check(r#"{"a":"\u0000","a":1}"#, None);
        check("{", None);
    }
}
