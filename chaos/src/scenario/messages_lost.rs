//! Tasks are committed, and whoever was to publish their messages is killed before the broker could take them. Nothing but
//! what looks for such tasks in the store finds them.

use std::time::Duration;

use anyhow::Result;

use super::SHORT;
use crate::stage::Stage;

pub(super) async fn play(stage: &mut Stage<'_>) -> Result<()> {
    let (times, tasks) = stage.scale.pick((1, 200), (3, 1_000), (10, 2_000));
    for _ in 0..times {
        stage.servers.rabbitmq.kill().await?;
        stage.count("broker kills");
        // While no worker looks: else they take the tasks from the store as they come.
        for worker in ["worker-1", "worker-2"] {
            stage.steady_workers.retain(|it| it != worker);
            stage.services.kill(worker).await?;
        }
        stage.load.create(tasks, SHORT).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let unsent = stage.database.number("SELECT count(*) FROM outbox").await?;
        stage.expect(unsent > 0, "staged", "no message was waiting when its publisher was killed");
        stage.services.kill("api-gateway").await?;
        stage.count("publisher kills");
        stage.servers.rabbitmq.start_again().await?;
        stage.services.make_whole().await?;
    }
    Ok(())
}
