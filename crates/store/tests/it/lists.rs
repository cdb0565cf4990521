use domain::{access::Scope, role::Role, task::TaskStatus};
use serde_json::json;
use testkit::{TestStore, on_both_stores};

use crate::scene::{self, start, task, terms};
use store::{
    PageRequest,
    keys::NewApiKey,
    tasks::{Changed, TaskFilter, TaskPatch},
};

on_both_stores!(pages_hold_every_task_once_newest_first, |test: TestStore| async move {
    let store = &test.store;
    for _ in 0..3 {
        start(store, (0..9).map(|number| task(&format!("task {number}"))).collect()).await;
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = PageRequest { after, limit: 10 };
        let page = store.list_tasks(TaskFilter::default(), page).await.unwrap();
        seen.extend(page.items.into_iter().map(|task| (task.created_at, task.id)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut sorted = seen.clone();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    sorted.dedup();
    assert_eq!((seen.len(), &seen), (27, &sorted));
});

on_both_stores!(filters_choose_tasks, |test: TestStore| async move {
    let store = &test.store;
    let mut odd = task("Fix the 100% CPU_loop");
    odd.role = Role::Tester;
    let run = start(store, vec![odd, task("something else")]).await;
    start(store, vec![task("elsewhere")]).await;
    let count = |filter: TaskFilter| async move {
        let page = PageRequest { after: None, limit: 10 };
        store.list_tasks(filter, page).await.unwrap().items.len()
    };
    let text = |text: &str| TaskFilter { text: Some(text.to_owned()), ..TaskFilter::default() };
    assert_eq!(count(text("fix THE")).await, 1);
    assert_eq!(count(text("100%")).await, 1);
    assert_eq!(count(text("%")).await, 1);
    assert_eq!(count(text("U_l")).await, 1);
    assert_eq!(count(text("Uxl")).await, 0);
    assert_eq!(count(TaskFilter { role: Some(Role::Tester), ..TaskFilter::default() }).await, 1);
    assert_eq!(count(TaskFilter { run_id: Some(run), ..TaskFilter::default() }).await, 2);
    let queued = TaskFilter { status: Some(TaskStatus::Queued), ..TaskFilter::default() };
    assert_eq!(count(queued).await, 3);
});

on_both_stores!(a_task_is_changed_until_it_runs, |test: TestStore| async move {
    let store = &test.store;
    let mut held = task("draft");
    held.dispatch = false;
    let id = held.id;
    start(store, vec![held]).await;
    let patch = TaskPatch {
        description: Some("final".to_owned()),
        role: Some(Role::Reviewer),
        ..TaskPatch::default()
    };
    let Changed::Done { now, announce } = store.update_task(id, patch.clone()).await.unwrap()
    else {
        panic!("a pending task can be changed");
    };
    assert_eq!((now.description.as_str(), now.role, announce.len()), ("final", Role::Reviewer, 0));
    let Changed::Done { announce, .. } = store.dispatch_task(id).await.unwrap() else {
        panic!("a pending task can be dispatched");
    };
    assert_eq!(announce.len(), 1);
    assert_eq!(store.dispatch_task(id).await.unwrap(), Changed::NotNow(TaskStatus::Queued));
    store.claim_tasks(vec![id], terms()).await.unwrap();
    assert_eq!(store.update_task(id, patch).await.unwrap(), Changed::NotNow(TaskStatus::Running));
    let merged = store.patch_task_metadata(id, json!({ "a": 1, "b": null })).await.unwrap();
    assert_eq!(merged, Changed::Done { now: json!({ "a": 1 }), announce: Vec::new() });
});

on_both_stores!(the_next_pending_tasks_are_dispatched_oldest_first, |test: TestStore| async move {
    let store = &test.store;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let mut held = task("held");
        held.dispatch = false;
        ids.push(held.id);
        start(store, vec![held]).await;
    }
    let Changed::Done { now, announce } = store.dispatch_next_tasks(None, 2).await.unwrap() else {
        panic!("dispatching next always has an answer");
    };
    assert_eq!((&now[..], announce.len()), (&ids[..2], 2));
    assert_eq!(scene::status(store, ids[2]).await, TaskStatus::Pending);
});

on_both_stores!(a_deleted_task_is_gone_and_its_run_remembers, |test: TestStore| async move {
    let store = &test.store;
    let (a, b) = (task("a"), task("b"));
    let (a_id, b_id) = (a.id, b.id);
    let run = start(store, vec![a, b]).await;
    assert!(matches!(store.delete_task(a_id).await.unwrap(), Changed::Done { .. }));
    assert_eq!(store.find_task(a_id).await.unwrap(), None);
    assert_eq!(store.delete_task(a_id).await.unwrap(), Changed::Missing);
    let events = store.run_events(run, 0, 100).await.unwrap();
    assert!(events.iter().any(|event| event.task_id == Some(a_id)));
    assert_eq!(scene::work_off(store).await, [b_id]);
});

on_both_stores!(a_key_is_found_by_its_hash_until_it_ends, |test: TestStore| async move {
    let store = &test.store;
    let new = NewApiKey {
        name: "ci".to_owned(),
        scopes: vec![Scope::Read, Scope::Write],
        expires_at: None,
        hash: vec![1; 32],
    };
    let made = store.create_api_key(new).await.unwrap();
    let found = store.find_api_key(vec![1; 32]).await.unwrap().unwrap();
    assert_eq!(found, made);
    let now = store.database_time().await.unwrap();
    assert!(found.allows(Scope::Write, now) && !found.allows(Scope::Approve, now));
    store.touch_api_keys(vec![made.id]).await.unwrap();
    let revoked = store.revoke_api_key(made.id).await.unwrap().unwrap();
    assert!(revoked.last_used_at.is_some() && !revoked.is_valid(now));
    assert_eq!(store.list_api_keys().await.unwrap(), [revoked]);
    assert_eq!(store.find_api_key(vec![2; 32]).await.unwrap(), None);
});

on_both_stores!(a_run_streams_its_events_without_a_gap, |test: TestStore| async move {
    let store = &test.store;
    let run = start(store, vec![task("a"), task("b")]).await;
    let mut seen = Vec::new();
    let mut after = 0;
    scene::work_off(store).await;
    loop {
        let events = store.run_events(run, after, 3).await.unwrap();
        let Some(last) = events.last() else { break };
        after = last.id;
        seen.extend(events);
    }
    assert_eq!(seen, store.run_events(run, 0, 100).await.unwrap());
    assert_eq!(seen.last().map(|event| event.kind.name()), Some("run.completed"));
});
