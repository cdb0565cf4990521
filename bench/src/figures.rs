//! Numbers as they are shown and kept.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Map, Value, json};

/// A number with so many digits behind the point.
pub(crate) fn rounded(value: f64, digits: i32) -> Value {
    let scale = 10_f64.powi(digits);
    json!((value * scale).round() / scale)
}

/// So many in a time, by the second.
pub(crate) fn per_second(count: usize, elapsed: Duration) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "a count of tasks is far below 2^52")]
    let count = count as f64;
    rounded(count / elapsed.as_secs_f64(), 1)
}

/// Numbers by name, each with so many digits behind the point.
pub(crate) fn all_rounded(values: &BTreeMap<String, f64>, digits: i32) -> Value {
    let members = values.iter().map(|(name, it)| (name.clone(), rounded(*it, digits)));
    Value::Object(members.collect::<Map<_, _>>())
}

/// Percentiles of times in milliseconds (nearest rank), and how many there are.
pub(crate) fn percentiles(mut ms: Vec<f64>) -> Value {
    ms.sort_by(f64::total_cmp);
    json!({
        "p50": rank(&ms, 50),
        "p90": rank(&ms, 90),
        "p99": rank(&ms, 99),
        "max": rank(&ms, 100),
        "count": ms.len(),
    })
}

fn rank(sorted: &[f64], percent: usize) -> Value {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).map_or(Value::Null, |it| rounded(*it, 3))
}

/// The middle one of some values; null if there is none.
pub(crate) fn median(mut values: Vec<f64>) -> Value {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).map_or(Value::Null, |it| rounded(*it, 1))
}

/// Every number of a value under its path, for a table. Tables of statements come apart.
pub(crate) fn flat(
    path: &str,
    value: &Value,
    lines: &mut Vec<(String, String)>,
    statements: &mut Vec<(String, Value)>,
) {
    match value {
        Value::Object(members) => {
            for (name, it) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                if name == "statements" {
                    statements.push((path, it.clone()));
                } else {
                    flat(&path, it, lines, statements);
                }
            }
        }
        Value::Null => {}
        Value::Array(items) => {
            for (index, it) in items.iter().enumerate() {
                flat(&format!("{path}.{index}"), it, lines, statements);
            }
        }
        Value::String(text) => lines.push((path.to_owned(), text.clone())),
        Value::Bool(_) | Value::Number(_) => lines.push((path.to_owned(), value.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let all = percentiles((1..=200).rev().map(f64::from).collect());
        let expected =
            json!({ "p50": 100.0, "p90": 180.0, "p99": 198.0, "max": 200.0, "count": 200 });
        assert_eq!(all, expected);
        assert_eq!(percentiles(vec![3.0])["p99"], json!(3.0));
        assert_eq!(percentiles(Vec::new())["p50"], Value::Null);
    }

    #[test]
    fn a_table_has_a_line_for_each_number() {
        let mut lines = Vec::new();
        let mut statements = Vec::new();
        let value = json!({ "a": { "b": 1, "c": null, "statements": [2] }, "d": ["x"] });
        flat("", &value, &mut lines, &mut statements);
        let expected = [("a.b", "1"), ("d.0", "x")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(lines, expected);
        assert_eq!(statements, [("a.statements".to_owned(), json!([2]))]);
    }
}
