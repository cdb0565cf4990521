//! As much of an HTTP server as our model client needs.

use std::sync::Arc;

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use super::Ledger;

/// A streamed answer that comes in one piece.
const ANSWER: &str = concat!(
    "data: {\"model\":\"ledger\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Done.\"},",
    "\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
);
const REFUSAL: &str = "{\"error\":{\"message\":\"as told\"}}";
/// More than any prompt of ours.
const BODY_BYTES: usize = 4 * 1024 * 1024;

/// Answers the requests of one connection until it ends.
pub(super) async fn serve(stream: TcpStream, ledger: Arc<Ledger>) {
    let mut stream = BufReader::new(stream);
    while let Some((path, body)) = request(&mut stream).await {
        let worker = path.split('/').nth(1).unwrap_or_default();
        let (status, takes) = ledger.called(worker, &body);
        tokio::time::sleep(takes).await;
        let (content_type, content) = match status {
            200 => ("text/event-stream", ANSWER),
            _ => ("application/json", REFUSAL),
        };
        let answer = format!(
            "HTTP/1.1 {status} told\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n{content}",
            content.len()
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The next request's path and body; none at the end of the connection.
async fn request(stream: &mut BufReader<TcpStream>) -> Option<(String, String)> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|count| *count > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok().filter(|count| *count > 0)?;
        let header = line.trim_end();
        if header.is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok().filter(|it| *it <= BODY_BYTES)?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((path, String::from_utf8(body).ok()?))
}
