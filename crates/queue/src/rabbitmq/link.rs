//! One connection to the broker with the queues declared, and the watch over it.

use std::{
    net::{Shutdown, TcpStream},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use domain::role::Role;
use futures_util::{Stream, StreamExt};
use lapin::{
    AsyncTcpStream, Channel, Connection, ConnectionProperties, Event,
    tcp::{AMQPUriTcpExt, OwnedTLSConfig},
    uri::{AMQPScheme, AMQPUri},
};

use super::Broker;
use crate::{
    Error,
    status::{LinkHealth, Purpose},
};

/// How often it is asked, without the broker, whether the connection stands. Errors arrive as events before that; this
/// is for ends that lapin reports to nobody.
const PULSE: Duration = Duration::from_secs(1);

/// See the module. Dropping it breaks the connection at once, and with it everything that is made from it.
pub(super) struct Link {
    connection: Arc<Connection>,
    broker: Arc<Broker>,
    /// For looking at the queues, since a queue that is not there costs the channel.
    looking: Channel,
    events: Pin<Box<dyn Stream<Item = Event> + Send>>,
    /// Last, so that it is pulled after a polite close had its chance.
    _plug: Plug,
}

impl Link {
    /// Connects and makes the queues that are not there.
    pub(super) async fn open(broker: Arc<Broker>, purpose: Purpose) -> Result<Self, Error> {
        let plug = Plug::default();
        let connecting = connect(&broker, purpose, plug.socket.clone());
        let connection = broker.limit.call("connect to the broker", connecting).await?;
        let events = Box::pin(connection.events_listener());
        let looking = broker.limit.call("open a channel", connection.create_channel()).await?;
        broker.topology.declare(&looking, broker.limit).await?;
        Ok(Self { connection: Arc::new(connection), broker, looking, events, _plug: plug })
    }

    /// To open channels with. It does not keep the link alive.
    pub(super) fn connection(&self) -> Arc<Connection> {
        self.connection.clone()
    }

    /// Waits until there is a reason to give the link up, and returns it. Tells `health` meanwhile whether the broker
    /// blocks us, which ends by itself.
    pub(super) async fn trouble(&mut self, health: &LinkHealth, roles: &[Role]) -> Error {
        let mut pulse = tokio::time::interval(PULSE.min(self.broker.check_interval));
        let mut next_look = Instant::now() + self.broker.check_interval;
        loop {
            let event = tokio::select! {
                event = self.events.next() => event,
                _ = pulse.tick() => {
                    if !self.connection.status().connected() {
                        return Error::NotConnected;
                    }
                    if Instant::now() >= next_look {
                        if let Err(error) = self.look(roles).await {
                            return error;
                        }
                        next_look = Instant::now() + self.broker.check_interval;
                    }
                    continue;
                }
            };
            match event {
                Some(Event::Error(error)) => return Error::broker("keep the connection", error),
                Some(Event::ConnectionBlocked(reason)) => health.down(&Error::Blocked { reason }),
                Some(Event::ConnectionUnblocked) => health.up(),
                Some(_) => {}
                None => return Error::NotConnected,
            }
        }
    }

    /// Looks whether the queues are still there. A broker that blocks us does not answer, which is no sign of trouble.
    async fn look(&mut self, roles: &[Role]) -> Result<(), Error> {
        if self.blocked() {
            return Ok(());
        }
        match self.broker.topology.look(&self.looking, self.broker.limit, roles).await {
            Err(Error::TimedOut { .. }) if self.blocked() => Ok(()),
            looked => looked.map(drop),
        }
    }

    fn blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// Says goodbye to the broker, so that it gives back at once what is unsettled.
    pub(super) async fn close(self) {
        const GOODBYE: u16 = 200;
        let closing = self.connection.close(GOODBYE, "closed by the client".into());
        if let Err(error) = self.broker.limit.call("close the connection", closing).await {
            tracing::debug!("A connection was broken off instead of closed: {}", error.chain());
        }
    }
}

async fn connect(
    broker: &Broker,
    purpose: Purpose,
    socket: Arc<Mutex<Socket>>,
) -> lapin::Result<Connection> {
    let name = format!("{} ({purpose})", broker.service);
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let limit = broker.limit.0;
    Connection::connector(
        broker.uri.clone(),
        lapin::runtime::default_runtime()?,
        async move |uri, runtime| {
            let plain = AMQPUri { scheme: AMQPScheme::AMQP, ..uri.clone() };
            let no_extra_trust = OwnedTLSConfig::default();
            let dialling = plain.connect_with_config_async(no_extra_trust.as_ref(), &runtime);
            let stream =
                tokio::time::timeout(limit, dialling).await.map_err(std::io::Error::from)??;
            if let AsyncTcpStream::Plain(tcp) = &stream {
                Plug::put_in(&socket, tcp.get_ref())?;
            }
            Ok(match uri.scheme {
                AMQPScheme::AMQP => stream,
                AMQPScheme::AMQPS => {
                    stream.into_tls(&uri.authority.host, no_extra_trust.as_ref()).await?
                }
            })
        },
        properties,
    )
    .await
}

/// Pulled when dropped: the socket is shut down, whatever lapin is doing with it. Without this, a connection to a broker
/// that hangs would keep a thread and a socket until the broker answers.
#[derive(Default)]
struct Plug {
    socket: Arc<Mutex<Socket>>,
}

#[derive(Default)]
enum Socket {
    #[default]
    NotYet,
    Connected(TcpStream),
    Pulled,
}

impl Plug {
    /// Called by lapin's thread as soon as there is a socket. Fails if nobody wants the connection any more.
    fn put_in(socket: &Mutex<Socket>, stream: &tokio::net::TcpStream) -> std::io::Result<()> {
        use std::os::fd::AsFd;

        let duplicate = TcpStream::from(stream.as_fd().try_clone_to_owned()?);
        // Small messages must not wait for the acknowledgement of earlier ones (Nagle's algorithm).
        duplicate.set_nodelay(true)?;
        let mut state = lock(socket);
        if matches!(*state, Socket::Pulled) {
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
        *state = Socket::Connected(duplicate);
        Ok(())
    }
}

impl Drop for Plug {
    fn drop(&mut self) {
        if let Socket::Connected(stream) =
            std::mem::replace(&mut *lock(&self.socket), Socket::Pulled)
        {
            // An error means that it is down already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn lock(socket: &Mutex<Socket>) -> MutexGuard<'_, Socket> {
    socket.lock().unwrap_or_else(PoisonError::into_inner)
}
