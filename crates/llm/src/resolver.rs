//! Names to addresses, under policy: what was checked is what is dialled.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::policy::Policy;

/// The addresses of a name.
pub(crate) type Lookup = Arc<
    dyn Fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> + Send + Sync,
>;

/// Looks names up and hands on only those addresses that policy lets the name stand for. It is asked for every new
/// connection, so a name that points elsewhere later is judged again.
pub(crate) struct GuardedResolver {
    policy: Policy,
    lookup: Lookup,
}

impl GuardedResolver {
    pub(crate) fn new(policy: Policy, lookup: Lookup) -> Self {
        Self { policy, lookup }
    }

    /// The system's own lookup.
    pub(crate) fn system() -> Lookup {
        Arc::new(|name| {
            Box::pin(async move {
                let found = tokio::net::lookup_host((name, 0)).await?;
                Ok(found.map(|it| it.ip()).collect())
            })
        })
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        let reach = self.policy.admit_name(&name);
        let policy = self.policy.clone();
        let lookup = Arc::clone(&self.lookup);
        Box::pin(async move {
            let reach = reach?;
            let found = lookup(name.clone()).await?;
            let (admitted, refused): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|it| reach.admits(*it));
            if admitted.is_empty() {
                return Err(match refused.first() {
                    Some(address) => policy.wrong_address(&name, *address).into(),
                    None => {
                        io::Error::new(io::ErrorKind::NotFound, "the name has no address").into()
                    }
                });
            }
            let admitted: Addrs = Box::new(admitted.into_iter().map(|it| SocketAddr::new(it, 0)));
            Ok(admitted)
        })
    }
}
