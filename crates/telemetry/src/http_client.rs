//! HTTP clients with limits, and a name.

use std::time::Duration;

/// Time to reach a server, name resolution and TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for a whole exchange; who streams sets another.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an idle connection is kept for the next request.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// What we call ourselves to other servers.
pub const USER_AGENT: &str = concat!("orchestrator/", env!("CARGO_PKG_VERSION"));

/// A client builder with time limits, our user agent and no redirects (a redirect may lead where policy forbids).
pub fn http_client() -> reqwest::ClientBuilder {
    install_tls();
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TOTAL_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
}

/// Chooses ring as the one TLS implementation of this process. Calling it again is harmless.
pub fn install_tls() {
    // The error only says that a provider is there already, which is what is wanted.
    let _already = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_can_be_built_however_often() {
        for _ in 0..2 {
            http_client().build().expect("ring is installed, so TLS can be set up");
        }
    }
}
