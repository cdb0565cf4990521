//! What somebody should have done already when the scheduler and the worker look: leases that have run out, retries that are
//! due, messages that were lost. So that each loop is crashed over work, and not over nothing.

use e2e::{
    api::text,
    stack::{Program, Stack},
};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    agents::{FAIL_ONCE, HANG_ALWAYS, HANG_ONCE},
    caller::Caller,
    checker::{Checker, ONCE},
};

/// The name of the schedule of a round.
pub(crate) fn schedule(round: usize) -> String {
    format!("schedule {round}")
}

/// Makes it, and stops the two while it does. The caller lets them go on.
pub(crate) async fn prepare(stack: &Stack, caller: &Caller, checker: &Checker, round: usize) {
    stack.signal(Program::Scheduler.name(), Signal::STOP);
    let task = |words: &str, extra: Value| {
        let mut task = json!({
            "role": "architect", "description": format!("{ONCE} late {round}: {words}"),
        });
        for (name, value) in extra.as_object().into_iter().flatten() {
            task[name] = value.clone();
        }
        let key = format!("late-{round}-{words}");
        async move { caller.create("/tasks", &key, &task).await }
    };
    let none = || json!({});
    let (expired, overdue, failing, lost, old) = tokio::join!(
        task(HANG_ONCE, none()),
        task(HANG_ALWAYS, none()),
        task(FAIL_ONCE, none()),
        task("lost", json!({ "dispatch": false })),
        task("old", none()),
    );
    let id = |task: &Value| text(&task["id"]);
    for (task, status) in
        [(&expired, "running"), (&overdue, "running"), (&failing, "retrying"), (&old, "completed")]
    {
        caller.until_task(&id(task), &[status]).await;
    }
    make_schedule(caller, &schedule(round), 86_400_000).await;
    stack.signal(Program::Worker.name(), Signal::STOP);
    let minute_ago = "now() - interval '1 minute'";
    let year_ago = "now() - interval '1 year'";
    let (expired, overdue, lost) = (id(&expired), text(&overdue["runId"]), id(&lost));
    let (old, old_run) = (id(&old), text(&old["runId"]));
    checker
        .change(&format!(
            "UPDATE tasks SET leased_until = {minute_ago} WHERE id = '{expired}';
             UPDATE runs SET deadline_at = {minute_ago} WHERE id = '{overdue}';
             UPDATE tasks SET status = 'queued', dispatched = true, queued_at = {minute_ago},
                              announced_at = {minute_ago} WHERE id = '{lost}';
             INSERT INTO events (run_id, task_id, at, kind, data)
                  SELECT run_id, id, {minute_ago}, 'task.queued', '{{}}' FROM tasks WHERE id = '{lost}';
             INSERT INTO outbox (task_id, run_id, role, attempt, created_at)
                  VALUES ('{old}', '{old_run}', 'architect', 1, {minute_ago});
             UPDATE schedules SET next_at = {minute_ago} WHERE name = '{}';
             UPDATE runs SET created_at = {year_ago}, finished_at = {year_ago} WHERE id IN
                    (SELECT run_id FROM tasks WHERE description = '{ONCE} late {}: old');
             UPDATE idempotency SET created_at = {year_ago} WHERE key LIKE 'late-{}-%'",
            schedule(round),
            round.wrapping_sub(1),
            round.wrapping_sub(1),
        ))
        .await;
}

/// The schedule has no key: where the answer is lost, its name is taken by itself.
pub(crate) async fn make_schedule(caller: &Caller, name: &str, every_ms: u32) {
    let body = json!({
        "name": name,
        "cadence": { "kind": "interval", "everyMs": every_ms },
        "target": { "kind": "roles", "roles": ["tester"], "description": "scheduled" },
    });
    caller.act(reqwest::Method::POST, "/schedules", Some(&body)).await;
}
