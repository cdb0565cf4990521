//! The broker stops where it is: its connections are open, and nothing answers.

use std::time::Duration;

use anyhow::Result;

use super::SHORT;
use crate::stage::Stage;

pub(super) async fn play(stage: &mut Stage<'_>) -> Result<()> {
    let (seconds, tasks) = stage.scale.pick((6, 400), (30, 3_000), (60, 6_000));
    let hung = Duration::from_secs(seconds);
    let feeding = stage.load.feed_over(tasks, SHORT, hung + Duration::from_secs(2));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = completed(stage).await?;
    stage.servers.rabbitmq.pause();
    stage.count("broker stops");
    tokio::time::sleep(hung).await;
    let meanwhile = completed(stage).await? - before;
    stage.servers.rabbitmq.resume();
    let text =
        "while the broker hung no task was completed: the workers' own poll should find them";
    stage.expect(meanwhile > 0, "goes_on", text);
    feeding.done().await
}

async fn completed(stage: &Stage<'_>) -> Result<i64> {
    stage.database.number("SELECT count(*) FROM tasks WHERE status = 'completed'").await
}
