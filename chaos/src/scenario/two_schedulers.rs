//! Two schedulers look after the same schedules, leases and messages, and now and then one of them dies: each slot fires
//! once, each lease is rescued once.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use super::SHORT;
use crate::stage::Stage;

/// Far more than a schedule needs to take the slots that came up to here.
const CATCHING_UP: Duration = Duration::from_secs(3);

pub(super) async fn play(stage: &mut Stage<'_>) -> Result<()> {
    let (schedules, seconds, kills) = stage.scale.pick((20, 10, 3), (50, 22, 8), (50, 120, 40));
    for number in 0..schedules {
        let schedule = json!({
            "name": format!("every second {number}"),
            "cadence": { "kind": "interval", "everyMs": 1_000 },
            "catchUp": "all",
            "target": { "kind": "roles", "roles": ["architect"], "description": "look" },
        });
        let url = format!("{}/schedules", stage.services.gateway.borrow().as_str());
        let answer = stage.http.post(url).json(&schedule).send().await?;
        ensure!(answer.status().is_success(), "{}", answer.text().await?);
    }
    let mut random = stage.random.fork("faults");
    let time = Duration::from_secs(seconds);
    let feeding = stage.load.feed_over(300, SHORT, time);
    for kill in 0..kills {
        tokio::time::sleep(time / kills).await;
        let name = if kill % 2 == 0 { "scheduler-1" } else { "scheduler-2" };
        stage.services.kill(name).await?;
        stage.count("scheduler kills");
        stage.kill_and_spawn("worker-1").await?;
        stage.count("worker kills");
        tokio::time::sleep(random.millis(100, 800)).await;
        stage.services.spawn(name)?;
    }
    feeding.done().await?;
    tokio::time::sleep(CATCHING_UP).await;
    stage.database.run("UPDATE schedules SET enabled = false, next_at = NULL").await?;
    let fired = stage.database.number("SELECT count(*) FROM firings").await?;
    let slots = i64::from(schedules) * i64::try_from(seconds)?;
    stage.tally.insert("slots fired", u64::try_from(fired)?);
    let text = format!("only {fired} slots fired in a time of at least {slots}");
    stage.expect(fired >= slots, "staged", text);
    Ok(())
}
