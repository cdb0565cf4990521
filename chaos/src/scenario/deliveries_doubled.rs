//! Every webhook delivery comes several times at once, and the receiver is killed in between: each starts one run.

use std::time::Duration;

use anyhow::Result;

use crate::{programs::Program, stage::Stage, webhooks::Webhooks};

/// How often each is sent at the same time.
const COPIES: usize = 4;
/// Deliveries under way at once.
const AT_ONCE: usize = 10;

pub(super) async fn play(stage: &mut Stage<'_>) -> Result<()> {
    let (count, kills) = stage.scale.pick((200, 1), (2_000, 5), (20_000, 20));
    let name = "webhook-ingest";
    stage.services.start(name, Program::WebhookIngest, Vec::new()).await?;
    let webhooks = Webhooks::new(stage);
    let sending = webhooks.send_all(count, COPIES, AT_ONCE);
    let mut random = stage.random.fork("faults");
    for _ in 0..kills {
        tokio::time::sleep(random.millis(150, 600)).await;
        stage.services.kill(name).await?;
        stage.count("receiver kills");
        tokio::time::sleep(Duration::from_millis(50)).await;
        stage.services.start_again(name).await?;
    }
    let ids = sending.end().await?;
    stage.tally.insert("deliveries", u64::try_from(ids.len() * COPIES)?);
    webhooks.all_stored(stage, &ids).await
}
