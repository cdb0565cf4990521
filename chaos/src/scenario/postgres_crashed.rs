//! The database crashes in the middle of transactions, and recovers.

use std::time::Duration;

use anyhow::Result;

use super::SHORT;
use crate::stage::Stage;

pub(super) async fn play(stage: &mut Stage<'_>) -> Result<()> {
    let (times, tasks) = stage.scale.pick((3, 600), (10, 4_000), (30, 12_000));
    let mut random = stage.random.fork("faults");
    let feeding = stage.load.feed(tasks, SHORT);
    for time in 0..times {
        feeding.allow(tasks * (time + 1) / times);
        tokio::time::sleep(random.millis(800, 2_000)).await;
        stage.servers.postgres.crash().await?;
        stage.count("postgres crashes");
        tokio::time::sleep(random.millis(100, 1_500)).await;
        stage.servers.postgres.start_again().await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    feeding.done().await
}
