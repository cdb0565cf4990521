//! What is wrong with the values of a body, gathered: a client hears of all of it at once.

use std::io;

use domain::{
    limits::{DEPENDENCIES, DESCRIPTION_CHARS, PAYLOAD_BYTES},
    task::Priority,
};
use serde_json::{Map, Value};
use web::FieldError;

use crate::{error::ApiError, whole::Whole};

/// Attempts of one task: each costs a model call or more, so a greater number is a mistake.
pub(crate) const ATTEMPTS: i32 = 100;
/// Characters of a git ref: what file systems allow for one path segment.
pub(crate) const REF_CHARS: usize = 255;

/// Collects field errors.
#[derive(Debug)]
pub(crate) struct Faults {
    /// Bytes of the whole body: no part of it is larger, so a small body is not measured in parts.
    body_bytes: usize,
    /// Where in the body fields are looked at: empty, or `tasks[3]`.
    place: Option<(&'static str, usize)>,
    errors: Vec<FieldError>,
}

impl Faults {
    pub(crate) fn new(body_bytes: usize) -> Self {
        Self { body_bytes, place: None, errors: Vec::new() }
    }

    /// What follows is about this element of a list.
    pub(crate) fn within(&mut self, list: &'static str, index: usize) {
        self.place = Some((list, index));
    }

    /// What follows is about the body's own fields.
    pub(crate) fn at_top(&mut self) {
        self.place = None;
    }

    pub(crate) fn add(&mut self, field: &str, detail: impl Into<String>) {
        let mut error = FieldError::in_body(field, detail);
        if let Some((list, index)) = self.place {
            error.pointer = Some(format!("#/{list}/{index}/{field}"));
            error.field = format!("{list}[{index}].{field}");
        }
        self.errors.push(error);
    }

    /// A text of 1 to `most` characters.
    pub(crate) fn text(&mut self, field: &str, text: &str, most: usize) {
        if text.is_empty() {
            self.add(field, "it is empty");
        } else if text.len() > most && text.chars().count() > most {
            self.add(field, format!("it has more than {most} characters"));
        }
    }

    pub(crate) fn description(&mut self, field: &str, text: &str) {
        self.text(field, text, DESCRIPTION_CHARS);
    }

    /// A whole number from `least` to `most`.
    pub(crate) fn number(&mut self, field: &str, number: i64, least: i64, most: i64) {
        if !(least..=most).contains(&number) {
            self.add(field, format!("use {least} to {most}"));
        }
    }

    /// How many of something: 1 to `most`, or `usual` where nothing is said.
    pub(crate) fn count(
        &mut self,
        field: &str,
        given: Option<Whole>,
        usual: u32,
        most: u32,
    ) -> u32 {
        let Some(Whole(given)) = given else { return usual };
        self.number(field, given, 1, most.into());
        u32::try_from(given).unwrap_or(most)
    }

    /// Attempts of a task, where they are given.
    pub(crate) fn attempts(&mut self, given: Option<Whole>) -> Option<i32> {
        let Whole(given) = given?;
        self.number("maxAttempts", given, 1, ATTEMPTS.into());
        i32::try_from(given).ok()
    }

    /// A priority, or the usual one where none is given.
    pub(crate) fn priority(&mut self, given: Option<Whole>) -> Priority {
        match given.map(|Whole(given)| Priority::try_from(given)).transpose() {
            Ok(priority) => priority.unwrap_or_default(),
            Err(error) => {
                self.add("priority", error.to_string());
                Priority::default()
            }
        }
    }

    pub(crate) fn dependencies(&mut self, count: usize) {
        if count > DEPENDENCIES {
            self.add("dependsOn", format!("it has more than {DEPENDENCIES} tasks"));
        }
    }

    /// Any object that is not too large; an empty one where none is given.
    pub(crate) fn object(&mut self, field: &str, given: Option<Map<String, Value>>) -> Value {
        let object = given.unwrap_or_default();
        if self.body_bytes > PAYLOAD_BYTES && written_bytes(&object) > PAYLOAD_BYTES {
            self.add(field, format!("it has more than {PAYLOAD_BYTES} bytes"));
        }
        Value::Object(object)
    }

    /// # Errors
    /// Everything that was found.
    pub(crate) fn check(self) -> Result<(), ApiError> {
        if self.errors.is_empty() { Ok(()) } else { Err(ApiError::InvalidFields(self.errors)) }
    }
}

/// Bytes of an object as JSON.
fn written_bytes(object: &Map<String, Value>) -> usize {
    struct Counter(usize);
    impl io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, object)
        .expect("counting does not fail, and JSON has only string keys");
    counter.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_that_is_wrong_is_told_at_once_and_where() {
        let mut faults = Faults::new(1);
        faults.text("goal", "", 3);
        faults.within("tasks", 2);
        faults.text("description", "four", 3);
        faults.text("description", "äöü", 3);
        faults.priority(Some(Whole(10)));
        faults.attempts(Some(Whole(0)));
        let Err(ApiError::InvalidFields(errors)) = faults.check() else {
            panic!("there are faults")
        };
        let told: Vec<_> =
            errors.iter().map(|it| (it.field.as_str(), it.pointer.as_deref().unwrap())).collect();
        assert_eq!(
            told,
            [
                ("goal", "#/goal"),
                ("tasks[2].description", "#/tasks/2/description"),
                ("tasks[2].priority", "#/tasks/2/priority"),
                ("tasks[2].maxAttempts", "#/tasks/2/maxAttempts"),
            ]
        );
    }

    #[test]
    fn an_object_is_measured_as_json() {
        let object = json!({"text": "x".repeat(PAYLOAD_BYTES)}).as_object().cloned();
        let mut faults = Faults::new(PAYLOAD_BYTES + 100);
        faults.object("payload", object.clone());
        assert!(faults.check().is_err());
        assert_eq!(written_bytes(&object.unwrap()), PAYLOAD_BYTES + r#"{"text":""}"#.len());
    }
}
