//! Shares a number of characters out over a schema: every text gets a longest length, every list a largest count.
//!
//! Each part has a least size at which it is of use. What is left over goes to the parts by weight: the content of a file
//! weighs more than its path. Lists get as many items as leave each about twice its least.
//!
//! A server that decodes under constraints cuts a text at its bound, in the middle of a word. That does no harm to a
//! remark, but a cut file is broken. So a first answer's [`Fit::Roomy`] lets any one file take most of the answer, and only
//! a model that runs out of tokens with it is held to [`Fit::Tight`].

use serde_json::{Map, Value, json};

/// The longest text that is bounded by number: versions of llama.cpp, which is inside Ollama too, refuse a grammar with more
/// than 2,000 repetitions. A text that may be longer has no bound but that of the tokens.
const LONGEST: usize = 1_900;
/// The shortest bound that still lets a model say something.
const SHORTEST: usize = 12;
/// Room for quotes, colon, comma and the space between two members.
const PUNCTUATION: usize = 6;

/// What texts of this name need and deserve.
struct Text {
    least: usize,
    weight: usize,
}

const fn text(name: &str) -> Text {
    let (least, weight) = match name.as_bytes() {
        b"content" => (300, 12),
        b"payload" => (120, 8),
        b"description" | b"body" | b"message" | b"interpretation" => (80, 3),
        b"summary" => (80, 2),
        b"title" | b"name" | b"path" | b"scopePaths" => (48, 1),
        b"type" => (16, 0),
        _ => (60, 1),
    };
    Text { least, weight }
}

/// The largest count of a list of this name.
const fn most(name: &str) -> usize {
    match name.as_bytes() {
        b"changes" => 20,
        b"subtasks" => 12,
        b"comments" | b"failures" => 16,
        _ => 8,
    }
}

/// How the characters are shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// One file may take most of them, so that all bounds together are more than there is.
    Roomy,
    /// An answer that uses every bound to the full has about as many as there are.
    Tight,
}

/// Texts that are worth nothing if their end is missing.
const WHOLE: [&str; 2] = ["content", "payload"];

/// `schema` with a bound on everything, for answers of about `chars` characters; without descriptions.
pub(super) fn bounded(schema: &Value, chars: usize, fit: Fit) -> Value {
    let mut bound = bind(schema, "", chars);
    if fit == Fit::Roomy {
        make_room(&mut bound, chars / 5 * 4);
    }
    bound
}

/// Lets each text that must be whole have `chars`.
fn make_room(bound: &mut Value, chars: usize) {
    let Some(members) = bound.as_object_mut() else { return };
    let properties = members.get_mut("properties").and_then(Value::as_object_mut);
    for (name, property) in properties.into_iter().flatten() {
        if WHOLE.contains(&name.as_str()) {
            let longest = property.get("maxLength").and_then(Value::as_u64);
            if chars > LONGEST {
                property.as_object_mut().and_then(|it| it.remove("maxLength"));
            } else if longest.is_some_and(|it| it < chars as u64) {
                property["maxLength"] = json!(chars);
            }
        } else {
            make_room(property, chars);
        }
    }
    if let Some(items) = members.get_mut("items") {
        make_room(items, chars);
    }
}

/// The places of texts that must be whole and are exactly as long as `bound` lets them be: probably cut there.
pub(super) fn perhaps_cut(bound: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut places = Vec::new();
    if let (Some(bounds), Some(members)) = (bound.get("properties"), value.as_object()) {
        for (name, member) in members {
            let (Some(bound), at) = (bounds.get(name), format!("{at}/{name}")) else { continue };
            let longest = bound.get("maxLength").and_then(Value::as_u64);
            let length = member.as_str().map(|it| it.chars().count() as u64);
            if WHOLE.contains(&name.as_str()) && longest.is_some() && longest == length {
                places.push(at);
            } else {
                places.extend(perhaps_cut(bound, member, &at));
            }
        }
    }
    if let (Some(bound), Some(items)) = (bound.get("items"), value.as_array()) {
        for (index, item) in items.iter().enumerate() {
            places.extend(perhaps_cut(bound, item, &format!("{at}/{index}")));
        }
    }
    places
}

fn bind(schema: &Value, name: &str, chars: usize) -> Value {
    match Kind::of(schema) {
        Kind::Object(properties) => {
            let needs: usize = properties.iter().map(|(name, it)| least(it, name)).sum();
            let weights: usize = properties.iter().map(|(name, it)| weight(it, name)).sum();
            let fixed: usize = properties.keys().map(|it| it.len() + PUNCTUATION).sum();
            let room = chars.saturating_sub(fixed);
            let share = |(name, it): (&String, &Value)| {
                let least = least(it, name);
                let chars = match room.checked_sub(needs) {
                    Some(surplus) => least + surplus * weight(it, name) / weights.max(1),
                    None => least * room / needs.max(1),
                };
                (name.clone(), bind(it, name, chars))
            };
            let bound: Map<_, _> = properties.iter().map(share).collect();
            let required: Vec<_> = bound.keys().cloned().collect();
            json!({"type": "object", "properties": bound, "required": required, "additionalProperties": false})
        }
        Kind::List(items) => {
            let count = (chars / (2 * least(items, name))).clamp(1, most(name));
            json!({"type": "array", "items": bind(items, name, chars / count), "maxItems": count})
        }
        Kind::Text { nullable } => {
            let mut bound =
                json!({"type": if nullable { json!(["string", "null"]) } else { json!("string") }});
            if chars <= LONGEST {
                bound["maxLength"] = json!(chars.max(SHORTEST));
            }
            bound
        }
        // An unbounded value has no grammar that ends: a text or nothing says as much.
        Kind::Anything => bind(&json!({"type": ["string", "null"]}), name, chars),
        // As above. The system fills it.
        Kind::OpenObject => {
            json!({"type": "object", "properties": {}, "additionalProperties": false})
        }
        Kind::Names(names) => json!({"type": "string", "enum": names}),
        // Grammars know ranges of whole numbers only.
        Kind::Fraction => json!({"enum": [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]}),
        Kind::Whole { nullable, largest } => {
            let kind = if nullable { json!(["integer", "null"]) } else { json!("integer") };
            json!({"type": kind, "minimum": 0, "maximum": largest})
        }
        Kind::Flag => json!({"type": "boolean"}),
    }
}

/// The least characters of use.
fn least(schema: &Value, name: &str) -> usize {
    match Kind::of(schema) {
        Kind::Object(properties) => {
            properties.iter().map(|(name, it)| name.len() + PUNCTUATION + least(it, name)).sum()
        }
        Kind::List(items) => least(items, name),
        Kind::Text { .. } | Kind::Anything => text(name).least,
        Kind::Names(names) => {
            names.iter().filter_map(Value::as_str).map(str::len).max().unwrap_or_default()
        }
        Kind::OpenObject | Kind::Fraction | Kind::Whole { .. } | Kind::Flag => 5,
    }
}

fn weight(schema: &Value, name: &str) -> usize {
    match Kind::of(schema) {
        Kind::Object(properties) => properties.iter().map(|(name, it)| weight(it, name)).sum(),
        Kind::List(items) => 2 * weight(items, name),
        Kind::Text { .. } | Kind::Anything => text(name).weight,
        Kind::OpenObject | Kind::Names(_) | Kind::Fraction | Kind::Whole { .. } | Kind::Flag => 0,
    }
}

/// What a schema describes, of the few things that our types hold.
enum Kind<'a> {
    Object(&'a Map<String, Value>),
    OpenObject,
    List(&'a Value),
    Names(&'a [Value]),
    Text { nullable: bool },
    Whole { nullable: bool, largest: u64 },
    Fraction,
    Flag,
    Anything,
}

impl<'a> Kind<'a> {
    fn of(schema: &'a Value) -> Self {
        if let Some(names) = schema.get("enum").and_then(Value::as_array) {
            return Self::Names(names);
        }
        let kinds: Vec<_> = match schema.get("type") {
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let nullable = kinds.contains(&"null");
        let largest = schema.get("maximum").and_then(Value::as_f64);
        match kinds.first().copied() {
            Some("object") => match schema.get("properties").and_then(Value::as_object) {
                Some(properties) => Self::Object(properties),
                None => Self::OpenObject,
            },
            Some("array") => Self::List(schema.get("items").unwrap_or(&Value::Bool(true))),
            Some("string") => Self::Text { nullable },
            Some("integer") => Self::Whole { nullable, largest: 99_999 },
            Some("number") if largest.is_some_and(|it| it <= 1.0) => Self::Fraction,
            // A percentage: whole numbers are fine enough.
            Some("number") => Self::Whole { nullable, largest: 100 },
            Some("boolean") => Self::Flag,
            _ => Self::Anything,
        }
    }
}
