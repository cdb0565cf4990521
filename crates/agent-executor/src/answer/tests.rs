use std::fmt::Write;

use super::*;

const TYPED: [(AnswerForm, ResponseFormat); 6] = [
    (AnswerForm::Plan, ResponseFormat::Text),
    (AnswerForm::ChangeSet, ResponseFormat::Text),
    (AnswerForm::Review, ResponseFormat::Text),
    (AnswerForm::TestReport, ResponseFormat::Text),
    (AnswerForm::Decision, ResponseFormat::Text),
    (AnswerForm::Free, ResponseFormat::StructuredJson),
];

#[test]
fn a_bounded_schema_has_no_reference_and_a_bound_on_everything() {
    for (answer, format) in TYPED {
        for chars in [0, 600, 2_400, 100_000] {
            let schema = schema(answer, format, chars, Fit::Tight).unwrap();
            assert!(jsonschema::validator_for(&schema.value).is_ok(), "{}", schema.name);
            let mut loose = String::new();
            find_loose(&schema.value, "", &mut loose);
            // Only a text that is longer than a grammar can count may be without its bound.
            let allowed = chars == 100_000;
            assert!(allowed || loose.is_empty(), "{} at {chars}: {loose}", schema.name);
        }
    }
}

fn find_loose(schema: &Value, at: &str, loose: &mut String) {
    let is = |kind: &str| match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.contains(&json!(kind)),
        Some(one) => one == kind,
        None => false,
    };
    let missing =
        (is("string") && schema.get("enum").is_none() && schema.get("maxLength").is_none())
            || (is("array") && schema.get("maxItems").is_none())
            || (is("integer") && schema.get("maximum").is_none())
            || (is("object") && schema["additionalProperties"] != json!(false))
            || (schema.get("type").is_none() && schema.get("enum").is_none())
            || schema.get("$ref").is_some();
    if missing {
        writeln!(loose, "{at}: {schema}").unwrap();
    }
    for (name, property) in
        schema.get("properties").and_then(Value::as_object).into_iter().flatten()
    {
        find_loose(property, &format!("{at}/{name}"), loose);
    }
    if let Some(items) = schema.get("items") {
        find_loose(items, &format!("{at}/*"), loose);
    }
}

#[test]
fn the_longest_bounded_answer_is_about_as_long_as_was_asked_for_and_valid() {
    for (answer, format) in TYPED {
        for chars in [2_400, 12_000] {
            let schema = schema(answer, format, chars, Fit::Tight).unwrap();
            let longest = longest(&schema.value);
            let text = longest.to_string();
            assert!(text.len() <= chars * 11 / 10, "{}: {} of {chars}", schema.name, text.len());
            assert!(read(answer, format, &text).is_ok(), "{}", schema.name);
            assert!(jsonschema::is_valid(&schema.value, &longest));
        }
    }
}

/// The answer that uses every bound to the full.
fn longest(schema: &Value) -> Value {
    if let Some(names) = schema.get("enum").and_then(Value::as_array) {
        return names.iter().max_by_key(|it| it.to_string().len()).unwrap().clone();
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        return properties.iter().map(|(name, it)| (name.clone(), longest(it))).collect();
    }
    if let Some(items) = schema.get("items") {
        return vec![
            longest(items);
            usize::try_from(schema["maxItems"].as_u64().unwrap()).unwrap()
        ]
        .into();
    }
    let count = |name: &str| {
        usize::try_from(schema.get(name).and_then(Value::as_u64).unwrap_or(100)).unwrap()
    };
    let is = |kind: &str| schema["type"] == kind || schema["type"][0] == kind;
    match () {
        () if is("string") => "x".repeat(count("maxLength")).into(),
        () if is("integer") => schema["maximum"].clone(),
        () => false.into(),
    }
}

#[test]
fn a_change_sets_bounds_favour_content() {
    let schema = schema(AnswerForm::ChangeSet, ResponseFormat::Text, 2_400, Fit::Tight).unwrap();
    insta::assert_snapshot!(schema.value.to_string(), @r#"{"additionalProperties":false,"properties":{"changes":{"items":{"additionalProperties":false,"properties":{"action":{"enum":["write","delete"],"type":"string"},"content":{"maxLength":936,"type":"string"},"path":{"maxLength":101,"type":"string"}},"required":["action","content","path"],"type":"object"},"maxItems":2,"type":"array"},"summary":{"maxLength":216,"type":"string"}},"required":["changes","summary"],"type":"object"}"#);
}

#[test]
fn a_first_answer_has_room_for_one_whole_file_and_says_if_it_was_cut() {
    let content = |chars| {
        let schema =
            schema(AnswerForm::ChangeSet, ResponseFormat::Text, chars, Fit::Roomy).unwrap();
        schema.value["properties"]["changes"]["items"]["properties"]["content"].clone()
    };
    assert_eq!(content(2_000), json!({"type": "string", "maxLength": 1_600}));
    assert_eq!(content(24_000), json!({"type": "string"}));

    let schema = schema(AnswerForm::ChangeSet, ResponseFormat::Text, 2_000, Fit::Roomy).unwrap();
    let change = |length| json!({"path": "a", "action": "write", "content": "é".repeat(length)});
    let output = json!({"summary": "", "changes": [change(1_599), change(1_600)]});
    assert_eq!(
        perhaps_cut(&schema, &output),
        ["/changes/1/content is exactly as long as it may be: its end may be missing"]
    );
}

#[test]
fn the_outline_of_a_review_says_what_belongs_where() {
    insta::assert_snapshot!(outline(AnswerForm::Review, ResponseFormat::Text).unwrap(), @r#"
    {
      "comments": [{
        "body": <string: The remark>,
        "line": <integer or null: The line that it is about, counted from 1; null for the whole file>,
        "path": <string: The file that it is about, relative to the root of the repository>,
        "severity": "minor" or "major" or "info" or "critical",
      }] (What to change or to know, each at its place),
      "summary": <string: Why, in a few sentences>,
      "verdict": "approve" or "request_changes",
    }
    "#);
}

#[test]
fn what_is_wrong_is_said_so_that_the_model_can_mend_it() {
    wrong("no idea", "the answer holds no JSON object that can be read to its end");
    wrong(r#"{"decision": "merge"}"#, "at the object: \"reasons\" is a required property");
    wrong(
        r#"{"decision": "ship", "reasons": []}"#,
        "at /decision: it is none of [\"open_pr\",\"ask_human\",\"reject\",\"merge\"]",
    );
    wrong(r#"{"decision": "merge", "reasons": [1]}"#, "at /reasons/0: 1 is not of type \"string\"");
    wrong(
        r#"{"decision": "merge", "reasons": [], "force": true}"#,
        "at the object: Additional properties are not allowed ('force' was unexpected)",
    );
}

#[track_caller]
fn wrong(text: &str, complaint: &str) {
    assert_eq!(
        read(AnswerForm::Decision, ResponseFormat::Text, text),
        Err(vec![complaint.to_owned()]),
        "{text}"
    );
}

#[test]
fn complaints_are_few_and_short() {
    let text = json!({"decision": "x".repeat(100_000), "reasons": vec![1; 1_000]}).to_string();
    let complaints = read(AnswerForm::Decision, ResponseFormat::Text, &text).unwrap_err();
    assert_eq!(complaints.len(), COMPLAINTS);
    assert!(complaints.iter().all(|it| it.chars().count() < 2 * COMPLAINT_CHARS), "{complaints:?}");
}

#[test]
fn an_answer_never_holds_what_the_database_cannot() {
    let text = r#"{"decision": "merge", "reasons": ["a\u0000b"]}"#;
    let output = read(AnswerForm::Decision, ResponseFormat::Text, text).unwrap().output;
    assert_eq!(output, json!({"decision": "merge", "reasons": ["a␀b"]}));
    let text = read(AnswerForm::Free, ResponseFormat::Text, " a\0b ").unwrap().output;
    assert_eq!(text, json!({"text": "a␀b"}));
}

#[test]
fn a_number_out_of_its_range_is_wrong() {
    let report = |coverage: Value| {
        let report = json!({"commands": [], "passed": true, "failures": [], "coverage": coverage, "summary": ""});
        read(AnswerForm::TestReport, ResponseFormat::Text, &report.to_string()).is_ok()
    };
    assert_eq!(
        [json!(null), json!(0), json!(99.5), json!(101), json!(-1)].map(report),
        [true, true, true, false, false]
    );
}
