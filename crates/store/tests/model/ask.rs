//! Asks the store what a request says, and puts its answer in words.

use std::time::Duration;

use domain::{
    ids::TaskId,
    message::OutboxMessage,
    task::{ClaimedTask, Task},
};
use serde_json::json;
use store::{
    Result, Store,
    runs::{Created, CreatedSet, RunChanged},
    tasks::{Changed, SettleRequest, Settled},
    upkeep::Retention,
};

use crate::{
    play::POLICY,
    request::{Answer, Request, claim_text, sorted},
};

/// The answer, and what was claimed with it.
pub(crate) async fn ask(store: &Store, request: &Request) -> Result<(Answer, Vec<ClaimedTask>)> {
    let answer = match request.clone() {
        Request::Claim(ids, terms) => return Ok(claimed(store.claim_tasks(ids, terms).await?)),
        Request::ClaimNext(roles, limit, terms) => {
            return Ok(claimed(store.claim_next_tasks(roles, limit, terms).await?));
        }
        Request::Settle(settlements, claims, terms, free_slots) => {
            let roles = domain::role::Role::ALL.to_vec();
            let request = SettleRequest { settlements, claims, terms, roles, free_slots };
            let report = store.settle_tasks(request).await?;
            let (follow_ups, mut tasks) = claimed(report.follow_ups);
            let (claims, more) = claimed(report.claimed);
            tasks.extend(more);
            let results = settled(&report.results);
            let said = format!("{results}, {}; {}", follow_ups.said, claims.said);
            return Ok((Answer::new(said, messages(&report.announce)), tasks));
        }
        Request::Create(creation) => {
            created(store.create(vec![*creation]).await?.pop().expect("an answer"))
        }
        Request::Renew(held, terms) => {
            quiet(format!("lost {}", sorted(store.renew_leases(held, terms).await?)))
        }
        Request::Promote(limit) => {
            let announced = messages(&store.promote_due(limit).await?);
            let ids = announced.iter().map(|it| it.0);
            Answer::new(format!("promoted {}", sorted(ids)), announced)
        }
        Request::Rescue(limit) => {
            let done = store.rescue_expired(POLICY, limit).await?;
            let said = format!("retried {}; failed {}", sorted(done.retried), sorted(done.failed));
            Answer::new(said, messages(&done.announce))
        }
        Request::TimeOut(longest) => {
            quiet(format!("timed out {}", sorted(store.time_out_runs(longest, 1_000).await?)))
        }
        Request::DispatchNext(role, limit) => {
            changed(store.dispatch_next_tasks(role, limit).await?, |ids| {
                format!("dispatched {}", sorted(ids))
            })
        }
        Request::Replay(choice) => {
            let done = store.replay_dead_letters(choice).await?;
            Answer::new(format!("replayed {}", sorted(done.task_ids)), messages(&done.announce))
        }
        Request::Purge(choice) => {
            let done = store.purge_dead_letters(choice).await?;
            Answer::new(format!("purged {}", sorted(done.task_ids)), messages(&done.announce))
        }
        Request::AnnounceAgain => {
            let rows = store.announce_again(Duration::ZERO, 1_000).await?;
            Answer::new("announced", messages(&rows))
        }
        Request::Publish => {
            let rows = store.left_behind(Duration::ZERO, 10_000).await?;
            store.forget_published(rows.into_iter().map(|row| row.id).collect()).await?;
            quiet("published")
        }
        Request::RemoveOld => {
            let at_once = Duration::ZERO;
            let all = Retention { runs: at_once, deliveries: at_once, idempotency: 1_000 * HOUR };
            store.remove_old(all, 10_000).await?;
            quiet("removed")
        }
        Request::CancelRun(id) => run_changed(store.cancel_run(id).await?),
        Request::Pause(id) => run_changed(store.pause_run(id).await?),
        Request::Resume(id) => run_changed(store.resume_run(id).await?),
        Request::RetryRun(id) => run_changed(store.retry_run(id).await?),
        Request::CancelTask(id) => task_changed(store.cancel_task(id).await?),
        Request::Update(id, patch) => task_changed(store.update_task(id, patch).await?),
        Request::Dispatch(id) => task_changed(store.dispatch_task(id).await?),
        Request::RetryTask(id) => task_changed(store.retry_task(id).await?),
        Request::Delete(id) => changed(store.delete_task(id).await?, |()| "deleted".to_owned()),
        Request::Metadata(id, value) => {
            let patched = store.patch_task_metadata(id, json!({ "n": value })).await?;
            changed(patched, |now| {
                let n = now.get("n").and_then(serde_json::Value::as_u64);
                format!("metadata {n:?}")
            })
        }
    };
    Ok((answer, Vec::new()))
}

const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) fn settled(results: &[Settled]) -> String {
    let words = results.iter().map(|it| match it {
        Settled::Applied => "applied",
        Settled::Fenced => "fenced",
    });
    words.collect::<Vec<_>>().join(" ")
}

pub(crate) fn created(created: Created) -> Answer {
    let ids = |set: &CreatedSet| {
        let runs = sorted(set.runs.iter().map(|run| run.id));
        format!("{runs}: {}", sorted(set.tasks.iter().map(|task| task.id)))
    };
    match created {
        Created::New { set, announce } => {
            Answer::new(format!("new {}", ids(&set)), messages(&announce))
        }
        Created::Replayed(set) => quiet(format!("replayed {}", ids(&set))),
        Created::KeyReused => quiet("key reused"),
        Created::Duplicate => quiet("duplicate"),
        Created::Conflict(_) => quiet("conflict"),
        Created::RunMissing(_) => quiet("run missing"),
        Created::RunEnded(_, status) => quiet(format!("run {status}")),
        Created::BadDependency { .. } => quiet("bad dependency"),
        Created::Rejected => quiet("rejected"),
    }
}

fn claimed(tasks: Vec<ClaimedTask>) -> (Answer, Vec<ClaimedTask>) {
    let texts = tasks.iter().map(|it| claim_text(it.id, it.attempt, it.max_attempts, it.fence));
    (quiet(format!("claimed {}", sorted(texts))), tasks)
}

fn run_changed(changed: RunChanged) -> Answer {
    match changed {
        RunChanged::Done { run, announce } => {
            Answer::new(format!("done: {}", run.status), messages(&announce))
        }
        RunChanged::Missing => quiet("missing"),
        RunChanged::NotNow(status) => quiet(format!("not now: {status}")),
    }
}

fn task_changed(answer: Changed<Task>) -> Answer {
    changed(answer, |task| format!("done: {}", task.status))
}

fn changed<T>(answer: Changed<T>, words: impl FnOnce(T) -> String) -> Answer {
    match answer {
        Changed::Done { now, announce } => Answer::new(words(now), messages(&announce)),
        Changed::Missing => quiet("missing"),
        Changed::NotNow(status) => quiet(format!("not now: {status}")),
    }
}

fn quiet(said: impl Into<String>) -> Answer {
    Answer::new(said, Vec::new())
}

pub(crate) fn messages(rows: &[OutboxMessage]) -> Vec<(TaskId, i32)> {
    rows.iter().map(|row| (row.message.task_id, row.message.attempt)).collect()
}
