//! Between which parts bytes go, and the proxies that can stop them.

use std::{collections::BTreeMap, net::SocketAddr};

use anyhow::Result;
use testbed::FaultProxy;

use crate::{programs::Program, servers::Servers};

/// A server that programs talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Server {
    Postgres,
    RabbitMq,
}

impl Server {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::RabbitMq => "rabbitmq",
        }
    }
}

/// Where each kind of program finds each server.
pub(crate) struct Wires {
    direct: [SocketAddr; 2],
    proxies: BTreeMap<(Program, Server), FaultProxy>,
}

impl Wires {
    /// Straight to the servers.
    pub(crate) fn direct(servers: &Servers) -> Self {
        let direct = [servers.postgres.address(), servers.rabbitmq.address()];
        Self { direct, proxies: BTreeMap::new() }
    }

    /// By a proxy for each pair of program and server.
    pub(crate) async fn with_proxies(servers: &Servers) -> Result<Self> {
        let mut wires = Self::direct(servers);
        for program in Program::ALL {
            for server in [Server::Postgres, Server::RabbitMq] {
                let proxy = FaultProxy::before(wires.straight(server)).await?;
                wires.proxies.insert((program, server), proxy);
            }
        }
        Ok(wires)
    }

    pub(crate) fn address(&self, program: Program, server: Server) -> SocketAddr {
        self.proxy(program, server).map_or_else(|| self.straight(server), FaultProxy::address)
    }

    pub(crate) fn proxy(&self, program: Program, server: Server) -> Option<&FaultProxy> {
        self.proxies.get(&(program, server))
    }

    /// Lets everything pass.
    pub(crate) fn heal(&self) {
        self.proxies.values().for_each(FaultProxy::heal);
    }

    fn straight(&self, server: Server) -> SocketAddr {
        match server {
            Server::Postgres => self.direct[0],
            Server::RabbitMq => self.direct[1],
        }
    }
}
