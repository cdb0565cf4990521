//! Which hosts may be talked to.
//!
//! A host is *local* if the operator lists it in `LOCAL_LLM_ALLOWED_HOSTS`; the default lists this machine only. The rule:
//!
//! | policy | a listed host | any other host |
//! | --- | --- | --- |
//! | oss, locked | yes | no |
//! | hosted | yes | with `ALLOW_HOSTED_LLM=true`, by https |
//!
//! `locked` also demands Ollama's wire format. A name is only as good as the address behind it, so what a host may stand
//! for is checked too, on every connection and for the address that is dialled ([`Reach`]):
//!
//! - `localhost` and names below it: this machine.
//! - A listed address: that address.
//! - Another listed name: this machine or a private network; under `hosted` any address. The operator vouches for the
//!   name (`ollama.internal` of a cluster), not for whoever can make it point to a host outside.
//! - A host that is not listed: a public address, so that no name of a stranger leads into the private network.
//! - Never: link-local addresses and others at which clouds hand out credentials, multicast, `0.0.0.0` and `::`.

mod address;

use std::{fmt, net::IpAddr, str::FromStr};

use url::{Host, Url};

use crate::{Endpoint, WireFormat};

/// How strict the policy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// Local hosts only.
    Oss,
    /// Any host, if hosted models are switched on.
    Hosted,
    /// Ollama only, on local hosts only.
    Locked,
}

impl PolicyKind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Oss => "oss",
            Self::Hosted => "hosted",
            Self::Locked => "locked",
        }
    }
}

/// Which hosts may be talked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub kind: PolicyKind,
    /// The hosts that count as local.
    pub allowed: Vec<AllowedHost>,
    /// Whether `hosted` may leave the list.
    pub allow_hosted: bool,
}

/// One host of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedHost {
    /// In lower case, without a dot at its end.
    Name(String),
    Address(IpAddr),
}

/// A text that names no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a host name or address (without scheme, port, path or wildcard)")]
pub struct InvalidHost;

/// Policy forbids this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PolicyViolation(pub(crate) String);

/// The addresses that a host may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    ThisMachine,
    PrivateNetwork,
    Exactly(IpAddr),
    Anywhere,
    PublicOnly,
}

impl Reach {
    pub(crate) fn admits(self, given: IpAddr) -> bool {
        let given = given.to_canonical();
        if address::is_never_a_model_server(given) {
            return false;
        }
        match self {
            Self::ThisMachine => given.is_loopback(),
            Self::PrivateNetwork => given.is_loopback() || address::is_private(given),
            Self::Exactly(listed) => given == listed,
            Self::Anywhere => true,
            Self::PublicOnly => address::is_public(given),
        }
    }
}

impl Policy {
    /// Whether this server may be talked to in this format, as far as one can tell before its name is looked up.
    pub fn check(&self, endpoint: &Endpoint, format: WireFormat) -> Result<(), PolicyViolation> {
        if self.kind == PolicyKind::Locked && format != WireFormat::Ollama {
            return Err(PolicyViolation("policy locked allows Ollama's API only".to_owned()));
        }
        self.admit(endpoint.url()).map(|_| ())
    }

    /// What the host of `url` may stand for.
    pub(crate) fn admit(&self, url: &Url) -> Result<Reach, PolicyViolation> {
        let host = url.host().ok_or_else(|| PolicyViolation("the URL has no host".to_owned()))?;
        let listed = self.reach_if_listed(&host);
        let reach = match listed {
            Some(reach) => reach,
            None => self.reach_beyond_the_list(&host)?,
        };
        if listed.is_none() && url.scheme() != "https" {
            return Err(PolicyViolation(format!(
                "{host} is not in LOCAL_LLM_ALLOWED_HOSTS ({}), and any other host needs https",
                self.list()
            )));
        }
        let literal = match host {
            Host::Domain(_) => None,
            Host::Ipv4(it) => Some(IpAddr::V4(it)),
            Host::Ipv6(it) => Some(IpAddr::V6(it)),
        };
        match literal {
            // The resolver never sees an address, so it is judged here.
            Some(it) if !reach.admits(it) => Err(self.wrong_address(&host.to_string(), it)),
            _ => Ok(reach),
        }
    }

    /// What a name that is about to be looked up may stand for.
    pub(crate) fn admit_name(&self, name: &str) -> Result<Reach, PolicyViolation> {
        let host = Host::Domain(name);
        match self.reach_if_listed(&host) {
            Some(reach) => Ok(reach),
            None => self.reach_beyond_the_list(&host),
        }
    }

    /// The violation of a host that stands for an address it may not stand for.
    pub(crate) fn wrong_address(&self, host: &str, given: IpAddr) -> PolicyViolation {
        let kind = self.kind.name();
        PolicyViolation(format!("policy {kind} does not allow {host} at the address {given}"))
    }

    fn reach_if_listed(&self, host: &Host<&str>) -> Option<Reach> {
        let given = AllowedHost::of(host);
        if !self.allowed.contains(&given) {
            return None;
        }
        Some(match given {
            AllowedHost::Address(listed) => Reach::Exactly(listed),
            AllowedHost::Name(name) if name == "localhost" || name.ends_with(".localhost") => {
                Reach::ThisMachine
            }
            AllowedHost::Name(_) => match self.kind {
                PolicyKind::Oss | PolicyKind::Locked => Reach::PrivateNetwork,
                PolicyKind::Hosted => Reach::Anywhere,
            },
        })
    }

    fn reach_beyond_the_list(&self, host: &Host<&str>) -> Result<Reach, PolicyViolation> {
        let list = self.list();
        match self.kind {
            PolicyKind::Oss | PolicyKind::Locked => Err(PolicyViolation(format!(
                "policy {} allows local hosts only, and {host} is not in LOCAL_LLM_ALLOWED_HOSTS ({list})",
                self.kind.name()
            ))),
            PolicyKind::Hosted if !self.allow_hosted => Err(PolicyViolation(format!(
                "{host} is not in LOCAL_LLM_ALLOWED_HOSTS ({list}), and any other host needs \
                 ALLOW_HOSTED_LLM=true"
            ))),
            PolicyKind::Hosted => Ok(Reach::PublicOnly),
        }
    }

    fn list(&self) -> String {
        self.allowed.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}

impl AllowedHost {
    fn of(host: &Host<&str>) -> Self {
        match host {
            Host::Domain(name) => {
                Self::Name(name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase())
            }
            Host::Ipv4(it) => Self::Address(IpAddr::V4(*it)),
            Host::Ipv6(it) => Self::Address(IpAddr::V6(*it).to_canonical()),
        }
    }
}

impl FromStr for AllowedHost {
    type Err = InvalidHost;

    /// Reads a host as a URL would hold it; an IPv6 address may be without its brackets.
    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Address(address.to_canonical()));
        }
        let plain = |it: u8| it.is_ascii_alphanumeric() || b"-._:[]".contains(&it);
        if !text.bytes().all(plain) {
            return Err(InvalidHost);
        }
        let host = Host::parse(text).map_err(|_invalid| InvalidHost)?;
        Ok(match &host {
            Host::Domain(name) => Self::of(&Host::Domain(name)),
            Host::Ipv4(it) => Self::of(&Host::Ipv4(*it)),
            Host::Ipv6(it) => Self::of(&Host::Ipv6(*it)),
        })
    }
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
