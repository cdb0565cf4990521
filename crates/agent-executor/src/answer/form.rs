//! The schemas of the typed answers, made from their types once.

use std::sync::LazyLock;

use domain::outputs::{AgentResponse, ChangeSet, Decision, Plan, Review, TestReport};
use jsonschema::Validator;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::{AnswerForm, settings::ResponseFormat};

/// One form, ready for use.
pub(super) struct Form {
    /// As some servers want to have it: letters, digits and underscores.
    pub(super) name: &'static str,
    pub(super) schema: Value,
    pub(super) validator: Validator,
}

static PLAN: LazyLock<Form> = LazyLock::new(|| Form::new::<Plan>("plan"));
static CHANGE_SET: LazyLock<Form> = LazyLock::new(|| Form::new::<ChangeSet>("change_set"));
static REVIEW: LazyLock<Form> = LazyLock::new(|| Form::new::<Review>("review"));
static TEST_REPORT: LazyLock<Form> = LazyLock::new(|| Form::new::<TestReport>("test_report"));
static DECISION: LazyLock<Form> = LazyLock::new(|| Form::new::<Decision>("decision"));
static RESPONSE: LazyLock<Form> = LazyLock::new(|| Form::new::<AgentResponse>("agent_response"));

impl Form {
    /// The form of an answer; none for plain text.
    pub(super) fn of(answer: AnswerForm, format: ResponseFormat) -> Option<&'static Self> {
        Some(match answer {
            AnswerForm::Plan => &PLAN,
            AnswerForm::ChangeSet => &CHANGE_SET,
            AnswerForm::Review => &REVIEW,
            AnswerForm::TestReport => &TEST_REPORT,
            AnswerForm::Decision => &DECISION,
            AnswerForm::Free => match format {
                ResponseFormat::Text => return None,
                ResponseFormat::StructuredJson => &RESPONSE,
            },
        })
    }

    fn new<T: JsonSchema>(name: &'static str) -> Self {
        let settings = SchemaSettings::draft2020_12().with(|it| it.inline_subschemas = true);
        let schema = settings.into_generator().into_root_schema_for::<T>();
        let schema = plain(schema.to_value());
        let validator = jsonschema::validator_for(&schema).expect("schemars writes valid schemas");
        Self { name, schema, validator }
    }
}

/// The schema without what converters to grammars stumble over or do not need.
fn plain(schema: Value) -> Value {
    let Value::Object(mut schema) = schema else { return schema };
    for key in ["$schema", "title", "format", "default"] {
        schema.remove(key);
    }
    if let Some(names) = schema.remove("oneOf").and_then(|variants| names_of(&variants)) {
        // Enums whose variants are documented: their names are enough.
        schema.insert("type".to_owned(), json!("string"));
        schema.insert("enum".to_owned(), names);
    }
    if let Some(Value::Object(properties)) = schema.remove("properties") {
        let properties: Map<_, _> =
            properties.into_iter().map(|(name, it)| (name, plain(it))).collect();
        schema.insert("properties".to_owned(), Value::Object(properties));
    }
    if let Some(items) = schema.remove("items") {
        schema.insert("items".to_owned(), plain(items));
    }
    Value::Object(schema)
}

/// The names in a list of constants and enums.
fn names_of(variants: &Value) -> Option<Value> {
    let mut names = Vec::new();
    for variant in variants.as_array()? {
        match (variant.get("const"), variant.get("enum").and_then(Value::as_array)) {
            (Some(name), _) => names.push(name.clone()),
            (None, Some(several)) => names.extend(several.iter().cloned()),
            (None, None) => return None,
        }
    }
    Some(Value::Array(names))
}
