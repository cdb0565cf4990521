//! A server that says exactly the bytes that a test wants, and remembers what it was asked.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
};

/// One step of an answer.
pub(super) enum Part {
    Bytes(Vec<u8>),
    /// The same bytes, until the client has had enough.
    Flood(Vec<u8>),
    /// A byte now and then, for ever.
    Dribble,
    /// Nothing, for ever.
    Hang,
    /// Nothing, until the test says so.
    Until(oneshot::Receiver<()>),
}

/// The head of an answer whose body ends with its connection.
pub(super) fn head(status: &str, content_type: &str, headers: &str) -> Part {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\n{headers}connection: close\r\n\r\n"
    );
    Part::Bytes(head.into_bytes())
}

/// A good answer.
pub(super) fn answer(content_type: &str, body: &str) -> Vec<Part> {
    vec![head("200 OK", content_type, ""), Part::Bytes(body.into())]
}

/// What the server was asked.
pub(super) struct Asked {
    pub(super) line: String,
    headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|it| it.0 == name).map(|it| it.1.as_str())
    }
}

pub(super) struct FakeServer {
    pub(super) url: String,
    pub(super) requests: mpsc::UnboundedReceiver<Asked>,
}

impl FakeServer {
    /// Answers one connection with each script, and then no longer listens.
    pub(super) async fn start(scripts: impl IntoIterator<Item = Vec<Part>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, requests) = mpsc::unbounded_channel();
        let scripts: Vec<_> = scripts.into_iter().collect();
        if scripts.is_empty() {
            drop(listener);
            return Self { url, requests };
        }
        tokio::spawn(async move {
            for script in scripts {
                let (mut stream, _) = listener.accept().await.unwrap();
                let asked = read(&mut stream).await;
                let _ = seen.send(asked);
                tokio::spawn(async move {
                    for part in script {
                        if play(&mut stream, part).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { url, requests }
    }

    /// The next request.
    pub(super) async fn request(&mut self) -> Asked {
        self.requests.recv().await.expect("the server lives as long as its test")
    }
}

async fn play(stream: &mut TcpStream, part: Part) -> std::io::Result<()> {
    match part {
        Part::Bytes(bytes) => {
            stream.write_all(&bytes).await?;
            stream.flush().await?;
            tokio::task::yield_now().await;
        }
        Part::Flood(bytes) => loop {
            stream.write_all(&bytes).await?;
        },
        Part::Dribble => {
            let mut tick = tokio::time::interval(std::time::Duration::from_millis(10));
            loop {
                tick.tick().await;
                stream.write_all(b" ").await?;
            }
        }
        Part::Hang => std::future::pending().await,
        Part::Until(signal) => {
            let _ = signal.await;
        }
    }
    Ok(())
}

async fn read(stream: &mut TcpStream) -> Asked {
    stream.set_nodelay(true).unwrap();
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            break end;
        }
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "a request has a head");
    };
    let text = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = text.split("\r\n").map(str::to_owned);
    let line = lines.next().unwrap();
    let split = |it: String| {
        let (name, value) = it.split_once(": ").unwrap();
        (name.to_ascii_lowercase(), value.to_owned())
    };
    let mut asked = Asked { line, headers: lines.map(split).collect(), body: String::new() };
    let length = asked.header("content-length").map_or(0, |it| it.parse().unwrap());
    while bytes.len() < end + 4 + length {
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "a body is as long as announced");
    }
    asked.body = String::from_utf8(bytes.split_off(end + 4)).unwrap();
    asked
}
