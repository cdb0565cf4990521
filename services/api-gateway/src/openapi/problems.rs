//! What holds for all operations: how a caller is known, and what any request may be refused with.

use utoipa::{
    Modify,
    openapi::{
        Content, HeaderBuilder, ObjectBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder,
        path::{HttpMethod, Operation, PathItem},
        schema::Type,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

/// Adds the scheme by which callers are known.
pub(super) struct ApiKeys;

impl Modify for ApiKeys {
    fn modify(&self, document: &mut OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "An API key, `orch_…`. Beside each operation stands the scope that it needs: read, write, approve or admin; \
                 admin includes all.",
            ))
            .build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("apiKey", SecurityScheme::Http(scheme));
    }
}

/// Adds to every operation what it may be refused with.
pub(super) struct Problems;

impl Modify for Problems {
    fn modify(&self, document: &mut OpenApi) {
        for item in document.paths.paths.values_mut() {
            for (method, operation) in operations(item) {
                complete(&method, operation);
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    [
        (HttpMethod::Get, item.get.as_mut()),
        (HttpMethod::Put, item.put.as_mut()),
        (HttpMethod::Post, item.post.as_mut()),
        (HttpMethod::Patch, item.patch.as_mut()),
        (HttpMethod::Delete, item.delete.as_mut()),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.map(|operation| (method, operation)))
}

/// Problems by status, each with whether an operation may answer it.
fn complete(method: &HttpMethod, operation: &mut Operation) {
    let has = |place: &str| {
        operation.parameters.iter().flatten().any(|parameter| match parameter {
            RefOr::T(parameter) => {
                serde_json::to_value(&parameter.parameter_in).is_ok_and(|written| written == place)
            }
            RefOr::Ref(_) => false,
        })
    };
    let has_path = has("path");
    let has_parameters = has_path || has("query") || has("header");
    let has_body = operation.request_body.is_some();
    let is_guarded = operation.security.is_some();
    let may_create = matches!(method, HttpMethod::Post);
    let problems = [
        (
            400,
            "The request cannot be understood; the problem names the part.",
            has_parameters || has_body || may_create,
        ),
        (401, "There is no API key, or not one that is known.", is_guarded),
        (403, "The API key lacks the scope.", is_guarded),
        (404, "It does not exist.", has_path || has_body && is_guarded),
        (408, "The body came too slowly.", has_body),
        (413, "The body is too large.", has_body),
        (415, "The body is not sent as JSON.", has_body),
        (422, "A value is not acceptable; the problem names each.", has_body || may_create),
        (429, "Too many requests; `Retry-After` says when to go on.", is_guarded),
        (500, "The server failed.", is_guarded),
        (503, "Not now; `Retry-After` says when to go on.", is_guarded),
    ];
    for (status, description, may_happen) in problems {
        if may_happen {
            operation
                .responses
                .responses
                .entry(status.to_string())
                .or_insert_with(|| RefOr::T(problem(status, description)));
        }
    }
    fill(operation);
    operation
        .responses
        .responses
        .entry("default".to_owned())
        .or_insert_with(|| RefOr::T(problem(0, "Any other problem.")));
}

/// Problems that an operation describes itself have the same body as all others.
fn fill(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with(['4', '5'])
            && response.content.is_empty()
        {
            *response = problem(status.parse().unwrap_or(0), &response.description);
        }
    }
}

fn problem(status: u16, description: &str) -> Response {
    let text = |says: &str| {
        HeaderBuilder::new()
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .description(Some(says))
            .build()
    };
    let mut response = ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", Content::new(Some(Ref::from_schema_name("Problem"))));
    if status == 401 {
        response = response.header("WWW-Authenticate", text("How to say who asks (RFC 6750)."));
    }
    if matches!(status, 429 | 503) {
        let seconds = ObjectBuilder::new().schema_type(Type::Integer);
        let header = HeaderBuilder::new()
            .schema(Some(seconds))
            .description(Some("Seconds to wait."))
            .build();
        response = response.header("Retry-After", header);
    }
    response.build()
}
