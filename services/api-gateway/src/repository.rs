//! What a client may name as a repository. Whether it exists, a worker finds out.

use url::{Host, Url};

use crate::faults::Faults;

/// Characters of a repository's name or address.
pub(crate) const REPOSITORY_CHARS: usize = 2_048;
/// Characters of an owner, and of a name.
const NAME_CHARS: usize = 100;

/// Adds to `faults` what is wrong with a repository: `owner/name`, an http or https URL, and, where `allow_local` is set, an
/// absolute path or file URL.
pub(crate) fn check(faults: &mut Faults, repository: Option<&str>, allow_local: bool) {
    if let Some(Err(detail)) = repository.map(|given| understand(given, allow_local)) {
        faults.add("repository", detail);
    }
}

fn understand(given: &str, allow_local: bool) -> Result<(), &'static str> {
    const LOCAL: &str = "local paths are not allowed here: ORCH_GIT_ALLOW_LOCAL allows them";
    if given.chars().count() > REPOSITORY_CHARS {
        return Err("it is too long");
    }
    if given.chars().any(char::is_control) {
        return Err("it has a control character");
    }
    if given.starts_with('/') {
        return if allow_local { Ok(()) } else { Err(LOCAL) };
    }
    if given.starts_with("file://") && !allow_local {
        return Err(LOCAL);
    }
    if given.contains("://") {
        return Url::parse(given)
            .map_err(|_unreadable| "the URL cannot be read")
            .and_then(|url| check_url(given, &url));
    }
    let (owner, name) = given.split_once('/').ok_or("use `owner/name` or an https URL")?;
    if is_name(owner) && is_name(name.strip_suffix(".git").unwrap_or(name)) {
        Ok(())
    } else {
        Err("use `owner/name`, of letters, digits, `-`, `_` and `.`, or an https URL")
    }
}

fn check_url(given: &str, url: &Url) -> Result<(), &'static str> {
    if given.starts_with("file://") {
        return if url.to_file_path().is_ok() {
            Ok(())
        } else {
            Err("a file URL names no other host")
        };
    }
    let rest = given.strip_prefix("https://").or_else(|| given.strip_prefix("http://"));
    let rest = rest.ok_or("only https and http URLs are spoken")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("credentials do not belong into a URL");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("a repository's URL has no query and no fragment");
    }
    let plain_host = match url.host() {
        Some(Host::Domain(name)) => {
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
        }
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        None => false,
    };
    let (_, path) = rest.split_once('/').ok_or("the URL has no path")?;
    let plain_path =
        path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._~+%@,=:-".contains(&byte));
    if !plain_host || !plain_path {
        return Err("the URL has characters that addresses of repositories do not have");
    }
    if path.trim_matches('/').is_empty() { Err("the URL has no path") } else { Ok(()) }
}

/// Up to two dots, a letter, digit or underscore, and then what else names have.
fn is_name(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let allowed = |byte: u8| word(byte) || matches!(byte, b'-' | b'.');
    let undotted = text.strip_prefix("..").or_else(|| text.strip_prefix('.')).unwrap_or(text);
    undotted.bytes().next().is_some_and(word)
        && text.len() <= NAME_CHARS
        && text.bytes().all(allowed)
}

/// The form of what [`check`] lets through, for the API's description. IPv6 hosts pass as well.
pub(crate) fn form(allow_local: bool) -> String {
    const NAME: &str = r"\.{0,2}[A-Za-z0-9_][A-Za-z0-9_.-]{0,96}";
    const BYTE: &str = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
    const LABEL: &str = "([A-Za-z0-9-]*[A-Za-z0-9])?";
    const PATH: &str = "(/+[A-Za-z0-9._~+%@,=:-]+)+/*";
    let local = if allow_local { r"|(file://)?(/[^\u0000-\u001f\u007f-\u009f/?#%]+)+" } else { "" };
    let host = format!(r"([A-Za-z0-9]{LABEL}\.)*[A-Za-z]{LABEL}|{BYTE}(\.{BYTE}){{3}}");
    format!("^({NAME}/{NAME}|https?://({host})(:[1-5]?[0-9]{{1,4}})?{PATH}{local})$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_named_in_few_ways() {
        for (given, remote, local) in [
            ("owner/name", true, true),
            ("owner/name.git", true, true),
            ("https://example.org/a/b.git", true, true),
            ("http://example.org:8080/a", true, true),
            ("http://127.0.0.1:8080/a.git", true, true),
            ("https://[::1]/a/b+c/%20", true, true),
            ("https://example.org/a b", false, false),
            ("https://example.org/a*", false, false),
            ("https://exa!mple.org/a", false, false),
            ("/srv/repo", false, true),
            ("file:///srv/repo", false, true),
            ("file://host/srv/repo", false, false),
            ("https://me:secret@example.org/a", false, false),
            ("https://token@example.org/a", false, false),
            ("https://example.org/", false, false),
            ("https://example.org/a?b", false, false),
            ("ssh://git@example.org/a", false, false),
            ("git@example.org:a/b", false, false),
            ("ext::sh -c id", false, false),
            ("owner/name/more", false, false),
            ("-o/name", false, false),
            ("../name", false, false),
            ("owner", false, false),
            ("owner/na\nme", false, false),
            ("", false, false),
        ] {
            assert_eq!(understand(given, false).is_ok(), remote, "{given:?}");
            assert_eq!(
                understand(given, true).is_ok(),
                local,
                "{given:?} where local ones are allowed"
            );
        }
    }

    #[test]
    fn names_begin_with_a_word_behind_up_to_two_dots() {
        for (name, expected) in [
            (".github", true),
            ("..a", true),
            ("_", true),
            ("a.-", true),
            ("...", false),
            ("-a", false),
            (".-a", false),
        ] {
            assert_eq!(is_name(name), expected, "{name}");
        }
    }

    #[test]
    fn what_is_told_does_not_repeat_a_secret() {
        let detail = understand("https://me:hunter2@example.org/a", false).unwrap_err();
        assert!(!detail.contains("hunter2"), "{detail}");
    }
}
