//! Upkeep: promote, rescue, time out, remove, count.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use domain::{
    history::EventKind,
    ids::{RunId, TaskId},
    message::OutboxMessage,
    retry::RetryPolicy,
    run::RunStatus,
    settlement::{Change, Retry, Settlement, Spent, after_failure},
    task::{CancelReason, Failure, FailureCode, TaskStatus},
    workflow::RunEnd,
};
use serde_json::json;

use super::{
    dialect::{self, Conn},
    history::Journal,
    lookup,
    rows::named,
    run_status::{self, Delta},
    schema::{dead_letters, deliveries, firings, idempotency, outbox as outbox_table, runs, tasks},
    settle::{self, Holder, is_paused},
    transitions::{self, Queueing},
};
use crate::{
    Result,
    error::During,
    key::Key,
    literal::status_is,
    upkeep::{Gauges, Removed, Rescued, Retention},
};

pub(crate) async fn promote_due(conn: &mut Conn, limit: u32) -> Result<Vec<OutboxMessage>> {
    let now = dialect::now(conn).await?;
    let due: Vec<(Key, Key)> = tasks::table
        .inner_join(runs::table)
        // Before the limit: many that are held back must not hide one that is not.
        .filter(runs::status.ne(RunStatus::Paused.name()))
        .filter(status_is(TaskStatus::Retrying))
        .filter(tasks::run_at.le(now))
        .order(tasks::run_at)
        .limit(i64::from(limit))
        .select((tasks::id, tasks::run_id))
        .load(conn)
        .await
        .during("look for due retries")?;
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let runs =
        lookup::lock_free_runs(conn, due.iter().map(|(_, run)| (*run).into()).collect()).await?;
    let free = due.into_iter().filter(|(_, run)| {
        let run = (*run).into();
        runs.contains_key(&run) && !is_paused(&runs, run)
    });
    let how = Queueing { from: TaskStatus::Retrying, event: EventKind::TaskQueued };
    let free = free.map(|(task, _)| task).collect();
    let mut journal = Journal::new(now);
    let announce = transitions::queue_and_announce(conn, free, how, &mut journal).await?;
    journal.write(conn).await?;
    Ok(announce)
}

/// What a rescue needs to know of a task: ids, role, kind, attempt, attempts allowed, fence.
type Expired = (Key, Key, String, String, i32, Option<i32>, i64);

pub(crate) async fn rescue_expired(
    conn: &mut Conn,
    policy: RetryPolicy,
    limit: u32,
) -> Result<Rescued> {
    let now = dialect::now(conn).await?;
    let expired: Vec<Expired> = tasks::table
        .filter(status_is(TaskStatus::Running))
        .filter(tasks::leased_until.lt(now))
        .order(tasks::leased_until)
        .limit(i64::from(limit))
        .select((
            tasks::id,
            tasks::run_id,
            tasks::role,
            tasks::kind,
            tasks::attempt,
            tasks::max_attempts,
            tasks::fence,
        ))
        .load(conn)
        .await
        .during("look for expired leases")?;
    if expired.is_empty() {
        return Ok(Rescued::default());
    }
    let mut runs =
        lookup::lock_free_runs(conn, expired.iter().map(|row| row.1.into()).collect()).await?;
    let mut journal = Journal::new(now);
    let free = expired.into_iter().filter(|row| runs.contains_key(&row.1.into()));
    let settlements: Vec<Settlement> = free.map(|row| lost(row, &policy)).collect::<Result<_>>()?;
    let outcomes: Vec<(TaskId, bool)> = settlements
        .iter()
        .map(|it| (it.task_id, matches!(it.change, Change::Failed { .. })))
        .collect();
    let ended =
        settle::end_attempts(conn, settlements, Holder::Nobody, &mut runs, &mut journal).await?;
    let announce = settle::queue_and_announce(conn, ended.ready, &mut journal).await?;
    journal.write(conn).await?;
    let mut rescued = Rescued { announce, ..Rescued::default() };
    for ((task, failed), _) in
        outcomes.into_iter().zip(ended.applied).filter(|(_, applied)| *applied)
    {
        if failed { rescued.failed.push(task) } else { rescued.retried.push(task) }
    }
    Ok(rescued)
}

/// The end of an attempt whose worker has gone. It has waited for its lease already, so it is tried again at once.
fn lost(
    (task, run, role, kind, attempt, max_attempts, fence): Expired,
    policy: &RetryPolicy,
) -> Result<Settlement> {
    let message =
        format!("the worker of attempt {attempt} lost its lease: it crashed, hung or was cut off");
    let failure = Failure::new(FailureCode::LeaseExpired, message);
    let allowed = max_attempts.unwrap_or(policy.max_attempts);
    let retry = Retry::After(Duration::ZERO);
    Ok(Settlement {
        task_id: task.into(),
        run_id: run.into(),
        role: named("tasks.role", &role)?,
        kind: named("tasks.kind", &kind)?,
        attempt,
        fence,
        change: after_failure(attempt, allowed, failure, retry, policy, 0.0),
        spent: Spent::default(),
    })
}

pub(crate) async fn time_out_runs(
    conn: &mut Conn,
    longest: Option<Duration>,
    limit: u32,
) -> Result<Vec<RunId>> {
    let now = dialect::now(conn).await?;
    let live = [RunStatus::Queued.name(), RunStatus::Running.name(), RunStatus::Waiting.name()];
    let mut query = runs::table.filter(runs::status.eq_any(live)).into_boxed();
    query = match longest {
        Some(longest) => query.filter(
            runs::deadline_at
                .lt(now)
                .or(runs::deadline_at.is_null().and(runs::started_at.lt(now - longest))),
        ),
        None => query.filter(runs::deadline_at.lt(now)),
    };
    let late: Vec<Key> = query
        .order(runs::id)
        .limit(i64::from(limit))
        .select(runs::id)
        .load(conn)
        .await
        .during("look for runs past their time")?;
    if late.is_empty() {
        return Ok(Vec::new());
    }
    let mut locked = lookup::lock_runs(conn, late.into_iter().map(RunId::from).collect()).await?;
    let mut deltas = BTreeMap::new();
    for (id, row) in &locked {
        if !named::<RunStatus>("runs.status", &row.status)?.is_final() {
            let outcome =
                json!({ "reason": "timed_out", "message": "the run took longer than it may" });
            let end = Some(RunEnd { status: RunStatus::Failed, outcome });
            let cancel = Some(CancelReason::RunTimedOut);
            deltas.insert(*id, Delta { end, cancel, ..Delta::default() });
        }
    }
    let ended = deltas.keys().copied().collect();
    let mut journal = Journal::new(now);
    run_status::refresh(conn, &mut locked, deltas, &mut journal).await?;
    journal.write(conn).await?;
    Ok(ended)
}

pub(crate) async fn remove_old(
    conn: &mut Conn,
    retention: Retention,
    limit: u32,
) -> Result<Removed> {
    let now = dialect::now(conn).await?;
    let limit = i64::from(limit);
    let ended =
        [RunStatus::Completed.name(), RunStatus::Failed.name(), RunStatus::Cancelled.name()];
    let before = now - retention.runs;
    let old_runs: Vec<Key> = runs::table
        .filter(runs::status.eq_any(ended))
        // What ended before was made before, and of that there is an index.
        .filter(runs::created_at.lt(before))
        .filter(runs::finished_at.lt(before))
        .order(runs::created_at)
        .limit(limit)
        .select(runs::id)
        .load(conn)
        .await
        .during("look for old runs")?;
    let runs = diesel::delete(runs::table.filter(runs::id.eq_any(old_runs)))
        // Once more: one may have been replayed in the meantime.
        .filter(runs::status.eq_any(ended))
        .filter(runs::finished_at.lt(before))
        .execute(conn)
        .await
        .during("remove old runs")?;
    diesel::delete(firings::table.filter(firings::fired_at.lt(before)))
        .execute(conn)
        .await
        .during("remove old firings")?;
    let old: Vec<String> = deliveries::table
        .filter(deliveries::received_at.lt(now - retention.deliveries))
        .order(deliveries::received_at)
        .limit(limit)
        .select(deliveries::id)
        .load(conn)
        .await
        .during("look for old deliveries")?;
    let deliveries = diesel::delete(deliveries::table.filter(deliveries::id.eq_any(old)))
        .execute(conn)
        .await
        .during("remove old deliveries")?;
    let idempotency = remove_old_answers(conn, now - retention.idempotency, limit).await?;
    let count = |rows: usize| u64::try_from(rows).unwrap_or(u64::MAX);
    Ok(Removed {
        runs: count(runs),
        deliveries: count(deliveries),
        idempotency: count(idempotency),
    })
}

async fn remove_old_answers(conn: &mut Conn, before: DateTime<Utc>, limit: i64) -> Result<usize> {
    // Up to a moment, since the key has two columns: the moment of the last of the batch.
    let last: Option<DateTime<Utc>> = idempotency::table
        .filter(idempotency::created_at.lt(before))
        .order(idempotency::created_at)
        .limit(limit)
        .select(idempotency::created_at)
        .load::<DateTime<Utc>>(conn)
        .await
        .during("look for old answers")?
        .pop();
    let Some(last) = last else { return Ok(0) };
    diesel::delete(idempotency::table.filter(idempotency::created_at.le(last)))
        .execute(conn)
        .await
        .during("remove old answers")
}

pub(crate) async fn gauges(conn: &mut Conn) -> Result<Gauges> {
    let now = dialect::now(conn).await?;
    let mut counted = Vec::new();
    for status in TaskStatus::LIVE {
        // One by one: each has a partial index, their sum has none.
        let roles: Vec<(String, i64)> = tasks::table
            .filter(status_is(*status))
            .group_by(tasks::role)
            .select((tasks::role, diesel::dsl::count_star()))
            .load(conn)
            .await
            .during("count live tasks")?;
        for (role, count) in roles {
            counted.push((named("tasks.role", &role)?, *status, count));
        }
    }
    let live: Vec<_> = RunStatus::LIVE.iter().map(|it| it.name()).collect();
    let runs: Vec<(String, i64)> = runs::table
        .filter(runs::status.eq_any(live))
        .group_by(runs::status)
        .select((runs::status, diesel::dsl::count_star()))
        .load(conn)
        .await
        .during("count live runs")?;
    let outbox_rows: i64 =
        outbox_table::table.count().get_result(conn).await.during("count the outbox")?;
    let oldest_outbox: Option<DateTime<Utc>> = outbox_table::table
        .order(outbox_table::id)
        .select(outbox_table::created_at)
        .first(conn)
        .await
        .optional()
        .during("look at the outbox")?;
    let dead_letters: i64 =
        dead_letters::table.count().get_result(conn).await.during("count dead letters")?;
    let run = |(status, count): (String, i64)| Ok((named("runs.status", &status)?, count));
    Ok(Gauges {
        tasks: counted,
        runs: runs.into_iter().map(run).collect::<Result<_>>()?,
        outbox_rows,
        oldest_outbox,
        dead_letters,
        now,
    })
}
