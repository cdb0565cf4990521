//! The OpenAPI description, as what answers are held to.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use jsonschema::Validator;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// A description, and its schemas as far as they have been used.
pub(super) struct Description {
    document: Value,
    /// By the JSON text of the schema, which may refer to others.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Description {
    pub(super) fn new(document: Value) -> Self {
        assert_eq!(document["openapi"], "3.1.0", "the description is OpenAPI 3.1");
        Self { document, validators: Mutex::default() }
    }

    /// Fails unless the operation is described, and the answer is one that it may give.
    #[track_caller]
    pub(super) fn check(&self, method: &Method, path: &str, status: StatusCode, body: &Value) {
        let operation = &self.document["paths"][path][method.as_str().to_lowercase()];
        assert!(operation.is_object(), "{method} {path} is not described");
        let responses = &operation["responses"];
        let response = responses.get(status.as_str()).or_else(|| responses.get("default"));
        let response =
            response.unwrap_or_else(|| panic!("{method} {path} may not answer {status}: {body}"));
        let media = response["content"].as_object().and_then(|content| content.values().next());
        match media {
            None => assert_eq!(*body, Value::Null, "{method} {path} {status} has no body"),
            Some(media) => {
                if let Some(wrong) = self.wrong(&media["schema"], body) {
                    panic!("{method} {path} {status}: {wrong}\nin {body:#}");
                }
            }
        }
    }

    /// Fails unless a value fits the schema of this name.
    #[track_caller]
    pub(super) fn check_schema(&self, name: &str, value: &Value) {
        let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
        if let Some(wrong) = self.wrong(&schema, value) {
            panic!("this is no {name}: {wrong}\nin {value:#}");
        }
    }

    fn wrong(&self, schema: &Value, value: &Value) -> Option<String> {
        let validator = self.validator(schema);
        let mut errors = validator
            .iter_errors(value)
            .map(|error| format!("at {}: {error}", error.instance_path()));
        let first = errors.next()?;
        Some(errors.fold(first, |all, error| format!("{all}; {error}")))
    }

    /// OpenAPI 3.1's schemas are JSON Schema 2020-12; what they refer to is inside the document.
    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let mut known = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        let validator = known.entry(schema.to_string()).or_insert_with(|| {
            let mut whole = schema.clone();
            whole["components"] = self.document["components"].clone();
            let made = jsonschema::draft202012::new(&whole);
            Arc::new(made.unwrap_or_else(|error| panic!("{schema} is no schema: {error}")))
        });
        Arc::clone(validator)
    }
}
