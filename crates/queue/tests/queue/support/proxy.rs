//! A TCP proxy before the broker, to break connections with.

use std::{net::SocketAddr, time::Duration};

use queue::QueueArgs;
use secrecy::ExposeSecret;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::watch,
};
use url::Url;

/// How the proxy treats its connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Weather {
    #[default]
    Fair,
    /// Bytes get stuck; connections stay open.
    Stalled,
}

pub(crate) struct Proxy {
    weather: watch::Sender<Weather>,
    /// Counts up with every cut.
    cuts: watch::Sender<u64>,
}

impl Proxy {
    /// Listens on a free port and forwards to the broker of `args`, whose URL is changed to lead here.
    pub(crate) async fn before(args: &mut QueueArgs) -> Self {
        let mut url = Url::parse(args.amqp_url.expose_secret()).unwrap();
        let broker = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5672));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(address.port())).unwrap();
        args.amqp_url = url.to_string().into();

        let proxy = Self { weather: watch::Sender::default(), cuts: watch::Sender::default() };
        tokio::spawn(accept(listener, broker, proxy.weather.subscribe(), proxy.cuts.subscribe()));
        proxy
    }

    /// Breaks every connection; new ones are let through.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|it| *it += 1);
    }

    /// From now on nothing gets through, although connections can be made: a broker that hangs.
    pub(crate) fn stall(&self) {
        self.weather.send_replace(Weather::Stalled);
    }

    pub(crate) fn resume(&self) {
        self.weather.send_replace(Weather::Fair);
    }
}

async fn accept(
    listener: TcpListener,
    broker: String,
    weather: watch::Receiver<Weather>,
    cuts: watch::Receiver<u64>,
) {
    while let Ok((client, _)) = listener.accept().await {
        // A broker that is down shows as a connection that ends at once.
        let Ok(server) = TcpStream::connect(&broker).await else { continue };
        let (client_read, client_write) = client.into_split();
        let (server_read, server_write) = server.into_split();
        let mut cut = cuts.clone();
        cut.mark_unchanged();
        let (up, down) = (weather.clone(), weather.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = forward(client_read, server_write, up) => {}
                () = forward(server_read, client_write, down) => {}
                _ = cut.changed() => {}
            }
        });
    }
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
        if weather.wait_for(|it| *it == Weather::Fair).await.is_err()
            || to.write_all(&buffer[..count]).await.is_err()
        {
            return;
        }
    }
}

/// An address at which nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Waits until something listens there.
pub(crate) async fn listens(address: SocketAddr, limit: Duration) {
    let trying = async {
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(limit, trying).await.expect("the port opens");
}
