//! The broker is killed and comes back, again and again, in the middle of work.

use std::time::Duration;

use anyhow::Result;

use super::SHORT;
use crate::stage::Stage;

pub(super) async fn play(stage: &mut Stage<'_>) -> Result<()> {
    let (times, tasks) = stage.scale.pick((2, 600), (10, 4_000), (30, 12_000));
    let mut random = stage.random.fork("faults");
    let feeding = stage.load.feed(tasks, SHORT);
    for time in 0..times {
        feeding.allow(tasks * (time + 1) / times);
        tokio::time::sleep(random.millis(500, 1_500)).await;
        stage.servers.rabbitmq.kill().await?;
        stage.count("broker kills");
        // Every other time it stays away for longer than anybody's patience.
        if time % 2 == 1 {
            tokio::time::sleep(random.millis(2_000, 5_000)).await;
        }
        stage.servers.rabbitmq.start_again().await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    feeding.done().await
}
