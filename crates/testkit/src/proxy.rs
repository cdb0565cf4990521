//! A line to Postgres that can be cut.

use std::net::SocketAddr;

use secrecy::{ExposeSecret, SecretString};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::AbortHandle,
};

use crate::TestStore;

/// Passes connections on to the Postgres of a [`TestStore`], until it is cut.
pub struct Proxy {
    address: SocketAddr,
    is_cut: watch::Sender<bool>,
    accepting: AbortHandle,
}

impl Proxy {
    /// Listens on a free port.
    pub async fn to(test: &TestStore) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let address = listener.local_addr().expect("it listens");
        let target = target(test.url().expose_secret()).await;
        let (is_cut, watching) = watch::channel(false);
        let accepting = tokio::spawn(accept(listener, target, watching)).abort_handle();
        Self { address, is_cut, accepting }
    }

    /// The URL of the store's schema by way of this proxy.
    pub fn url(&self, test: &TestStore) -> SecretString {
        let url = test.url().expose_secret();
        let (scheme, rest) = url.split_once("://").expect("it is a URL");
        let (authority, path) = rest.split_once('/').expect("it names a database");
        let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
        SecretString::from(format!("{scheme}://{user}@{}/{path}", self.address))
    }

    /// Ends every connection, and each new one at once.
    pub fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.is_cut.send_replace(false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
        self.accepting.abort();
    }
}

async fn target(url: &str) -> SocketAddr {
    let config: tokio_postgres::Config = url.parse().expect("it is a URL of Postgres");
    let tokio_postgres::config::Host::Tcp(host) = &config.get_hosts()[0] else {
        panic!("DATABASE_URL names no TCP address")
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let found = tokio::net::lookup_host((host.as_str(), port)).await;
    found.ok().and_then(|mut addresses| addresses.next()).expect("the host has an address")
}

async fn accept(listener: TcpListener, target: SocketAddr, is_cut: watch::Receiver<bool>) {
    while let Ok((client, _)) = listener.accept().await {
        if !*is_cut.borrow() {
            tokio::spawn(pass_on(client, target, is_cut.clone()));
        }
    }
}

async fn pass_on(mut client: TcpStream, target: SocketAddr, mut is_cut: watch::Receiver<bool>) {
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    tokio::select! {
        _ended = copy_bidirectional(&mut client, &mut server) => {}
        _cut = is_cut.wait_for(|cut| *cut) => {}
    }
}
