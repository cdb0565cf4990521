//! Keeps a connection at work: opens it, lets it serve, and opens another one when there is trouble.

use std::{sync::Arc, time::Instant};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{Broker, backoff::Backoff, link::Link};
use crate::{Error, metrics, status::LinkHealth};

/// What a connection is used for.
#[async_trait]
pub(super) trait Serve: Send {
    /// Uses the link until there is a reason to give it up, and returns the reason. Tells `health` when it works.
    ///
    /// It is dropped half way when the queue is closed.
    async fn serve(&mut self, link: &mut Link, health: &LinkHealth) -> Error;
}

/// Runs until `closing`.
pub(super) async fn supervise(
    broker: Arc<Broker>,
    health: LinkHealth,
    closing: CancellationToken,
    mut server: impl Serve,
) {
    let purpose = health.purpose();
    let (min, max) = broker.reconnect;
    let mut backoff = Backoff::new(min, max);
    loop {
        let opened = tokio::select! {
            opened = Link::open(broker.clone(), purpose) => opened,
            () = closing.cancelled() => return,
        };
        let trouble = match opened {
            Err(error) => error,
            Ok(mut link) => {
                let opened_at = Instant::now();
                let trouble = tokio::select! {
                    trouble = server.serve(&mut link, &health) => trouble,
                    () = closing.cancelled() => return link.close().await,
                };
                // A link that breaks as soon as it stands must not be rebuilt in a tight loop.
                if opened_at.elapsed() > max {
                    backoff.reset();
                }
                metrics::reconnects(purpose).increment(1);
                trouble
            }
        };
        health.down(&trouble);
        tokio::select! {
            () = tokio::time::sleep(backoff.next()) => {}
            () = closing.cancelled() => return,
        }
    }
}
