use std::time::Duration;

use domain::{
    run::{Budget, RunStatus},
    settlement::{Outcome, RunProgress, Spent},
    task::{CancelReason, TaskStatus, Usage},
    workflow::{Next, RunEnd},
};
use serde_json::json;
use testkit::{TestStore, on_both_stores};

use crate::scene::{self, claimed, completed, creation, run, settle, start, task, terms};
use store::{
    runs::{Guard, RunChanged},
    tasks::{Changed, Settled},
    upkeep::Retention,
};

on_both_stores!(a_paused_run_begins_nothing_until_it_is_resumed, |test: TestStore| async move {
    let store = &test.store;
    let terms = terms();
    let (a, mut b) = (task("a"), task("b"));
    b.depends_on = vec![a.id];
    let (a_id, b_id) = (a.id, b.id);
    let run = start(store, vec![a, b]).await;
    let running = store.claim_tasks(vec![a_id], terms).await.unwrap().pop().unwrap();
    assert!(matches!(store.pause_run(run).await.unwrap(), RunChanged::Done { .. }));
    assert_eq!(settle(store, terms, vec![completed(running)]).await.announce, []);
    assert_eq!(scene::status(store, b_id).await, TaskStatus::Pending);
    assert_eq!(scene::work_off(store).await, []);
    assert_eq!(scene::run_status(store, run).await, RunStatus::Paused);
    let RunChanged::Done { run: resumed, announce } = store.resume_run(run).await.unwrap() else {
        panic!("a paused run can be resumed");
    };
    assert_eq!((resumed.status, announce.len()), (RunStatus::Running, 1));
    assert_eq!(scene::work_off(store).await, [b_id]);
    assert_eq!(scene::run_status(store, run).await, RunStatus::Completed);
    assert_eq!(store.resume_run(run).await.unwrap(), RunChanged::NotNow(RunStatus::Completed));
});

on_both_stores!(a_paused_run_keeps_its_queued_tasks_back, |test: TestStore| async move {
    let store = &test.store;
    let one = task("one");
    let id = one.id;
    let run = start(store, vec![one]).await;
    store.pause_run(run).await.unwrap();
    assert_eq!(store.claim_tasks(vec![id], terms()).await.unwrap(), []);
    store.resume_run(run).await.unwrap();
    assert_eq!(store.claim_tasks(vec![id], terms()).await.unwrap().len(), 1);
    assert_eq!(scene::history(store, id).await, "task.created task.held task.queued task.started");
});

on_both_stores!(a_cancelled_run_stops_all_of_it, |test: TestStore| async move {
    let store = &test.store;
    let terms = terms();
    let (a, b) = (task("a"), task("b"));
    let ids = [a.id, b.id];
    let run = start(store, vec![a, b]).await;
    let running = store.claim_tasks(vec![ids[0]], terms).await.unwrap().pop().unwrap();
    assert!(matches!(store.cancel_run(run).await.unwrap(), RunChanged::Done { .. }));
    for id in ids {
        assert_eq!(scene::status(store, id).await, TaskStatus::Cancelled);
    }
    assert_eq!(store.recently_cancelled(Duration::from_secs(5)).await.unwrap(), [ids[0]]);
    assert_eq!(settle(store, terms, vec![completed(running)]).await.results, [Settled::Fenced]);
    assert_eq!(scene::run_status(store, run).await, RunStatus::Cancelled);
    assert_eq!(store.cancel_run(run).await.unwrap(), RunChanged::NotNow(RunStatus::Cancelled));
});

on_both_stores!(a_cancelled_task_ends_its_run_when_it_is_the_last, |test: TestStore| async move {
    let store = &test.store;
    let task = claimed(store, terms()).await;
    let Changed::Done { now, .. } = store.cancel_task(task.id).await.unwrap() else {
        panic!("a running task can be cancelled");
    };
    assert_eq!(
        (now.status, now.cancel_reason),
        (TaskStatus::Cancelled, Some(CancelReason::Requested))
    );
    assert_eq!(scene::run_status(store, task.run_id).await, RunStatus::Cancelled);
});

on_both_stores!(a_workflow_ends_its_run_with_an_outcome, |test: TestStore| async move {
    let store = &test.store;
    let terms = terms();
    let task = claimed(store, terms).await;
    let run = task.run_id;
    let usage = Usage { requests: 1, tokens_in: 10, tokens_out: 5, model_ms: 70 };
    let outcome = Outcome::Completed {
        result: json!({}),
        next: Next {
            follow_ups: Vec::new(),
            end: Some(RunEnd {
                status: RunStatus::Failed,
                outcome: json!({ "decision": "reject" }),
            }),
        },
        run: RunProgress { branch: Some("orchestrator/x".to_owned()), ..RunProgress::default() },
    };
    let settlement = task.settle(outcome, Spent { usage, turns: Vec::new() }, &scene::POLICY, 0.0);
    settle(store, terms, vec![settlement]).await;
    let run = store.find_run(run).await.unwrap().unwrap();
    assert_eq!(run.status, RunStatus::Failed);
    assert_eq!(run.outcome, Some(json!({ "decision": "reject" })));
    assert_eq!((run.usage, run.branch.as_deref()), (usage, Some("orchestrator/x")));
});

on_both_stores!(a_run_past_its_time_is_ended, |test: TestStore| async move {
    let store = &test.store;
    let mut late = run(vec![task("long")]);
    late.budget = Budget { max_minutes: Some(0), ..Budget::default() };
    let (id, task_id) = (late.id, late.tasks[0].id);
    store.create(vec![creation(Guard::None, late)]).await.unwrap();
    assert_eq!(store.time_out_runs(None, 10).await.unwrap(), []);
    store.claim_tasks(vec![task_id], terms()).await.unwrap();
    let ended = testkit::eventually("the clock moves on", || async {
        Some(store.time_out_runs(None, 10).await.unwrap()).filter(|ended| !ended.is_empty())
    })
    .await;
    assert_eq!(ended, [id]);
    assert_eq!(scene::run_status(store, id).await, RunStatus::Failed);
    assert_eq!(scene::status(store, task_id).await, TaskStatus::Cancelled);
});

on_both_stores!(retention_removes_what_has_ended, |test: TestStore| async move {
    let store = &test.store;
    let (old, open) = (task("old"), task("open"));
    let old_id = old.id;
    let old_run = start(store, vec![old]).await;
    scene::work_off(store).await;
    let open_run = start(store, vec![open]).await;
    let keep = |time| Retention { runs: time, deliveries: time, idempotency: time };
    let nothing = store.remove_old(keep(Duration::from_secs(60)), 10).await.unwrap();
    assert_eq!(nothing.runs, 0);
    testkit::eventually("the clock moves on", || async {
        Some(store.remove_old(keep(Duration::ZERO), 10).await.unwrap())
            .filter(|gone| gone.runs == 1)
    })
    .await;
    assert_eq!(store.find_run(old_run).await.unwrap(), None);
    assert_eq!(store.find_task(old_id).await.unwrap(), None);
    assert!(store.find_run(open_run).await.unwrap().is_some());
});
