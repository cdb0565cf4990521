//! A schema in a few lines that a model reads more easily than the schema itself.

use serde_json::Value;

/// The form as an example whose values say what belongs there.
pub(super) fn outline(schema: &Value) -> String {
    let mut lines = String::new();
    write(schema, 0, &mut lines);
    lines
}

fn write(schema: &Value, depth: usize, out: &mut String) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        out.push_str("{\n");
        for (name, property) in properties {
            let indent = "  ".repeat(depth + 1);
            out.push_str(&format!("{indent}\"{name}\": "));
            write(property, depth + 1, out);
            out.push_str(",\n");
        }
        out.push_str(&"  ".repeat(depth));
        out.push('}');
    } else if let Some(items) = schema.get("items") {
        out.push('[');
        write(items, depth, out);
        out.push(']');
    } else {
        out.push_str(&leaf(schema));
    }
    if let (Some(words), true) = (description(schema), schema.get("items").is_some()) {
        out.push_str(&format!(" ({words})"));
    }
}

/// A value without parts: its names, or its type and meaning.
fn leaf(schema: &Value) -> String {
    let kind = match schema.get("enum").and_then(Value::as_array) {
        Some(names) => {
            let names: Vec<_> = names.iter().map(ToString::to_string).collect();
            return names.join(" or ");
        }
        None => match schema.get("type") {
            Some(Value::String(kind)) => kind.clone(),
            Some(Value::Array(kinds)) => {
                kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ")
            }
            _ => "any JSON value".to_owned(),
        },
    };
    match description(schema) {
        Some(words) => format!("<{kind}: {words}>"),
        None => format!("<{kind}>"),
    }
}

fn description(schema: &Value) -> Option<String> {
    let words = schema.get("description")?.as_str()?;
    Some(words.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches('.').to_owned())
}
