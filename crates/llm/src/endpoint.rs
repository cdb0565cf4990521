//! Where the model server is: a URL that leaves no doubt about which host it means.

use url::Url;

/// How a server wants to be spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireFormat {
    /// `/api/chat`, lines of JSON.
    Ollama,
    /// `/v1/chat/completions`, server-sent events.
    OpenAi,
}

/// The base URL of a model server: http or https, a plain ASCII host, no credentials, no query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(Url);

/// Why a text is no usable URL of a model server. Says nothing of the text itself: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    #[error("it holds a space, a control character, a backslash or a character outside ASCII")]
    Characters,
    #[error("it is not a URL")]
    Syntax,
    #[error("its scheme is neither http nor https")]
    Scheme,
    #[error("it holds a user name or password")]
    Credentials,
    #[error("its host is percent-encoded or otherwise disguised")]
    Host,
    #[error("it holds a query or a fragment")]
    Query,
}

impl Endpoint {
    /// Reads a base URL. Odd spellings of an address (`0x7f.1`, `2130706433`) become the address that they mean.
    pub fn parse(text: &str) -> Result<Self, InvalidUrl> {
        // Before parsing: the parser silently drops tabs and line ends and takes a backslash for a slash.
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return Err(InvalidUrl::Characters);
        }
        let mut url = Url::parse(text).map_err(|error| doubt(&error))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidUrl::Scheme);
        }
        let after_scheme = text.split_once("://").ok_or(InvalidUrl::Syntax)?.1;
        let authority = after_scheme.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') || !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidUrl::Credentials);
        }
        if authority.contains('%') || authority.is_empty() {
            return Err(InvalidUrl::Host);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidUrl::Query);
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    pub fn url(&self) -> &Url {
        &self.0
    }

    /// Scheme, host and port, for messages.
    pub fn server(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// Where to send a conversation.
    pub(crate) fn chat(&self, format: WireFormat) -> Url {
        match format {
            WireFormat::Ollama => self.below(format, "chat"),
            WireFormat::OpenAi => self.below(format, "chat/completions"),
        }
    }

    /// Where to ask which models there are.
    pub(crate) fn models(&self, format: WireFormat) -> Url {
        match format {
            WireFormat::Ollama => self.below(format, "tags"),
            WireFormat::OpenAi => self.below(format, "models"),
        }
    }

    /// `path` below the API's root, which people give with the URL or leave out.
    fn below(&self, format: WireFormat, path: &str) -> Url {
        let base = self.0.path().trim_end_matches('/');
        let root = match format {
            WireFormat::Ollama if base.ends_with("/api") => "",
            WireFormat::Ollama => "/api",
            WireFormat::OpenAi if base.split('/').any(is_version) => "",
            WireFormat::OpenAi => "/v1",
        };
        let mut url = self.0.clone();
        url.set_path(&format!("{base}{root}/{path}"));
        url
    }
}

/// What a parser's complaint means here.
fn doubt(error: &url::ParseError) -> InvalidUrl {
    use url::ParseError::{
        IdnaError, InvalidDomainCharacter, InvalidIpv4Address, InvalidIpv6Address,
    };
    let about_host =
        [IdnaError, InvalidDomainCharacter, InvalidIpv4Address, InvalidIpv6Address].contains(error);
    if about_host { InvalidUrl::Host } else { InvalidUrl::Syntax }
}

/// `v1`, `v1beta`, …
fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|it: char| it.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_may_hold_the_root_of_the_api_or_leave_it_out() {
        check("http://localhost:11434", WireFormat::Ollama, "http://localhost:11434/api/chat");
        check("http://localhost:11434/", WireFormat::Ollama, "http://localhost:11434/api/chat");
        check("http://localhost:11434/api/", WireFormat::Ollama, "http://localhost:11434/api/chat");
        check("http://h/gpu/2", WireFormat::Ollama, "http://h/gpu/2/api/chat");
        check("http://h:1", WireFormat::OpenAi, "http://h:1/v1/chat/completions");
        check("http://h:1/v1", WireFormat::OpenAi, "http://h:1/v1/chat/completions");
        check("http://h:1/v1/", WireFormat::OpenAi, "http://h:1/v1/chat/completions");
        check(
            "https://h/v1beta/openai",
            WireFormat::OpenAi,
            "https://h/v1beta/openai/chat/completions",
        );
        check("http://0x7f.1:80", WireFormat::OpenAi, "http://127.0.0.1/v1/chat/completions");
        check("http://2130706433", WireFormat::OpenAi, "http://127.0.0.1/v1/chat/completions");
    }

    #[track_caller]
    fn check(text: &str, format: WireFormat, chat: &str) {
        assert_eq!(
            Endpoint::parse(text).map(|it| it.chat(format).to_string()),
            Ok(chat.to_owned())
        );
    }

    #[test]
    fn a_url_that_leaves_doubt_about_its_host_is_refused() {
        refused("http://localhost\0.evil.example", InvalidUrl::Characters);
        refused("http://local\thost", InvalidUrl::Characters);
        refused("http://localhost\\@evil.example", InvalidUrl::Characters);
        refused("http://lоcalhost", InvalidUrl::Characters);
        refused("http://localhost@evil.example", InvalidUrl::Credentials);
        refused("http://user:secret@localhost", InvalidUrl::Credentials);
        refused("http://@localhost", InvalidUrl::Credentials);
        refused("http://local%68ost", InvalidUrl::Host);
        refused("http://[::1", InvalidUrl::Host);
        refused("http://1.2.3.4.5", InvalidUrl::Host);
        refused("http://", InvalidUrl::Syntax);
        refused("http:/localhost", InvalidUrl::Syntax);
        refused("localhost:11434", InvalidUrl::Scheme);
        refused("file:///etc/passwd", InvalidUrl::Scheme);
        refused("http://localhost/?key=1", InvalidUrl::Query);
        refused("http://localhost/#a", InvalidUrl::Query);
        refused("", InvalidUrl::Syntax);
    }

    #[track_caller]
    fn refused(text: &str, expected: InvalidUrl) {
        assert_eq!(Endpoint::parse(text), Err(expected), "{text:?}");
    }
}
