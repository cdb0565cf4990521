//! Announces anew what is queued and nobody claims: its message was lost, with the broker or with a worker.

use anyhow::Context;

use crate::{Parts, reconcile::Round};

/// One batch of tasks that have been ready and unclaimed for long since their last announcement.
///
/// While many messages wait at the broker, tasks wait for workers and not for messages; more of them would only pile up,
/// one for each task and period. Workers look into the store by themselves when they are idle, so nothing waits for this.
pub(crate) async fn round(parts: &Parts) -> anyhow::Result<Round> {
    if !parts.has_broker() || faults::without(faults::Guard::OutboxSweep) {
        return Ok(Round::CaughtUp);
    }
    let settings = &parts.settings;
    let depths = parts.queue.depths().await.context("ask how much waits at the broker")?;
    let waiting: u64 = depths.iter().map(|(_, messages)| messages).sum();
    if waiting >= settings.backlog {
        return Ok(Round::CaughtUp);
    }
    let messages = parts.store.announce_again(settings.unclaimed_after, settings.batch).await?;
    let found = messages.len();
    if found > 0 {
        tracing::info!(tasks.count = found, "Announced tasks again that nobody had claimed");
        parts.announcer.announce(messages);
    }
    Ok(Round::of(found, settings.batch))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser;
    use domain::{
        ids::RunId,
        role::Role,
        task::{NewTask, TaskKind},
        trigger::{Source, Trigger, Work},
    };
    use queue::announcer::Announcer;
    use store::runs::{Created, Creation, Guard};
    use testkit::TestStore;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{Config, forgetter};

    /// Work with one ready task whose message was lost, and a queue in which another message waits.
    async fn parts(test: &TestStore, backlog: u64) -> Parts {
        let config = Config::parse_from([
            "scheduler",
            "--task-queue=in-process",
            "--scheduler-unclaimed-ms=0",
        ]);
        let mut settings = config.scheduler.settings(config.retries.policy());
        settings.backlog = backlog;
        let queue = queue::connect(&config.queue, "test").await.unwrap();
        let forget = forgetter(test.store.clone());
        let (announcer, _announcements) =
            Announcer::start(queue.clone(), forget, CancellationToken::new());

        let trigger = Trigger {
            source: Source::Api,
            repository: None,
            base_ref: None,
            title: "look".to_owned(),
            body: String::new(),
            url: None,
            priority: Default::default(),
            work: Work::Single(Role::Tester),
        };
        let creation =
            Creation { guard: Guard::None, runs: vec![trigger.into_run()], tasks: Vec::new() };
        let Created::New { announce, .. } =
            test.store.create(vec![creation]).await.unwrap().remove(0)
        else {
            panic!("nothing hinders it")
        };
        test.store.forget_published(announce.iter().map(|row| row.id).collect()).await.unwrap();
        let other = NewTask::new(Role::Architect, TaskKind::Single, "look");
        let message = domain::message::Message {
            task_id: other.id,
            run_id: RunId::new(),
            role: other.role,
            attempt: 1,
        };
        assert!(queue.publish(&[message]).await[0].is_ok());
        Parts { settings, store: test.store.clone(), queue, announcer }
    }

    async fn check(backlog: u64, expected_waiting: u64) {
        let test = TestStore::sqlite().await;
        let parts = parts(&test, backlog).await;
        // The age of the last announcement must be above zero.
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert_eq!(round(&parts).await.unwrap(), Round::CaughtUp);
        testkit::eventually("what was announced is published and forgotten", || async {
            (test.store.gauges().await.unwrap().outbox_rows == 0).then_some(())
        })
        .await;
        let waiting: u64 = parts.queue.depths().await.unwrap().iter().map(|it| it.1).sum();
        assert_eq!(waiting, expected_waiting, "with a backlog of {backlog}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_announced_again_while_enough_messages_wait() {
        check(1, 1).await;
        check(2, 2).await;
    }
}
