//! Free ports, and ports that open.

use std::{
    fs::{self, File},
    hash::{BuildHasher, Hasher, RandomState},
    net::{Ipv4Addr, SocketAddr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::net::{TcpListener, TcpStream};

/// Below the ports that Linux gives to outgoing connections (`net.ipv4.ip_local_port_range`): one of those may be taken between
/// the look and the start of a server, which takes seconds.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Ports that this process has given out, each with a lock that other processes respect and that ends with this one.
static GIVEN: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// An address on this machine at which nobody listens now, and which no other caller of this is given as long as this process
/// lives.
///
/// # Errors
/// If the machine has no port left.
pub async fn free_address() -> Result<SocketAddr> {
    let folder = std::env::temp_dir().join("orchestrator-testbed-ports");
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    // Anywhere, so that processes which look at the same time seldom meet; every state has keys of its own.
    let drawn = RandomState::new().build_hasher().finish() % u64::from(PORTS.end - PORTS.start);
    let first = PORTS.start + u16::try_from(drawn)?;
    for port in (first..PORTS.end).chain(PORTS.start..first) {
        let path = folder.join(port.to_string());
        let file = File::create(&path).with_context(|| format!("make {}", path.display()))?;
        if file.try_lock().is_err() {
            continue;
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).await.is_ok() {
            GIVEN.lock().unwrap_or_else(PoisonError::into_inner).push(file);
            return Ok(address);
        }
    }
    bail!("no port from {} to {} is free", PORTS.start, PORTS.end)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_port_is_given_twice() {
        let mut given = std::collections::BTreeSet::new();
        for _ in 0..20 {
            assert!(given.insert(free_address().await.unwrap().port()));
        }
        assert!(given.iter().all(|port| PORTS.contains(port)), "{given:?}");
    }
}
