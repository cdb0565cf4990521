//! The headers of a delivery, beside its signature.

/// Characters of an event's or a delivery's name.
const TOKEN_CHARS: usize = 64;

/// Events that GitHub documents and that may reach us; only these become metric labels.
const EVENTS: &[&str] = &[
    "branch_protection_configuration",
    "branch_protection_rule",
    "check_run",
    "check_suite",
    "code_scanning_alert",
    "commit_comment",
    "create",
    "custom_property",
    "custom_property_values",
    "delete",
    "dependabot_alert",
    "deploy_key",
    "deployment",
    "deployment_protection_rule",
    "deployment_review",
    "deployment_status",
    "discussion",
    "discussion_comment",
    "fork",
    "github_app_authorization",
    "gollum",
    "installation",
    "installation_repositories",
    "installation_target",
    "issue_comment",
    "issue_dependencies",
    "issues",
    "label",
    "marketplace_purchase",
    "member",
    "membership",
    "merge_group",
    "meta",
    "milestone",
    "org_block",
    "organization",
    "package",
    "page_build",
    "personal_access_token_request",
    "ping",
    "project",
    "project_card",
    "project_column",
    "projects_v2",
    "projects_v2_item",
    "projects_v2_status_update",
    "public",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "pull_request_review_thread",
    "push",
    "registry_package",
    "release",
    "repository",
    "repository_advisory",
    "repository_dispatch",
    "repository_import",
    "repository_ruleset",
    "repository_vulnerability_alert",
    "secret_scanning_alert",
    "secret_scanning_alert_location",
    "secret_scanning_scan",
    "security_advisory",
    "security_and_analysis",
    "sponsorship",
    "star",
    "status",
    "sub_issues",
    "team",
    "team_add",
    "watch",
    "workflow_dispatch",
    "workflow_job",
    "workflow_run",
];

/// The event as a metric label: its name if GitHub documents it, else `other`. The header comes from outside, and each new
/// label is memory for ever.
pub fn event_label(event: &str) -> &'static str {
    EVENTS.iter().find(|known| **known == event).copied().unwrap_or("other")
}

/// What the headers of a delivery say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryHeaders {
    /// `X-GitHub-Event`: `issues`, `push`, … Known or not.
    pub event: String,
    /// `X-GitHub-Delivery`: unique for each delivery, the same when it is sent again.
    pub delivery_id: String,
    /// `X-GitHub-Hook-ID`.
    pub hook_id: Option<i64>,
    /// `X-GitHub-Hook-Installation-Target-Type`: `repository`, `organization` or `integration` (an App).
    pub target_type: Option<String>,
    /// `X-GitHub-Hook-Installation-Target-ID`: of the repository, organization or App.
    pub target_id: Option<i64>,
    pub content_type: Option<String>,
}

/// Headers that no delivery of GitHub has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    #[error("there is no {header} header")]
    Missing { header: &'static str },
    #[error("there is more than one {header} header")]
    Repeated { header: &'static str },
    #[error("{header} is not {expected}")]
    Malformed { header: &'static str, expected: &'static str },
}

const EVENT: &str = "X-GitHub-Event";
const DELIVERY: &str = "X-GitHub-Delivery";
const HOOK: &str = "X-GitHub-Hook-ID";
const TARGET_TYPE: &str = "X-GitHub-Hook-Installation-Target-Type";
const TARGET_ID: &str = "X-GitHub-Hook-Installation-Target-ID";
const CONTENT_TYPE: &str = "Content-Type";

impl DeliveryHeaders {
    /// Reads a request's headers, names in any case.
    ///
    /// # Errors
    /// [`HeaderError`] if event or delivery are missing or are no tokens, or one of ours is there twice.
    pub fn from_headers<'h>(
        headers: impl IntoIterator<Item = (&'h str, &'h [u8])> + Clone,
    ) -> Result<Self, HeaderError> {
        let one = |header| one(headers.clone(), header);
        let number = |header| match one(header)? {
            None => Ok(None),
            Some(text) => text
                .parse()
                .map(Some)
                .map_err(|_malformed| HeaderError::Malformed { header, expected: "a number" }),
        };
        Ok(Self {
            event: token(EVENT, one(EVENT)?, |c| {
                c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_'
            })?,
            delivery_id: token(DELIVERY, one(DELIVERY)?, |c| {
                c.is_ascii_alphanumeric() || c == b'-'
            })?,
            hook_id: number(HOOK)?,
            target_type: one(TARGET_TYPE)?.map(|text| text.chars().take(TOKEN_CHARS).collect()),
            target_id: number(TARGET_ID)?,
            content_type: one(CONTENT_TYPE)?.map(str::to_owned),
        })
    }
}

/// The value of a header that may be there once.
fn one<'h>(
    headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
    header: &'static str,
) -> Result<Option<&'h str>, HeaderError> {
    let mut values = headers.into_iter().filter(|(name, _)| name.eq_ignore_ascii_case(header));
    let Some((_, value)) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(HeaderError::Repeated { header });
    }
    let text = std::str::from_utf8(value)
        .map_err(|_malformed| HeaderError::Malformed { header, expected: "text" })?;
    Ok(Some(text))
}

fn token(
    header: &'static str,
    text: Option<&str>,
    allowed: impl Fn(u8) -> bool,
) -> Result<String, HeaderError> {
    let text = text.ok_or(HeaderError::Missing { header })?;
    if (1..=TOKEN_CHARS).contains(&text.len()) && text.bytes().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err(HeaderError::Malformed { header, expected: "a token of at most 64 characters" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: (&str, &[u8]) = ("x-github-delivery", b"72d3162e-cc78-11e3-81ab-4c9367dc0958");

    #[test]
    fn the_headers_of_a_delivery_are_read() {
        let headers: [(&str, &[u8]); 6] = [
            ("X-GitHub-Event", b"pull_request"),
            ID,
            ("x-github-hook-id", b"292430182"),
            ("X-GitHub-Hook-Installation-Target-Type", b"integration"),
            ("X-GitHub-Hook-Installation-Target-ID", b"79929171"),
            ("content-type", b"application/json"),
        ];
        assert_eq!(
            DeliveryHeaders::from_headers(headers),
            Ok(DeliveryHeaders {
                event: "pull_request".to_owned(),
                delivery_id: "72d3162e-cc78-11e3-81ab-4c9367dc0958".to_owned(),
                hook_id: Some(292_430_182),
                target_type: Some("integration".to_owned()),
                target_id: Some(79_929_171),
                content_type: Some("application/json".to_owned()),
            })
        );
    }

    #[test]
    fn what_github_does_not_send_is_refused() {
        let check = |headers: &[(&str, &[u8])], expected: HeaderError| {
            assert_eq!(
                DeliveryHeaders::from_headers(headers.iter().copied()),
                Err(expected),
                "{headers:?}"
            );
        };
        let token = "a token of at most 64 characters";
        let event: (&str, &[u8]) = ("x-github-event", b"push");
        check(&[ID], HeaderError::Missing { header: EVENT });
        check(&[event], HeaderError::Missing { header: DELIVERY });
        check(&[event, event, ID], HeaderError::Repeated { header: EVENT });
        check(&[event, ID, ID], HeaderError::Repeated { header: DELIVERY });
        check(
            &[("x-github-event", b""), ID],
            HeaderError::Malformed { header: EVENT, expected: token },
        );
        check(
            &[("x-github-event", b"pu\nsh"), ID],
            HeaderError::Malformed { header: EVENT, expected: token },
        );
        check(
            &[("x-github-event", &[b'a'; 65]), ID],
            HeaderError::Malformed { header: EVENT, expected: token },
        );
        check(
            &[("x-github-event", b"\xff"), ID],
            HeaderError::Malformed { header: EVENT, expected: "text" },
        );
        for id in [&b""[..], b"a b", b"../x", b"a'b", &[b'a'; 65]] {
            let expected = HeaderError::Malformed { header: DELIVERY, expected: token };
            check(&[event, ("x-github-delivery", id)], expected);
        }
        check(
            &[event, ID, ("x-github-hook-id", b"one")],
            HeaderError::Malformed { header: HOOK, expected: "a number" },
        );
    }

    #[test]
    fn an_invented_event_is_no_label_of_its_own() {
        assert_eq!(["push", "pushed", ""].map(event_label), ["push", "other", "other"]);
        assert!(EVENTS.is_sorted());
    }
}
