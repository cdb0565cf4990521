//! Sequences of operations, one after the other: the store does what the model says.

use futures_util::{FutureExt, future::BoxFuture};
use store::{Store, StoreKind};

use crate::{
    campaign::Campaign,
    operations::{Step, sequences},
    play::Play,
};

#[expect(clippy::ptr_arg, reason = "a campaign hands on whatever its strategy makes")]
fn case<'a>(
    store: &'a Store,
    steps: &'a Vec<Step>,
    closely: bool,
) -> BoxFuture<'a, Result<(), String>> {
    async move {
        let mut play = Play::new(store);
        play.sequence(steps, closely).await?;
        play.leave().await.map_err(|error| play.name(&error))
    }
    .boxed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_does_what_the_model_does() {
    let campaign = Campaign { kind: StoreKind::Postgres, cases: 10_000, arenas: 6, connections: 1 };
    campaign.run(sequences(), case).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_does_what_the_model_does() {
    let campaign = Campaign { kind: StoreKind::Sqlite, cases: 10_000, arenas: 3, connections: 1 };
    campaign.run(sequences(), case).await;
}
