use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{error::Code, names, routes::ROUTES};

/// Enums of the description that are the API's own.
const OWN: [(&str, &[&str]); 3] = [
    ("NewTaskKind", &["single"]),
    ("EventStatus", &["accepted", "skipped"]),
    (
        "CheckOutcome",
        &[
            "queued",
            "pending",
            "in_progress",
            "completed",
            "success",
            "failure",
            "error",
            "cancelled",
            "skipped",
            "neutral",
            "timed_out",
            "action_required",
            "startup_failure",
            "stale",
        ],
    ),
];

fn document() -> Value {
    serde_json::from_slice(&super::as_json(false)).unwrap()
}

fn operations(document: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (path, method, operation))
    })
}

#[test]
fn it_is_openapi_3_1() {
    assert_eq!(document()["openapi"], "3.1.0");
}

#[test]
fn every_route_is_described_and_every_description_is_a_route() {
    let probes =
        [("/health", "get"), ("/ready", "get"), ("/metrics", "get"), ("/openapi.json", "get")];
    let served: BTreeSet<(String, String)> = ROUTES
        .iter()
        .flat_map(|(path, methods)| methods.iter().map(move |method| (*path, *method)))
        .chain(probes)
        .map(|(path, method)| (path.to_owned(), method.to_owned()))
        .collect();
    let document = document();
    let described: BTreeSet<(String, String)> =
        operations(&document).map(|(path, method, _)| (path.clone(), method.clone())).collect();
    assert_eq!(described, served);
}

#[test]
fn every_closed_list_is_the_one_that_the_domain_has() {
    let document = document();
    let described: BTreeMap<&str, Vec<&str>> = document["components"]["schemas"]
        .as_object()
        .unwrap()
        .iter()
        .filter_map(|(name, schema)| {
            let names = schema["enum"].as_array()?;
            Some((name.as_str(), names.iter().map(|it| it.as_str().unwrap()).collect()))
        })
        .collect();
    let expected: BTreeMap<&str, Vec<&str>> = names::all()
        .into_iter()
        .chain(OWN.iter().map(|(name, names)| (*name, names.to_vec())))
        .collect();
    assert_eq!(described, expected);
}

#[test]
fn nothing_in_it_is_null() {
    fn check(place: &str, value: &Value) {
        match value {
            Value::Null => panic!("{place} is null"),
            Value::Object(members) => {
                members.iter().for_each(|(name, it)| check(&format!("{place}/{name}"), it))
            }
            Value::Array(items) => items.iter().for_each(|it| check(place, it)),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    check("", &document());
}

#[test]
fn operations_have_names_of_their_own() {
    let document = document();
    let mut seen = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(seen.insert(id.to_owned()), "{method} {path}: `{id}` is there twice");
        assert!(operation["summary"].is_string(), "{method} {path}");
    }
}

#[test]
fn every_failure_is_a_problem() {
    let document = document();
    let problem =
        json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
    for (path, method, operation) in operations(&document) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let is_readiness = path == "/ready" && status == "503";
            if (status.starts_with(['4', '5']) || status == "default") && !is_readiness {
                assert_eq!(response["content"], problem, "{method} {path} {status}");
            }
        }
    }
}

#[test]
fn every_guarded_operation_names_one_scope() {
    let document = document();
    for (path, method, operation) in operations(&document) {
        let open = operation["tags"][0] == "service";
        let scopes = operation["security"][0]["apiKey"].as_array().map(Vec::len);
        assert_eq!(scopes, (!open).then_some(1), "{method} {path}");
    }
}

#[test]
fn no_body_of_a_request_has_room_for_unknown_fields() {
    let document = document();
    for (path, method, operation) in operations(&document) {
        let Some(content) = operation["requestBody"]["content"].as_object() else { continue };
        for schema in content.values().map(|it| &it["schema"]) {
            for name in referred(schema) {
                let schema = &document["components"]["schemas"][&name];
                if name == "JsonObject" {
                    continue;
                }
                assert_eq!(schema["additionalProperties"], false, "{method} {path}: {name}");
            }
        }
    }
}

fn referred(schema: &Value) -> Vec<String> {
    let one = |schema: &Value| Some(schema["$ref"].as_str()?.rsplit('/').next()?.to_owned());
    let alternatives = schema["oneOf"].as_array().into_iter().flatten();
    one(schema).into_iter().chain(alternatives.filter_map(one)).collect()
}

#[test]
fn statuses_of_codes_are_described_somewhere() {
    let document = document();
    let described: BTreeSet<String> = operations(&document)
        .flat_map(|(_, _, operation)| operation["responses"].as_object().unwrap().keys().cloned())
        .collect();
    for code in Code::ALL {
        let status = code.status().as_u16().to_string();
        // 405 is what no operation answers: `default` describes it.
        assert!(described.contains(&status) || status == "405", "{}", code.name());
    }
}

#[test]
fn the_description_changes_only_on_purpose() {
    insta::assert_json_snapshot!("openapi", document());
}
