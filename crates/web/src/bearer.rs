//! The `Authorization: Bearer …` header (RFC 6750).

use actix_web::http::header::{self, HeaderMap};
use secrecy::SecretString;

use crate::problem::Problem;

/// Characters of a token, at most: far more than any of ours has.
const TOKEN_CHARS: usize = 512;

/// The token of a request, `None` where there is no such header.
///
/// # Errors
/// 401 if the header is there more than once, has another scheme, or no token that could be one.
pub fn bearer(headers: &HeaderMap) -> Result<Option<SecretString>, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION);
    let Some(value) = values.next() else { return Ok(None) };
    let token = value
        .to_str()
        .ok()
        .filter(|_| values.next().is_none())
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .filter(|token| is_token(token));
    match token {
        Some(token) => Ok(Some(SecretString::from(token))),
        None => Err(Problem::unauthorized(
            "invalid_authorization",
            "send one header `Authorization: Bearer <API key>`",
        )),
    }
}

/// token68 of RFC 9110, section 11.2.
fn is_token(text: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || b"-._~+/=".contains(&c);
    (1..=TOKEN_CHARS).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_token_comes_from_one_bearer_header() {
        let check = |values: &[&str], expected: Result<Option<&str>, &str>| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            }
            let outcome = bearer(&headers);
            let outcome = outcome
                .as_ref()
                .map(|token| token.as_ref().map(ExposeSecret::expose_secret))
                .map_err(|problem| problem.body().code.as_str());
            assert_eq!(outcome, expected, "{values:?}");
        };
        check(&[], Ok(None));
        check(&["Bearer orch_abc.DEF-1=="], Ok(Some("orch_abc.DEF-1==")));
        check(&["bearer  x"], Ok(Some("x")));
        check(&["Bearer x", "Bearer x"], Err("invalid_authorization"));
        check(&["Basic dTpw"], Err("invalid_authorization"));
        check(&["Bearer"], Err("invalid_authorization"));
        check(&["Bearer "], Err("invalid_authorization"));
        check(&["Bearer a b"], Err("invalid_authorization"));
        check(&[&format!("Bearer {}", "x".repeat(513))], Err("invalid_authorization"));
    }
}
