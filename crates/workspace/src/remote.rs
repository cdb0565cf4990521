//! A location that the settings allow, and what it takes to speak to it.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use data_encoding::BASE64;
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use crate::{
    Error, RepositoryLocation, WorkspaceArgs,
    process::{Call, Git},
};

/// The other side: where mirrors are fetched from and branches pushed to.
#[derive(Clone, Debug)]
pub(crate) enum Remote {
    Web {
        url: Url,
        /// The name and value of the configuration that carries the token, where the host may have it.
        token: Option<(String, SecretString)>,
    },
    Local {
        path: PathBuf,
        /// Its `.git`, or itself where it is bare.
        git_dir: PathBuf,
        /// What git processes that work for it on this machine take as the user's configuration.
        config: PathBuf,
    },
}

impl Remote {
    /// Checks a location against the settings. `config` is the configuration for local repositories.
    pub(crate) fn resolve(
        location: &RepositoryLocation,
        args: &WorkspaceArgs,
        config: &Path,
    ) -> Result<Self, Error> {
        match location {
            RepositoryLocation::Hosted { owner, name } => {
                let base = args.git_base_url.as_str().trim_end_matches('/');
                let url = Url::parse(&format!("{base}/{owner}/{name}.git"))
                    .expect("a base URL with a path of plain characters below it is a URL");
                Self::web(url, args)
            }
            RepositoryLocation::Web(url) => Self::web(url.clone(), args),
            RepositoryLocation::Local(path) => Self::local(path, args, config),
        }
    }

    fn web(url: Url, args: &WorkspaceArgs) -> Result<Self, Error> {
        let named = |it: &String| *it == authority(&url) || Some(it.as_str()) == url.host_str();
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) || args.git_allow_http_hosts.iter().any(named) => {}
            _ => {
                let host = url.host_str().unwrap_or_default();
                return Err(Error::NotAllowed(format!(
                    "{host} is only spoken to by https; name it in ORCH_GIT_ALLOW_HTTP_HOSTS to do without"
                )));
            }
        }
        let token =
            args.git_token.as_ref().filter(|token| !token.expose_secret().trim().is_empty());
        let token = token.filter(|_| may_have_token(&url, &args.git_token_hosts));
        let token = token.map(|token| (header_key(&url), authorization(token)));
        Ok(Self::Web { url, token })
    }

    fn local(path: &Path, args: &WorkspaceArgs, config: &Path) -> Result<Self, Error> {
        if !args.git_allow_local {
            return Err(Error::NotAllowed(
                "repositories on this machine are not accepted; set ORCH_GIT_ALLOW_LOCAL=true to accept them".to_owned(),
            ));
        }
        let missing = |_| Error::NotFound { what: path.display().to_string() };
        let path = fs::canonicalize(path).map_err(missing)?;
        if !path.is_dir() {
            return Err(Error::NotFound { what: path.display().to_string() });
        }
        let inner = path.join(".git");
        let git_dir = if inner.exists() { inner } else { path.clone() };
        Ok(Self::Local { path, git_dir, config: config.to_owned() })
    }

    /// What people and messages call it; also what tells one mirror from another.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Web { url, .. } => url.to_string(),
            Self::Local { path, .. } => path.display().to_string(),
        }
    }

    pub(crate) fn address(&self) -> OsString {
        match self {
            Self::Web { url, .. } => url.as_str().into(),
            Self::Local { path, .. } => path.into(),
        }
    }

    /// A call that may speak to this remote, by its one protocol, and to nothing else.
    pub(crate) fn call<'a>(&self, git: &'a Git, doing: &'static str, git_dir: &Path) -> Call<'a> {
        let call = git.call(doing, git_dir);
        match self {
            Self::Web { url, token } => {
                let protocol = if url.scheme() == "https" { "https" } else { "http" };
                call.env("GIT_ALLOW_PROTOCOL", protocol).secret_config(token.clone())
            }
            Self::Local { config, .. } => {
                call.env("GIT_ALLOW_PROTOCOL", "file").env("GIT_CONFIG_GLOBAL", config)
            }
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn authority(url: &Url) -> String {
    format!(
        "{}:{}",
        url.host_str().unwrap_or_default(),
        url.port_or_known_default().unwrap_or_default()
    )
}

/// A host that is named without a port gets the token on port 443 only, so never without TLS by accident.
fn may_have_token(url: &Url, hosts: &[String]) -> bool {
    let has_port =
        |host: &str| host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let whole = |host: &str| if has_port(host) { host.to_owned() } else { format!("{host}:443") };
    hosts.iter().any(|host| whole(&host.trim().to_ascii_lowercase()) == authority(url))
}

/// The header is bound to the origin, so that it would not even follow a redirect.
fn header_key(url: &Url) -> String {
    format!("http.{}://{}/.extraHeader", url.scheme(), authority(url))
}

/// GitHub takes a token as the password of any user, and `x-access-token` from Apps.
fn authorization(token: &SecretString) -> SecretString {
    let pair = format!("x-access-token:{}", token.expose_secret().trim());
    SecretString::from(format!("Authorization: Basic {}", BASE64.encode(pair.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_goes_to_named_hosts_only() {
        check_token("owner/name", &["github.com"], true);
        check_token("https://github.com/o/r", &["GitHub.com"], true);
        check_token("https://github.com:8443/o/r", &["github.com"], false);
        check_token("https://github.com:8443/o/r", &["github.com:8443"], true);
        check_token("https://github.com.evil.example/o/r", &["github.com"], false);
        check_token("https://evil.example/github.com/r", &["github.com"], false);
        check_token("http://127.0.0.1:9000/o/r", &["127.0.0.1"], false);
        check_token("http://127.0.0.1:9000/o/r", &["127.0.0.1:9000"], true);
        check_token("http://[::1]:9000/o/r", &["[::1]:9000"], true);
        check_token("https://github.com/o/r", &[], false);
    }

    #[track_caller]
    fn check_token(location: &str, hosts: &[&str], expected: bool) {
        let args = WorkspaceArgs {
            git_token: Some("secret".into()),
            git_token_hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
            ..WorkspaceArgs::default()
        };
        match Remote::resolve(
            &RepositoryLocation::parse(location).unwrap(),
            &args,
            Path::new("/none"),
        )
        .unwrap()
        {
            Remote::Web { token, .. } => {
                assert_eq!(token.is_some(), expected, "{location} with {hosts:?}")
            }
            Remote::Local { .. } => panic!("{location} is not local"),
        }
    }

    #[test]
    fn plain_http_is_for_loopback_and_named_hosts() {
        check_http("http://127.0.0.1:80/o/r", &[], true);
        check_http("http://localhost:3000/o/r", &[], true);
        check_http("http://[::1]/o/r", &[], true);
        check_http("http://git.example/o/r", &[], false);
        check_http("http://git.example:3000/o/r", &["git.example"], true);
        check_http("http://git.example:3000/o/r", &["git.example:3000"], true);
        check_http("http://git.example:3001/o/r", &["git.example:3000"], false);
        check_http("https://git.example/o/r", &[], true);
    }

    #[track_caller]
    fn check_http(location: &str, hosts: &[&str], expected: bool) {
        let args = WorkspaceArgs {
            git_allow_http_hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
            ..WorkspaceArgs::default()
        };
        let resolved = Remote::resolve(
            &RepositoryLocation::parse(location).unwrap(),
            &args,
            Path::new("/none"),
        );
        assert_eq!(resolved.is_ok(), expected, "{location} with {hosts:?}: {resolved:?}");
    }

    #[test]
    fn local_repositories_are_refused_unless_allowed() {
        let location = RepositoryLocation::parse("/tmp").unwrap();
        let refused =
            Remote::resolve(&location, &WorkspaceArgs::default(), Path::new("/none")).unwrap_err();
        assert!(
            matches!(refused, Error::NotAllowed(text) if text.contains("ORCH_GIT_ALLOW_LOCAL"))
        );
        let args = WorkspaceArgs { git_allow_local: true, ..WorkspaceArgs::default() };
        assert!(Remote::resolve(&location, &args, Path::new("/none")).is_ok());
    }
}
