//! A TCP proxy before a server, to break connections with.

mod forward;

use std::net::SocketAddr;

use anyhow::{Context, Result};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use std::time::Duration;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    ToServer,
    ToClient,
}

impl Direction {
    pub const BOTH: [Self; 2] = [Self::ToServer, Self::ToClient];
}

/// What becomes of bytes that go one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    #[default]
    Pass,
    /// They get stuck, and go on with the next rule; connections stay open.
    Stall,
    /// They come later by so much.
    Delay(Duration),
    /// A connection breaks when so many more have passed on it.
    CutAfter(u64),
}

/// A proxy on a free port of loopback. It and its connections go when this is dropped.
pub struct FaultProxy {
    address: SocketAddr,
    switches: Switches,
    accepting: JoinHandle<()>,
}

/// What the connections look at.
#[derive(Default)]
struct Switches {
    to_server: watch::Sender<Rule>,
    to_client: watch::Sender<Rule>,
    refuse: watch::Sender<bool>,
    /// Counts up with every cut.
    cuts: watch::Sender<u64>,
}

impl FaultProxy {
    /// Listens on a free port and forwards to `upstream`.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn before(upstream: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port is free")?;
        let address = listener.local_addr()?;
        let switches = Switches::default();
        let accepting = tokio::spawn(accept(listener, upstream, switches.receivers()));
        Ok(Self { address, switches, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, bytes that go this way are treated so, on every connection.
    pub fn set(&self, direction: Direction, rule: Rule) {
        match direction {
            Direction::ToServer => self.switches.to_server.send_replace(rule),
            Direction::ToClient => self.switches.to_client.send_replace(rule),
        };
    }

    /// Lets everything pass again, and new connections in.
    pub fn heal(&self) {
        for direction in Direction::BOTH {
            self.set(direction, Rule::Pass);
        }
        self.refuse(false);
    }

    /// Breaks every connection; new ones are let through.
    pub fn cut(&self) {
        self.switches.cuts.send_modify(|it| *it += 1);
    }

    /// Whether new connections are closed at once.
    pub fn refuse(&self, refuse: bool) {
        self.switches.refuse.send_replace(refuse);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

/// The connections' ends of the switches.
#[derive(Clone)]
struct Receivers {
    to_server: watch::Receiver<Rule>,
    to_client: watch::Receiver<Rule>,
    refuse: watch::Receiver<bool>,
    cuts: watch::Receiver<u64>,
}

impl Switches {
    fn receivers(&self) -> Receivers {
        Receivers {
            to_server: self.to_server.subscribe(),
            to_client: self.to_client.subscribe(),
            refuse: self.refuse.subscribe(),
            cuts: self.cuts.subscribe(),
        }
    }
}

async fn accept(listener: TcpListener, upstream: SocketAddr, switches: Receivers) {
    loop {
        // Out of descriptors, say: the next one may be luckier.
        let Ok((client, _)) = listener.accept().await else { continue };
        if *switches.refuse.borrow() {
            continue;
        }
        let mut switches = switches.clone();
        switches.cuts.mark_unchanged();
        tokio::spawn(async move {
            // A server that is down shows as a connection that ends at once.
            let Ok(server) = TcpStream::connect(upstream).await else { return };
            let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
            let (client_read, client_write) = client.into_split();
            let (server_read, server_write) = server.into_split();
            tokio::select! {
                () = forward::forward(client_read, server_write, switches.to_server) => {}
                () = forward::forward(server_read, client_write, switches.to_client) => {}
                _ = switches.cuts.changed() => {}
            }
        });
    }
}
