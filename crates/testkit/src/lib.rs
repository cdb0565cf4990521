//! What tests share: a store of their own, on either database, and waiting for something to become true.

mod proxy;
mod store;
mod wait;

pub use proxy::Proxy;
pub use store::{Held, TestStore};
pub use wait::eventually;

/// Runs a test on both stores: `on_both_stores!(name, |store| async move { … });` makes `name::postgres` and
/// `name::sqlite`. The body gets a [`TestStore`].
#[macro_export]
macro_rules! on_both_stores {
    ($name:ident, $body:expr) => {
        mod $name {
            #[allow(unused_imports, reason = "a test may use nothing of its module")]
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                let body = $body;
                body($crate::TestStore::postgres().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let body = $body;
                body($crate::TestStore::sqlite().await).await;
            }
        }
    };
}
