//! A model server that takes its time: it speaks the wire format of OpenAI-compatible servers, streams, and always says the same
//! after a fixed delay. It has a thread of its own, and costs a few kilobytes for each connection.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time,
};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 8_192;
/// Bytes that one request may have.
const REQUEST: usize = 1024 * 1024;

const ANSWER: &str = concat!(
    "data: {\"model\":\"bench\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",",
    "\"content\":\"The tests cover what the change says.\"},\"finish_reason\":null}]}\n\n",
    "data: {\"model\":\"bench\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "data: {\"model\":\"bench\",\"choices\":[],\"usage\":{\"prompt_tokens\":120,\"completion_tokens\":9}}\n\n",
    "data: [DONE]\n\n",
);

/// A running server. Its thread ends with the program.
pub(crate) struct ModelServer {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    now: AtomicUsize,
    most: AtomicUsize,
    answered: AtomicUsize,
}

impl ModelServer {
    /// Starts a server that answers each request after `delay`.
    ///
    /// # Errors
    /// If it has no port.
    pub(crate) fn start(delay: Duration) -> anyhow::Result<Self> {
        let seen = Arc::new(Seen::default());
        let (tell, told) = mpsc::channel();
        let shared = seen.clone();
        thread::Builder::new().name("model-server".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let served = runtime
                .map_err(anyhow::Error::from)
                .and_then(|it| it.block_on(serve(delay, &shared, &tell)));
            if let Err(error) = served {
                eprintln!("bench: the model server ended: {error:#}");
            }
        })?;
        let address = told.recv().context("the model server has no port")?;
        Ok(Self { address, seen })
    }

    /// The most requests that were under way at once.
    pub(crate) fn most(&self) -> usize {
        self.seen.most.load(Ordering::Relaxed)
    }

    /// Requests of which the answer was begun so far.
    pub(crate) fn answered(&self) -> usize {
        self.seen.answered.load(Ordering::Relaxed)
    }
}

async fn serve(
    delay: Duration,
    seen: &Arc<Seen>,
    tell: &mpsc::Sender<SocketAddr>,
) -> anyhow::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let listener = socket.listen(BACKLOG)?;
    tell.send(listener.local_addr()?).context("nobody waits for the model server")?;
    loop {
        let (stream, _) = listener.accept().await?;
        let seen = seen.clone();
        tokio::spawn(async move {
            // A client that goes away in the middle is its own affair: the tasks are counted elsewhere.
            let _broken = answer(stream, delay, &seen).await;
        });
    }
}

/// One request after the other, until the client closes.
async fn answer(mut stream: TcpStream, delay: Duration, seen: &Seen) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let body = ANSWER;
    let whole = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        // Small again between two requests: there are thousands of these.
        buffer.shrink_to(4 * 1024);
        let total = loop {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            if let Some(total) = length(&buffer)? {
                break total;
            }
        };
        while buffer.len() < total {
            ensure!(stream.read_buf(&mut buffer).await? > 0, "a request ends early");
        }
        let now = seen.now.fetch_add(1, Ordering::Relaxed) + 1;
        seen.most.fetch_max(now, Ordering::Relaxed);
        time::sleep(delay).await;
        seen.now.fetch_sub(1, Ordering::Relaxed);
        seen.answered.fetch_add(1, Ordering::Relaxed);
        stream.write_all(whole.as_bytes()).await?;
    }
}

/// The bytes of a request as its head says; none while that is not complete.
fn length(bytes: &[u8]) -> anyhow::Result<Option<usize>> {
    ensure!(bytes.len() < REQUEST, "a request is too large");
    let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let body = head.lines().find_map(|it| it.strip_prefix("content-length:"));
    let body: usize =
        body.map_or(Ok(0), |it| it.trim().parse()).context("a length is no number")?;
    Ok(Some(end + 4 + body))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_request_has_the_length_that_it_says() {
        assert_eq!(length(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n").unwrap(), None);
        assert_eq!(length(b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}").unwrap(), Some(40));
    }

    #[tokio::test]
    async fn it_answers_after_its_delay_and_counts() {
        let server = ModelServer::start(Duration::from_millis(50)).unwrap();
        let begun = Instant::now();
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let request = b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
        stream.write_all(request).await.unwrap();
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        assert!(begun.elapsed() >= Duration::from_millis(50));
        assert_eq!((server.most(), server.answered()), (1, 1));
    }
}
