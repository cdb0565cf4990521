//! What a scenario came to: the checks of the database, and what is seen from outside.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, SystemTime},
};

use anyhow::Result;
use serde::Serialize;
use testbed::Exit;
use uuid::Uuid;

use super::Stage;
use crate::{
    checker::{self, Problem},
    programs::GRACE_MS,
    scenario::Scenario,
    scrape,
};

/// How long after its lease a task may still be somebody's who is gone.
const LATENESS: Duration = Duration::from_secs(5);
/// How much longer than its grace a process may take to end on a busy machine.
const EXIT_SLACK: Duration = Duration::from_secs(2);
/// How long after it goes on a worker may still send what it had begun before it was stopped.
const AWAKE: Duration = Duration::from_secs(1);

/// A line of the table.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verdict {
    pub(crate) scenario: String,
    pub(crate) passed: bool,
    /// What was done to it, and how often.
    pub(crate) done: BTreeMap<String, u64>,
    pub(crate) tasks: i64,
    /// Grants of a task to a worker.
    pub(crate) grants: i64,
    /// Leases that ran out and were rescued.
    pub(crate) rescued: i64,
    /// Late writes that were refused, by the history.
    pub(crate) fenced: i64,
    /// The longest that a lease was there after its end.
    pub(crate) worst_lateness_ms: u64,
    /// The longest that the machine gave the harness no turn.
    pub(crate) worst_stall_ms: u64,
    pub(crate) seconds: f64,
    /// Names of the checks that do not hold.
    pub(crate) failed_checks: Vec<String>,
    #[serde(skip)]
    pub(crate) problems: Vec<Problem>,
}

pub(super) async fn of(mut stage: Stage<'_>, scenario: Scenario) -> Result<Verdict> {
    let mut problems = std::mem::take(&mut stage.problems);
    problems.extend(checker::check(&stage.database).await?);
    problems.extend(lost(&stage).await?);
    problems.extend(uncounted(&stage).await?);
    problems.extend(executed_again(&stage).await?);
    let worst = stage.lateness.worst();
    let stall = stage.lateness.stall();
    if worst > LATENESS + stall {
        let in_the_way = stage.lateness.in_the_way().unwrap_or_default();
        let text = format!("a lease was there {worst:?} after its end: {in_the_way}");
        problems.push(Problem::new("lateness", text));
    }
    let seconds = stage.elapsed().as_secs_f64();
    for (name, Exit { code, took }) in stage.services.stop().await? {
        let limit = Duration::from_millis(GRACE_MS) + EXIT_SLACK;
        if code != Some(0) || took > limit {
            let text = format!("told to end, {name} ended with {code:?} after {took:?}");
            problems.push(Problem::new("exits", text));
        }
    }
    let events = |kind: &str| format!("SELECT count(*) FROM events WHERE kind = '{kind}'");
    let mut failed_checks: Vec<_> = problems.iter().map(|it| it.check.clone()).collect();
    failed_checks.dedup();
    let done = stage.tally.iter().map(|(what, count)| ((*what).to_owned(), *count));
    Ok(Verdict {
        scenario: scenario.name().to_owned(),
        passed: problems.is_empty(),
        done: done.collect(),
        tasks: stage.database.number("SELECT count(*) FROM tasks").await?,
        grants: stage.database.number(&events("task.started")).await?,
        rescued: stage.database.number(&events("task.lease_expired")).await?,
        fenced: stage.database.number(&events("task.fenced")).await?,
        worst_lateness_ms: u64::try_from(worst.as_millis()).unwrap_or(u64::MAX),
        worst_stall_ms: u64::try_from(stall.as_millis()).unwrap_or(u64::MAX),
        seconds,
        failed_checks,
        problems,
    })
}

/// Tasks that the API said it had created and that are not there.
async fn lost(stage: &Stage<'_>) -> Result<Option<Problem>> {
    let accepted = stage.load.accepted();
    let ids: Vec<String> = accepted.iter().map(Uuid::to_string).collect();
    let sql = "SELECT given.id FROM unnest($1::text[]) AS given(id) WHERE NOT EXISTS (SELECT FROM tasks t WHERE t.id = given.id::uuid)";
    let gone = stage.database.rows(sql, &[&ids]).await?;
    let example: Option<String> = gone.first().map(|row| row.get(0));
    Ok(example.map(|id| {
        let text = format!("of {} accepted tasks {} are gone, as {id}", ids.len(), gone.len());
        Problem::new("lost", text)
    }))
}

/// Refused writes that the history knows and the metrics do not, or the other way round.
async fn uncounted(stage: &Stage<'_>) -> Result<Option<Problem>> {
    for name in &stage.steady_workers {
        let Some(service) = stage.services.get(name) else { continue };
        let Some(worker) = scrape::worker_id(service.log()) else { continue };
        let counted =
            scrape::sum(&stage.http, &service.url(), "orchestrator_results_fenced_total").await?;
        let sql =
            "SELECT count(*) FROM events WHERE kind = 'task.fenced' AND data ->> 'workerId' = $1";
        let known: i64 = stage.database.rows(sql, &[&worker]).await?[0].get(0);
        if counted != known {
            let text =
                format!("{name} counted {counted} refused writes, the history knows {known}");
            return Ok(Some(Problem::new("fenced_counted", text)));
        }
    }
    Ok(None)
}

/// Calls from outside that no grant accounts for, or that came after their task had completed. Only a worker that was stopped
/// before, and went on a moment ago, may send what it had begun: nobody can take that back.
async fn executed_again(stage: &Stage<'_>) -> Result<Option<Problem>> {
    let calls = stage.ledger.calls();
    if calls.is_empty() {
        return Ok(None);
    }
    let sql = "SELECT t.id::text, t.fence, (SELECT min(e.at) FROM events e WHERE e.task_id = t.id AND e.kind = 'task.completed')
        FROM tasks t";
    let rows = stage.database.rows(sql, &[]).await?;
    let known: HashMap<String, (i64, Option<SystemTime>)> =
        rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
    let mut counts: HashMap<Uuid, i64> = HashMap::new();
    for call in &calls {
        let count = counts.entry(call.task).or_default();
        *count += 1;
        let Some((grants, completed)) = known.get(&call.task.to_string()) else { continue };
        if *count > *grants {
            let text = format!("task {} was granted {grants} times and executed more", call.task);
            return Ok(Some(Problem::new("outside", text)));
        }
        let late = completed.is_some_and(|at| call.at > at);
        let awoke = stage.stops.iter().any(|(worker, from, to)| {
            *worker == call.worker
                && completed.is_some_and(|at| at > *from)
                && call.at < *to + AWAKE
        });
        if late && !awoke {
            let text =
                format!("{} executed task {} after it had completed", call.worker, call.task);
            return Ok(Some(Problem::new("outside", text)));
        }
    }
    Ok(None)
}
