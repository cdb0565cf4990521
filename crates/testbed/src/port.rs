//! Free ports, and ports that open.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpStream};

/// An address on this machine at which nobody listens now.
///
/// # Errors
/// If the machine has no port left.
pub async fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no port is free")?;
    Ok(listener.local_addr()?)
}

/// Waits until something listens there.
///
/// # Errors
/// If nothing does within `limit`.
pub async fn until_open(address: SocketAddr, limit: Duration) -> Result<()> {
    let trying = async {
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(limit, trying)
        .await
        .with_context(|| format!("nothing listens at {address} after {limit:?}"))
}
