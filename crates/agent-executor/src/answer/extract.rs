//! Finds the JSON object in what a model said: servers without constrained decoding wrap it in prose, fences or thoughts.

use serde_json::Value;

/// Places at which an object may begin that are tried; more is not an answer but noise.
const TRIES: usize = 64;

/// The largest object in `text` that can be read to its end. Thoughts in `<think>` tags do not count.
pub(super) fn object(text: &str) -> Option<Value> {
    let text = text.rsplit_once("</think>").map_or(text, |(_thoughts, rest)| rest);
    let mut best: Option<(usize, Value)> = None;
    let mut from = 0;
    for _ in 0..TRIES {
        let Some(at) = text[from..].find('{') else { break };
        let start = from + at;
        let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => {
                let length = values.byte_offset();
                if best.as_ref().is_none_or(|(longest, _)| length > *longest) {
                    best = Some((length, value));
                }
                from = start + length;
            }
            _ => from = start + 1,
        }
    }
    best.map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_object_is_found_in_whatever_surrounds_it() {
        check(r#"{"a":1}"#, Some(json!({"a": 1})));
        check(
            "Sure! Here it is:\n```json\n{\"a\": {\"b\": \"}\"}}\n```\nAnything else?",
            Some(json!({"a": {"b": "}"}})),
        );
        check("<think>maybe {\"a\": 0}?</think>\n{\"a\":1}", Some(json!({"a": 1})));
        check("use {braces} or {\"a\":1}", Some(json!({"a": 1})));
        check("{} {\"a\":1}", Some(json!({"a": 1})));
        check("{\"a\":1} trailing }", Some(json!({"a": 1})));
        check("{\"a\":", None);
        check("[1]", None);
        check("", None);
        check(&"{".repeat(100_000), None);
    }

    #[track_caller]
    fn check(text: &str, expected: Option<Value>) {
        assert_eq!(object(text), expected, "{text:.80}");
    }
}
