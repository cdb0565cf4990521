//! Ctrl-C and SIGTERM.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use worker::Shutdown;

/// The first signal stops, the second does not wait for what runs, the third ends the process where it is.
///
/// # Errors
/// The signals cannot be listened to.
pub(super) fn listen(shutdown: &Shutdown) -> anyhow::Result<()> {
    let mut signals = [SignalKind::terminate(), SignalKind::interrupt()]
        .map(|kind| signal(kind).context("listen for signals"))
        .into_iter()
        .collect::<anyhow::Result<Vec<_>>>()?;
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        next(&mut signals).await;
        tracing::info!("Stopping: what runs may end; a second Ctrl-C hands it back at once");
        shutdown.stop.cancel();
        next(&mut signals).await;
        tracing::info!("Stopping at once; a third Ctrl-C does not even wait for that");
        shutdown.hurry.cancel();
        next(&mut signals).await;
        std::process::exit(130);
    });
    Ok(())
}

async fn next(signals: &mut [Signal]) {
    let received = signals.iter_mut().map(|it| Box::pin(it.recv()));
    futures_util::future::select_all(received).await;
}
