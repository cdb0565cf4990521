//! Where the server is, and who asks.

use std::{fs, path::PathBuf};

use clap::{Args, value_parser};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::failure::Failure;

/// The server that a command talks to.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServerArgs {
    /// URL of the API.
    #[arg(long, global = true, env = "ORCH_SERVER", default_value = "http://127.0.0.1:8080", value_parser = parse_server, value_name = "URL")]
    pub(crate) server: Url,

    /// File whose first line is the API key. The key itself may be in `ORCH_API_KEY`; it is never an argument.
    #[arg(long, global = true, env = "ORCH_API_KEY_FILE", value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,

    /// The API key. Only by environment: as an argument, which every user of the machine can read, it is refused.
    #[arg(
        long,
        global = true,
        env = "ORCH_API_KEY",
        hide = true,
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub(crate) api_key: Option<SecretString>,

    /// Seconds to wait for a server that goes away while a run is followed.
    #[arg(long, global = true, env = "ORCH_SERVER_PATIENCE_SECONDS", default_value_t = 60, value_parser = value_parser!(u64).range(0..=86_400), value_name = "SECONDS")]
    pub(crate) server_patience_seconds: u64,
}

impl ServerArgs {
    /// The key, if there is one; a file is preferred to the variable.
    pub(super) fn key(&self) -> Result<Option<SecretString>, Failure> {
        let Some(file) = self.key_file.as_ref().filter(|it| !it.as_os_str().is_empty()) else {
            let key = self.api_key.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
            return readable(key, "ORCH_API_KEY");
        };
        let text = fs::read_to_string(file).map_err(|error| {
            Failure::usage(format!("the key file {} cannot be read: {error}", file.display()))
        })?;
        let key = readable(text.lines().next().unwrap_or_default(), &file.display().to_string())?;
        key.map(Some)
            .ok_or_else(|| Failure::usage(format!("the key file {} is empty", file.display())))
    }
}

fn readable(key: &str, place: &str) -> Result<Option<SecretString>, Failure> {
    let key = key.trim();
    if !key.bytes().all(|it| it.is_ascii_graphic()) {
        return Err(Failure::usage(format!("what {place} holds is no API key")));
    }
    Ok((!key.is_empty()).then(|| SecretString::from(key)))
}

fn parse_server(given: &str) -> Result<Url, String> {
    const EXAMPLE: &str = "use a URL such as http://127.0.0.1:8080";
    let url = Url::parse(given).map_err(|error| format!("{error}: {EXAMPLE}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(EXAMPLE.to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("credentials do not belong into a URL: set ORCH_API_KEY".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("{EXAMPLE}, without query and fragment"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn args(key: Option<&str>, file: Option<PathBuf>) -> ServerArgs {
        ServerArgs {
            server: Url::parse("http://localhost").unwrap(),
            key_file: file,
            api_key: key.map(SecretString::from),
            server_patience_seconds: 1,
        }
    }

    #[test]
    fn a_key_comes_from_a_file_or_else_from_the_variable() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "orch_file \nsecond line").unwrap();
        let path = Some(file.path().to_owned());
        let key = |args: ServerArgs| args.key().unwrap().map(|it| it.expose_secret().to_owned());
        assert_eq!(key(args(Some("orch_variable"), path)).as_deref(), Some("orch_file"));
        assert_eq!(key(args(Some("orch_variable"), None)).as_deref(), Some("orch_variable"));
        assert_eq!(key(args(Some(" "), None)), None);
        assert_eq!(key(args(None, None)), None);
    }

    #[test]
    fn a_key_that_cannot_be_read_is_not_taken_for_none() {
        let empty = tempfile::NamedTempFile::new().unwrap();
        for args in [
            args(None, Some(empty.path().to_owned())),
            args(None, Some(PathBuf::from("/there/is/no/such/file"))),
            args(Some("two words"), None),
        ] {
            assert!(args.key().is_err(), "{args:?}");
        }
    }

    #[test]
    fn a_server_is_a_plain_url() {
        for (given, allowed) in [
            ("http://127.0.0.1:8080", true),
            ("https://example.org/orchestrator/", true),
            ("example.org", false),
            ("ftp://example.org", false),
            ("https://me:secret@example.org", false),
            ("https://example.org/?a=b", false),
        ] {
            assert_eq!(parse_server(given).is_ok(), allowed, "{given}");
        }
    }
}
