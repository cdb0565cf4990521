//! The database stops where it is, for longer than every lease and limit.

use std::time::Duration;

use anyhow::Result;

use super::SHORT;
use crate::stage::Stage;

pub(super) async fn play(stage: &mut Stage<'_>) -> Result<()> {
    let (seconds, tasks) = stage.scale.pick((6, 400), (20, 2_000), (20, 4_000));
    let stopped = Duration::from_secs(seconds);
    let feeding = stage.load.feed_over(tasks, SHORT, stopped + Duration::from_secs(2));
    tokio::time::sleep(Duration::from_secs(1)).await;
    stage.servers.postgres.pause();
    stage.count("postgres stops");
    stage.lateness.suspend();
    tokio::time::sleep(stopped).await;
    stage.servers.postgres.resume();
    stage.lateness.go_on();
    feeding.done().await
}
