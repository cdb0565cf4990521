//! HTTP/1.1 as a load generator needs it: bytes made beforehand go out, status and length come back. It shares the cores with
//! what it measures, so that it does nothing else.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Bytes that an answer's head may have.
const HEAD: usize = 16 * 1024;

/// A connection that is kept alive: one request after the other.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// If nobody listens.
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream =
            TcpStream::connect(address).await.with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 * 1024) })
    }

    /// Sends a whole request and reads the whole answer; gives its status. The body is there until the next one.
    ///
    /// # Errors
    /// If the connection breaks, or what comes is not an answer with a length.
    pub(crate) async fn send(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        self.stream.write_all(request).await.context("send a request")?;
        self.buffer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await.context("read an answer")?;
            ensure!(read > 0, "the connection was closed instead of an answer");
            if let Some(head) = Head::parse(&self.buffer)? {
                while self.buffer.len() < head.total {
                    let read =
                        self.stream.read_buf(&mut self.buffer).await.context("read an answer")?;
                    ensure!(read > 0, "the connection was closed within an answer");
                }
                return Ok(head.status);
            }
        }
    }

    /// The last answer, head and body.
    pub(crate) fn answer(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }
}

struct Head {
    status: u16,
    /// Bytes of head and body.
    total: usize,
}

impl Head {
    /// None while the head is not complete.
    fn parse(bytes: &[u8]) -> anyhow::Result<Option<Self>> {
        let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") else {
            ensure!(bytes.len() < HEAD, "an answer's head does not end");
            return Ok(None);
        };
        let head = std::str::from_utf8(&bytes[..end]).context("an answer's head is not text")?;
        let status =
            head.get(9..12).and_then(|it| it.parse().ok()).context("an answer has no status")?;
        let mut length = 0;
        for line in head.split("\r\n").skip(1) {
            let Some((name, value)) = line.split_once(':') else { continue };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().context("an answer's length is no number")?;
            }
            ensure!(!name.eq_ignore_ascii_case("transfer-encoding"), "an answer comes in chunks");
        }
        Ok(Some(Self { status, total: end + 4 + length }))
    }
}

/// The bytes of a request with a JSON body.
pub(crate) fn post(into: &mut Vec<u8>, path: &str, headers: &str, body: &[u8]) {
    into.clear();
    into.extend_from_slice(b"POST ");
    into.extend_from_slice(path.as_bytes());
    into.extend_from_slice(b" HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n");
    into.extend_from_slice(headers.as_bytes());
    into.extend_from_slice(b"Content-Length: ");
    into.extend_from_slice(body.len().to_string().as_bytes());
    into.extend_from_slice(b"\r\n\r\n");
    into.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_an_answer_is_that_of_its_head_and_body() {
        let bytes = b"HTTP/1.1 201 Created\r\nContent-Length: 3\r\nX: y\r\n\r\nabc";
        let head = Head::parse(bytes).unwrap().unwrap();
        assert_eq!((head.status, head.total), (201, bytes.len()));
        assert!(Head::parse(&bytes[..20]).unwrap().is_none());
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
    }

    #[test]
    fn a_request_says_how_long_its_body_is() {
        let mut bytes = b"what was there before".to_vec();
        post(&mut bytes, "/a", "X: y\r\n", b"{}");
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("POST /a HTTP/1.1\r\n"), "{text}");
        assert!(text.ends_with("X: y\r\nContent-Length: 2\r\n\r\n{}"), "{text}");
    }
}
