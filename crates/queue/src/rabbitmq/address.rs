//! Where the broker is.

use lapin::uri::AMQPUri;
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use crate::Error;

/// The largest frame that we ask for, in bytes. Our messages are small, and lapin keeps buffers of 32 frames each way.
/// RabbitMQ from 4.1 on refuses less than 8,192.
const MAX_FRAME_BYTES: u32 = 16 * 1024;

/// Reads the URL. What it says of heartbeat and frame size goes before our settings.
pub(super) fn parse(url: &SecretString, heartbeat_seconds: u16) -> Result<AMQPUri, Error> {
    // Neither error is passed on: both may repeat the URL, and with it the password.
    let text = url.expose_secret();
    let mut uri: AMQPUri = text.parse().map_err(|_leaky: String| Error::Url)?;
    let parsed = Url::parse(text).map_err(|_leaky: url::ParseError| Error::Url)?;

    // lapin's parser takes an IPv6 address, and no host at all, for "localhost".
    match parsed.host() {
        None => return Err(Error::Url),
        Some(Host::Ipv6(address)) => uri.authority.host = address.to_string(),
        Some(Host::Ipv4(_) | Host::Domain(_)) => {}
    }
    uri.query.heartbeat.get_or_insert(heartbeat_seconds);
    uri.query.frame_max.get_or_insert(MAX_FRAME_BYTES);
    Ok(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: Option<(&str, u16, &str, u16)>) {
        let parsed = parse(&url.into(), 10).ok().map(|it| {
            let heartbeat = it.query.heartbeat.unwrap();
            (it.authority.host, it.authority.port, it.vhost, heartbeat)
        });
        let expected = expected
            .map(|(host, port, vhost, beat)| (host.to_owned(), port, vhost.to_owned(), beat));
        assert_eq!(parsed, expected, "{url}");
    }

    #[test]
    fn a_url_says_where_the_broker_is_or_is_refused() {
        check("amqp://guest:guest@127.0.0.1:5672/%2f", Some(("127.0.0.1", 5672, "/", 10)));
        check("amqp://rabbit", Some(("rabbit", 5672, "/", 10)));
        check("amqps://me:secret@rabbit/tasks?heartbeat=3", Some(("rabbit", 5671, "tasks", 3)));
        check("amqp://[::1]:7/%2f", Some(("::1", 7, "/", 10)));
        check("amqp:///%2f", None);
        check("http://rabbit", None);
        check("rabbit:5672", None);
        check("", None);
    }

    #[test]
    fn the_error_does_not_repeat_the_password() {
        let error = parse(&"http://me:hunter2@rabbit".into(), 10).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
