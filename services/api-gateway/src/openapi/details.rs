//! What the description says of values beyond what types can: forms of texts, and which fields go together.

use serde_json::{Map, Value, json};

use crate::{
    cursor::{TEXT_FORM, UUID_FORM},
    repository,
};

/// Any text that can be stored.
const STORABLE: &str = "^[^\\u0000]*$";
/// The usual cron expressions, of five or six fields: numbers, lists of them, `*` and steps.
const CRON: &str = r"^((\*|\*/[1-9]|[1-5]?[0-9](,[1-5]?[0-9]){0,3}) )?(\*|\*/[1-9]|[1-5]?[0-9](,[1-5]?[0-9]){0,3}) (\*|\*/[1-9]|1?[0-9](,1?[0-9]){0,3}) (\*|\*/[1-9]|[1-9]|[12][0-9]) (\*|\*/[1-9]|[1-9]|1[0-2]) (\*|[0-6](,[0-6]){0,3}|1-5|MON-FRI)$";

/// Adds the details.
pub(super) fn add(document: &mut Value, allow_local: bool) {
    for name in request_schemas(document) {
        if let Some(schema) = document["components"]["schemas"][&name].as_object_mut() {
            tell_forms(schema, allow_local);
        }
    }
    let schemas = &mut document["components"]["schemas"];
    schemas["Json"] = any_json();
    schemas["JsonObject"] = json!({
        "type": "object",
        "description": "Any object; its texts hold no NUL character.",
        "propertyNames": {"pattern": STORABLE},
        "additionalProperties": {"$ref": "#/components/schemas/Json"},
    });
    tell_what_goes_together(schemas);
    tell_parameters(document);
    tell_merge_patch(document);
    tell_idempotency(document);
}

/// Schemas of bodies of requests, and those that they are made of.
fn request_schemas(document: &Value) -> Vec<String> {
    let mut names = Vec::new();
    let paths = document["paths"].as_object().into_iter().flatten();
    for operation in
        paths.flat_map(|(_, item)| item.as_object().into_iter().flatten().map(|(_, it)| it))
    {
        collect_references(&operation["requestBody"], &mut names);
    }
    let mut seen = 0;
    while let Some(name) = names.get(seen).cloned() {
        seen += 1;
        collect_references(&document["components"]["schemas"][&name], &mut names);
    }
    names
}

fn collect_references(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            if let Some(name) =
                object.get("$ref").and_then(Value::as_str).and_then(|it| it.rsplit('/').next())
                && !names.iter().any(|it| it == name)
            {
                names.push(name.to_owned());
            }
            object.values().for_each(|it| collect_references(it, names));
        }
        Value::Array(items) => items.iter().for_each(|it| collect_references(it, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Forms of the fields of a body, and of those within it.
fn tell_forms(schema: &mut Map<String, Value>, allow_local: bool) {
    if let Some(Value::Array(alternatives)) = schema.get_mut("oneOf") {
        for alternative in alternatives.iter_mut().filter_map(Value::as_object_mut) {
            if alternative.contains_key("properties") {
                alternative.insert("additionalProperties".to_owned(), false.into());
            }
            tell_forms(alternative, allow_local);
        }
    }
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    for (name, property) in properties {
        match name.as_str() {
            "payload" | "metadata" => {
                let description = property["description"].take();
                *property = json!({
                    "description": description,
                    "oneOf": [{"$ref": "#/components/schemas/JsonObject"}, {"type": "null"}],
                });
            }
            "repository" => property["pattern"] = repository::form(allow_local).into(),
            "expression" => property["pattern"] = CRON.into(),
            "timezone" => {
                property["enum"] = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()).collect();
            }
            "labels" => {
                property["items"] = json!({"type": "string", "maxLength": 255, "pattern": STORABLE})
            }
            _ if is_text(property) => property["pattern"] = STORABLE.into(),
            _ => {}
        }
    }
}

fn is_text(schema: &Value) -> bool {
    let of_type = match &schema["type"] {
        Value::String(name) => name == "string",
        Value::Array(names) => names.iter().any(|name| name == "string"),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    };
    of_type && ["format", "enum", "pattern"].iter().all(|key| schema[key].is_null())
}

fn any_json() -> Value {
    json!({
        "description": "Any JSON whose texts hold no NUL character.",
        "anyOf": [
            {"type": ["null", "boolean", "number"]},
            {"type": "string", "pattern": STORABLE},
            {"type": "array", "items": {"$ref": "#/components/schemas/Json"}},
            {"$ref": "#/components/schemas/JsonObject"},
        ],
    })
}

fn tell_what_goes_together(schemas: &mut Value) {
    let repository =
        json!({"required": ["repository"], "properties": {"repository": {"type": "string"}}});
    // A task joins a run, or brings what a new one needs.
    schemas["NewTask"]["anyOf"] = json!([
        {"properties": {"runId": {"type": "null"}}},
        {"properties": {"goal": {"type": "null"}, "repository": {"type": "null"}}},
    ]);
    // What grows is a repository.
    schemas["NewRun"]["anyOf"] = json!([repository, {"required": ["workflow"], "properties": {"workflow": {"const": "single"}}}]);
    schemas["NewSchedule"]["anyOf"] = json!([
        repository,
        {"properties": {"target": {"properties": {"kind": {"const": "roles"}}}}},
        {"properties": {"target": {"properties": {"workflow": {"const": "single"}}, "required": ["workflow"]}}},
    ]);
}

/// Parameters are there or not, never null, and have forms of their own.
fn tell_parameters(document: &mut Value) {
    let Some(paths) = document["paths"].as_object_mut() else { return };
    for (path, item) in paths {
        for operation in item.as_object_mut().into_iter().flat_map(Map::values_mut) {
            for parameter in
                operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten()
            {
                let is_cursor = parameter["name"] == "cursor";
                let schema = &mut parameter["schema"];
                if let Some(Value::String(name)) =
                    schema["type"].as_array().and_then(|it| it.first()).cloned()
                {
                    schema["type"] = name.into();
                }
                if is_cursor {
                    schema["pattern"] =
                        if path == "/deliveries" { TEXT_FORM } else { UUID_FORM }.into();
                } else if is_text(schema) {
                    schema["pattern"] = STORABLE.into();
                }
            }
        }
    }
}

/// The header is told in words and by an extension. As a parameter it would say that every value of its form is taken, which
/// is not so for one that came with another request before.
fn tell_idempotency(document: &mut Value) {
    const CREATIONS: [&str; 5] =
        ["/tasks", "/tasks/batch", "/runs", "/events", "/schedules/{id}/trigger"];
    for path in CREATIONS {
        let operation = &mut document["paths"][path]["post"];
        let says =
            operation["description"].as_str().or(operation["summary"].as_str()).unwrap_or_default();
        let says = format!(
            "{says}\n\nWith the header `Idempotency-Key` (1 to 255 visible ASCII characters) it happens once."
        );
        operation["description"] = says.into();
        operation["x-idempotency-key"] = true.into();
        for status in ["201", "202"] {
            if let Some(response) =
                operation["responses"].get_mut(status).and_then(Value::as_object_mut)
            {
                let header =
                    |says: &str| json!({"description": says, "schema": {"type": "string"}});
                response.insert(
                    "headers".to_owned(),
                    json!({
                        "Location": header("Where it is."),
                        "Idempotency-Replayed": header("`true` where an earlier answer is given again."),
                    }),
                );
            }
        }
    }
}

fn tell_merge_patch(document: &mut Value) {
    let content = &mut document["paths"]["/tasks/{id}/metadata"]["patch"]["requestBody"]["content"];
    for media in content.as_object_mut().into_iter().flat_map(Map::values_mut) {
        media["schema"] = json!({"$ref": "#/components/schemas/JsonObject"});
    }
}
