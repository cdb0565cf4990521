//! Query strings.

use serde::Deserialize;

/// As the lists of the API have them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "some are only read")]
struct Filter {
    q: Option<String>,
    run_id: Option<domain::ids::RunId>,
    role: Option<domain::role::Role>,
    limit: Option<u32>,
}

/// What is refused says which parameter; what is accepted can be stored.
pub(super) fn check(input: &[u8]) {
    let query = String::from_utf8_lossy(input);
    match web::extract::parse_query::<Filter>(&query) {
        Ok(Filter { q, .. }) => assert!(!q.unwrap_or_default().contains('\0'), "{query}"),
        Err(problem) => {
            let body = problem.body();
            assert_eq!((body.status, body.code.as_str()), (400, "invalid_query"), "{query}");
            assert_eq!(body.errors.len(), 1, "{query}");
        }
    }
}
