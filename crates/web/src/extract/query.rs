//! Query strings.

use std::{
    collections::BTreeSet,
    future::{Ready, ready},
};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use crate::{
    extract::fault::field_error,
    problem::{FieldError, Problem},
};

/// The parameters of a query string, each at most once. `T` says with `deny_unknown_fields` that it knows them all.
#[derive(Clone, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(parse_query(request.query_string()).map(Self))
    }
}

/// Reads a query string strictly, as [`Query`] does.
///
/// # Errors
/// 400 `invalid_query` that names the parameter.
pub fn parse_query<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let mut seen = BTreeSet::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name.contains('\0') || value.contains('\0') {
            return Err(refused(FieldError::new(name, "it holds the NUL character")));
        }
        if let Some(twice) = seen.replace(name) {
            return Err(refused(FieldError::new(twice, "it is there more than once")));
        }
    }
    let parameters = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
    serde_path_to_error::deserialize(parameters)
        .map_err(|error| refused(field_error(error.path(), &error.inner().to_string(), false)))
}

fn refused(field: FieldError) -> Problem {
    Problem::bad_request(
        "invalid_query",
        format!("query parameter `{}`: {}", field.field, field.detail),
    )
    .with_error(field)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Filter {
        status: Option<Status>,
        run_id: Option<String>,
        limit: Option<u32>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Status {
        Queued,
        Running,
    }

    #[test]
    fn parameters_are_read_by_their_types() {
        let filter: Filter = parse_query("limit=7&status=queued&runId=a%20b+c").unwrap();
        assert_eq!(
            filter,
            Filter {
                status: Some(Status::Queued),
                run_id: Some("a b c".to_owned()),
                limit: Some(7)
            }
        );
    }

    #[test]
    fn the_parameter_that_is_wrong_is_named() {
        let check = |query: &str, expected: Value| {
            let problem = parse_query::<Filter>(query).unwrap_err();
            assert_eq!(
                serde_json::to_value(&problem.body().errors).unwrap(),
                json!([expected]),
                "{query}"
            );
        };
        check("limit=many", json!({"field": "limit", "detail": "invalid digit found in string"}));
        check(
            "limit=",
            json!({"field": "limit", "detail": "cannot parse integer from empty string"}),
        );
        check("limit=1&limit=2", json!({"field": "limit", "detail": "it is there more than once"}));
        check("runId=a%00b", json!({"field": "runId", "detail": "it holds the NUL character"}));
        check(
            "stat=queued",
            json!({
                "field": "stat",
                "detail": "unknown field `stat`, expected one of `status`, `runId`, `limit`",
                "allowed": ["status", "runId", "limit"],
            }),
        );
        check(
            "status=done",
            json!({
                "field": "status",
                "detail": "unknown variant `done`, expected `queued` or `running`",
                "allowed": ["queued", "running"],
            }),
        );
    }
}
