//! The broker loses all that it had: queues, messages, everything.

use std::time::Duration;

use anyhow::Result;

use super::SHORT;
use crate::stage::Stage;

pub(super) async fn play(stage: &mut Stage<'_>) -> Result<()> {
    let (times, tasks) = stage.scale.pick((1, 400), (3, 3_000), (10, 10_000));
    let feeding = stage.load.feed(tasks, SHORT);
    for time in 0..times {
        feeding.allow(tasks * (time + 1) / times);
        tokio::time::sleep(Duration::from_millis(700)).await;
        stage.servers.rabbitmq.wipe().await?;
        stage.count("broker wipes");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    feeding.done().await
}
