//! Where a repository lives.

use std::{fmt, path::PathBuf, str::FromStr};

use url::Url;

use crate::Error;

/// The whereabouts of a repository, as a person names it. Whether it may be used is [`crate::WorkspaceArgs`]' to say.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RepositoryLocation {
    /// `owner/name` on the host that `ORCH_GIT_BASE_URL` names.
    Hosted { owner: String, name: String },
    /// An http or https URL without user, password, query or fragment.
    Web(Url),
    /// An absolute path on this machine.
    Local(PathBuf),
}

impl RepositoryLocation {
    /// Understands `owner/name`, an https or http URL, a file URL and an absolute path.
    ///
    /// # Errors
    /// [`Error::InvalidLocation`] for everything else: other protocols (`ssh`, `git`, `ext::`), credentials in a URL, relative
    /// paths.
    pub fn parse(given: &str) -> Result<Self, Error> {
        Self::understand(given.trim())
            .map_err(|reason| Error::InvalidLocation { given: without_credentials(given), reason })
    }

    fn understand(given: &str) -> Result<Self, &'static str> {
        if given.is_empty() {
            return Err("it is empty");
        }
        if given.chars().any(char::is_control) {
            return Err("it has a control character");
        }
        if given.starts_with('/') {
            return Ok(Self::Local(PathBuf::from(given)));
        }
        if given.contains("://") {
            return from_url(given);
        }
        if given.contains([':', '@', '\\']) {
            return Err("ssh and other transports are not spoken");
        }
        if given.starts_with(['.', '~']) {
            return Err("a path must be absolute");
        }
        let (owner, name) = given.split_once('/').ok_or("it has no owner")?;
        let name = name.strip_suffix(".git").unwrap_or(name);
        if is_name(owner) && is_name(name) {
            Ok(Self::Hosted { owner: owner.to_owned(), name: name.to_owned() })
        } else {
            Err("owner and name are made of letters, digits, `-`, `_` and `.`")
        }
    }
}

fn from_url(given: &str) -> Result<RepositoryLocation, &'static str> {
    let url = Url::parse(given).map_err(|_invalid| "the URL cannot be read")?;
    match url.scheme() {
        "https" | "http" => {}
        "file" => {
            let path = url.to_file_path().map_err(|()| "a file URL names no other host")?;
            return Ok(RepositoryLocation::Local(path));
        }
        _ => return Err("only https, http and file URLs are spoken"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("credentials do not belong into a URL, set ORCH_GIT_TOKEN");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("a repository's URL has no query and no fragment");
    }
    if url.path().trim_matches('/').is_empty() {
        return Err("the URL has no path");
    }
    Ok(RepositoryLocation::Web(url))
}

fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !matches!(text, "" | "." | "..")
        && !text.starts_with('-')
        && text.len() <= 100
        && text.bytes().all(allowed)
}

/// The text for a message: bounded, and without what stands before an `@`, where a password may be.
fn without_credentials(given: &str) -> String {
    let short: String = given.chars().filter(|it| !it.is_control()).take(200).collect();
    let Some((before, after)) = short.rsplit_once('@') else { return short };
    let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
    if scheme.is_empty() { format!("…@{after}") } else { format!("{scheme}://…@{after}") }
}

impl FromStr for RepositoryLocation {
    type Err = Error;

    fn from_str(given: &str) -> Result<Self, Error> {
        Self::parse(given)
    }
}

impl fmt::Display for RepositoryLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hosted { owner, name } => write!(f, "{owner}/{name}"),
            Self::Web(url) => write!(f, "{url}"),
            Self::Local(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_named_in_four_ways() {
        check("owner/name", Ok("owner/name"));
        check("owner/name.git", Ok("owner/name"));
        check("https://github.com/owner/name.git", Ok("https://github.com/owner/name.git"));
        check("http://127.0.0.1:8080/o/r", Ok("http://127.0.0.1:8080/o/r"));
        check("file:///srv/repo", Ok("/srv/repo"));
        check("/srv/repo", Ok("/srv/repo"));
        check("  owner/name\n", Ok("owner/name"));
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        check("", Err("it is empty"));
        check("name", Err("it has no owner"));
        check("./repo", Err("a path must be absolute"));
        check("../repo", Err("a path must be absolute"));
        check("~/repo", Err("a path must be absolute"));
        check("a/b/c", Err("owner and name are made of letters, digits, `-`, `_` and `.`"));
        check(
            "--upload-pack=x/y",
            Err("owner and name are made of letters, digits, `-`, `_` and `.`"),
        );
        check("owner/..", Err("owner and name are made of letters, digits, `-`, `_` and `.`"));
        check("git@github.com:owner/name", Err("ssh and other transports are not spoken"));
        check("ext::sh -c id", Err("ssh and other transports are not spoken"));
        check("ssh://git@github.com/owner/name", Err("only https, http and file URLs are spoken"));
        check("git://github.com/owner/name", Err("only https, http and file URLs are spoken"));
        check("ext::https://x/y", Err("only https, http and file URLs are spoken"));
        check(
            "https://u:p@github.com/o/r",
            Err("credentials do not belong into a URL, set ORCH_GIT_TOKEN"),
        );
        check("https://github.com/o/r?x=1", Err("a repository's URL has no query and no fragment"));
        check("https://github.com/", Err("the URL has no path"));
        check("file://elsewhere/srv/repo", Err("a file URL names no other host"));
        check("owner/na\0me", Err("it has a control character"));
    }

    #[test]
    fn a_refusal_does_not_repeat_a_password() {
        let error = RepositoryLocation::parse("https://user:hunter2@github.com/o/r").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`https://…@github.com/o/r` is not a repository: credentials do not belong into a URL, set ORCH_GIT_TOKEN; \
             use owner/name, an https URL or an absolute path"
        );
    }

    #[track_caller]
    fn check(given: &str, expected: Result<&str, &str>) {
        match (RepositoryLocation::parse(given), expected) {
            (Ok(location), Ok(shown)) => assert_eq!(location.to_string(), shown),
            (Err(Error::InvalidLocation { reason, .. }), Err(expected)) => {
                assert_eq!(reason, expected, "{given}")
            }
            (result, expected) => panic!("{given}: {result:?}, expected {expected:?}"),
        }
    }
}
