//! The scan that every JSON body goes through before it is parsed.

use serde_json::Value;
use web::json_scan::{ScanFault, scan};

const DEPTH: usize = 32;

/// It finds whatever the parsed value has that must not be, and nothing where neither is.
pub(super) fn check(input: &[u8]) {
    let outcome = scan(input, DEPTH);
    if let Err(ScanFault::TooDeep { at, .. } | ScanFault::Nul { at }) = outcome {
        assert!(at < input.len());
    }
    let Ok(value) = serde_json::from_slice::<Value>(input) else { return };
    if depth(&value) > DEPTH || has_nul(&value) {
        assert!(outcome.is_err(), "{value}");
    }
    // Of two members of the same name the parsed value has one only, so it is written anew.
    let clean = depth(&value) <= DEPTH && !has_nul(&value);
    assert_eq!(scan(value.to_string().as_bytes(), DEPTH).is_ok(), clean, "{value}");
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => {
            members.iter().any(|(name, it)| name.contains('\0') || has_nul(it))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
