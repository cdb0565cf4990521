//! JSON merge patches (RFC 7396): what is changed, a line, and the change.

use serde_json::{Map, Value};
use store::merge_patch::merge_patch;

use crate::line;

pub(super) fn check(input: &[u8]) {
    let (target, patch) = line(input);
    let (Ok(target), Ok(patch)) =
        (serde_json::from_slice::<Value>(target), serde_json::from_slice::<Value>(patch))
    else {
        return;
    };
    let merged = |target: &Value, patch: &Value| {
        let mut merged = target.clone();
        merge_patch(&mut merged, patch.clone());
        merged
    };
    let once = merged(&target, &patch);
    assert_eq!(once, model(&target, &patch), "as the RFC's own words");
    assert_eq!(merged(&once, &patch), once, "twice is once");
    let nothing = Value::Object(Map::new());
    if once.is_object() {
        assert_eq!(merged(&once, &nothing), once, "nothing changes nothing");
    }
    assert_eq!(merged(&target, &Value::Null), Value::Null);
}

/// The RFC's pseudocode as a value: each member of the result has one reason to be there.
fn model(target: &Value, patch: &Value) -> Value {
    let Value::Object(changes) = patch else { return patch.clone() };
    let nothing = Map::new();
    let old = target.as_object().unwrap_or(&nothing);
    let kept = old.iter().filter(|(name, _)| !changes.contains_key(*name));
    let kept = kept.map(|(name, value)| (name.clone(), value.clone()));
    let set = changes
        .iter()
        .filter(|(_, change)| !change.is_null())
        .map(|(name, change)| (name.clone(), model(old.get(name).unwrap_or(&Value::Null), change)));
    Value::Object(kept.chain(set).collect())
}
