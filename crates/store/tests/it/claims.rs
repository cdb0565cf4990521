use std::{collections::HashSet, time::Duration};

use domain::{role::Role, run::RunStatus, task::TaskStatus};
use testkit::{TestStore, on_both_stores};

use crate::scene::{self, claimed, completed, settle, start, task, terms};
use store::tasks::{ClaimTerms, SettleRequest, Settled};

on_both_stores!(a_task_goes_from_creation_to_its_end, |test: TestStore| async move {
    let store = &test.store;
    let terms = terms();
    let task = claimed(store, terms).await;
    assert_eq!((task.attempt, task.fence, task.max_attempts), (1, 1, 2));
    let (id, run) = (task.id, task.run_id);
    assert_eq!(scene::run_status(store, run).await, RunStatus::Running);
    let report = settle(store, terms, vec![completed(task)]).await;
    assert_eq!(report.results, [Settled::Applied]);
    let stored = store.find_task(id).await.unwrap().unwrap();
    assert_eq!(stored.status, TaskStatus::Completed);
    assert_eq!(stored.result, Some(serde_json::json!({ "text": "done" })));
    assert_eq!((stored.worker_id, stored.leased_until), (None, None));
    assert_eq!(scene::run_status(store, run).await, RunStatus::Completed);
    assert_eq!(scene::history(store, id).await, "task.created task.started task.completed");
    assert_eq!(scene::run_history(store, run).await, "run.created run.started run.completed");
});

on_both_stores!(a_task_is_claimed_once_however_many_ask, |test: TestStore| async move {
    let tasks: Vec<_> = (0..200).map(|number| task(&format!("task {number}"))).collect();
    let ids: Vec<_> = tasks.iter().map(|task| task.id).collect();
    start(&test.store, tasks).await;
    let workers: Vec<_> = (0..8)
        .map(|worker| {
            let (store, ids) = (test.store.clone(), ids.clone());
            tokio::spawn(async move {
                let mut got = Vec::new();
                for some in ids.chunks(20).cycle().skip(worker).take(10) {
                    let tasks = store.claim_tasks(some.to_vec(), terms()).await.unwrap();
                    got.extend(tasks.into_iter().map(|task| task.id));
                }
                got
            })
        })
        .collect();
    let mut all = Vec::new();
    for worker in workers {
        all.extend(worker.await.unwrap());
    }
    assert_eq!(all.len(), 200);
    assert_eq!(all.into_iter().collect::<HashSet<_>>(), ids.into_iter().collect());
});

on_both_stores!(a_late_result_is_fenced_and_recorded, |test: TestStore| async move {
    let store = &test.store;
    let (old, new) = (ClaimTerms { lease: Duration::ZERO, ..terms() }, terms());
    let late = claimed(store, old).await;
    let rescued = store.rescue_expired(scene::POLICY, 10).await.unwrap();
    assert_eq!(rescued.retried, [late.id]);
    assert_eq!(store.promote_due(10).await.unwrap().len(), 1);
    let again = store.claim_tasks(vec![late.id], new).await.unwrap().pop().unwrap();
    assert_eq!((again.attempt, again.fence), (2, 2));
    let id = late.id;
    assert_eq!(settle(store, old, vec![completed(late)]).await.results, [Settled::Fenced]);
    assert_eq!(scene::status(store, id).await, TaskStatus::Running);
    assert_eq!(settle(store, new, vec![completed(again)]).await.results, [Settled::Applied]);
    assert_eq!(
        scene::history(store, id).await,
        "task.created task.started task.lease_expired task.queued task.started task.fenced task.completed"
    );
});

on_both_stores!(a_settlement_repeated_is_fenced, |test: TestStore| async move {
    let terms = terms();
    let task = claimed(&test.store, terms).await;
    let settlement = completed(task);
    let first = settle(&test.store, terms, vec![settlement.clone()]).await;
    let second = settle(&test.store, terms, vec![settlement]).await;
    assert_eq!((first.results, second.results), (vec![Settled::Applied], vec![Settled::Fenced]));
});

on_both_stores!(a_batch_settles_each_for_itself, |test: TestStore| async move {
    let store = &test.store;
    let (mine, other) = (terms(), terms());
    let good = claimed(store, mine).await;
    let foreign = claimed(store, other).await;
    let ids = (good.id, foreign.id);
    let report = settle(store, mine, vec![completed(foreign), completed(good)]).await;
    assert_eq!(report.results, [Settled::Fenced, Settled::Applied]);
    assert_eq!(scene::status(store, ids.0).await, TaskStatus::Completed);
    assert_eq!(scene::status(store, ids.1).await, TaskStatus::Running);
});

on_both_stores!(a_lease_is_renewed_by_its_holder_only, |test: TestStore| async move {
    let store = &test.store;
    let terms = terms();
    let task = claimed(store, terms).await;
    let before = store.find_task(task.id).await.unwrap().unwrap().leased_until.unwrap();
    let longer = ClaimTerms { lease: Duration::from_secs(300), ..terms };
    assert_eq!(store.renew_leases(vec![(task.id, task.fence)], longer).await.unwrap(), []);
    let after = store.find_task(task.id).await.unwrap().unwrap().leased_until.unwrap();
    assert!(after > before + Duration::from_secs(200), "{before} → {after}");
    let stranger = scene::terms();
    assert_eq!(store.renew_leases(vec![(task.id, task.fence)], stranger).await.unwrap(), [task.id]);
    assert_eq!(store.renew_leases(vec![(task.id, 7)], longer).await.unwrap(), [task.id]);
});

on_both_stores!(a_worker_takes_the_most_urgent_of_its_roles, |test: TestStore| async move {
    let store = &test.store;
    let with = |description: &str, priority: i64, role| {
        let mut task = task(description);
        task.priority = priority.try_into().unwrap();
        task.role = role;
        task
    };
    start(
        store,
        vec![
            with("later", 7, Role::Reviewer),
            with("first", 1, Role::Reviewer),
            with("another role's", 0, Role::Tester),
            with("second", 4, Role::Reviewer),
        ],
    )
    .await;
    let tasks = store.claim_next_tasks(vec![Role::Reviewer], 2, terms()).await.unwrap();
    let mut got: Vec<_> = tasks.into_iter().map(|task| task.description).collect();
    got.sort_unstable();
    assert_eq!(got, ["first", "second"]);
});

on_both_stores!(a_task_handed_back_has_spent_no_attempt, |test: TestStore| async move {
    let store = &test.store;
    let terms = terms();
    let task = claimed(store, terms).await;
    let id = task.id;
    let back = task.settle(
        domain::settlement::Outcome::HandedBack,
        domain::settlement::Spent::default(),
        &scene::POLICY,
        0.0,
    );
    let report = settle(store, terms, vec![back]).await;
    assert_eq!(report.results, [Settled::Applied]);
    assert_eq!(report.announce.iter().map(|row| row.message.task_id).collect::<Vec<_>>(), [id]);
    let stored = store.find_task(id).await.unwrap().unwrap();
    assert_eq!((stored.status, stored.attempt), (TaskStatus::Queued, 0));
    let again = store.claim_tasks(vec![id], terms).await.unwrap().pop().unwrap();
    assert_eq!((again.attempt, again.fence), (1, 2));
});

on_both_stores!(a_follow_up_is_claimed_where_a_slot_is_free, |test: TestStore| async move {
    let store = &test.store;
    let terms = terms();
    let done = claimed(store, terms).await;
    let follow_ups: Vec<_> = (0..3).map(|number| task(&format!("then {number}"))).collect();
    let outcome = domain::settlement::Outcome::Completed {
        result: scene::object(),
        next: domain::workflow::Next { follow_ups, end: None },
        run: domain::settlement::RunProgress {
            head_commit: Some("c0ffee".to_owned()),
            ..domain::settlement::RunProgress::default()
        },
    };
    let run = done.run_id;
    let settlement =
        done.settle(outcome, domain::settlement::Spent::default(), &scene::POLICY, 0.0);
    let request = SettleRequest {
        settlements: vec![settlement],
        claims: Vec::new(),
        terms,
        roles: Role::ALL.to_vec(),
        free_slots: 2,
    };
    let report = store.settle_tasks(request).await.unwrap();
    assert_eq!((report.follow_ups.len(), report.announce.len()), (2, 1));
    assert_eq!(report.follow_ups[0].run.head_commit.as_deref(), Some("c0ffee"));
    assert_eq!(scene::run_status(store, run).await, RunStatus::Running);
    settle(store, terms, report.follow_ups.into_iter().map(completed).collect()).await;
    assert_eq!(scene::work_off(store).await.len(), 1);
    assert_eq!(scene::run_status(store, run).await, RunStatus::Completed);
});

on_both_stores!(
    an_old_and_a_new_attempt_in_one_batch_are_told_apart,
    |test: TestStore| async move {
        let store = &test.store;
        let hasty = ClaimTerms { lease: Duration::ZERO, ..terms() };
        let old = claimed(store, hasty).await;
        let id = old.id;
        store.rescue_expired(scene::POLICY, 10).await.unwrap();
        store.promote_due(10).await.unwrap();
        let new = store.claim_tasks(vec![id], hasty).await.unwrap().pop().unwrap();
        let report = settle(store, hasty, vec![completed(old), completed(new)]).await;
        assert_eq!(report.results, [Settled::Fenced, Settled::Applied]);
        let history = scene::history(store, id).await;
        assert_eq!(history.matches("task.completed").count(), 1, "{history}");
    }
);

on_both_stores!(
    an_old_attempt_of_the_same_worker_is_fenced_as_well,
    |test: TestStore| async move {
        let store = &test.store;
        let hasty = ClaimTerms { lease: Duration::ZERO, ..terms() };
        let old = claimed(store, hasty).await;
        let id = old.id;
        store.rescue_expired(scene::POLICY, 10).await.unwrap();
        store.promote_due(10).await.unwrap();
        let new = store.claim_tasks(vec![id], hasty).await.unwrap().pop().unwrap();
        // The worker's name is the same: only the fence tells the two apart.
        assert_eq!(settle(store, hasty, vec![completed(old)]).await.results, [Settled::Fenced]);
        assert_eq!(scene::status(store, id).await, TaskStatus::Running);
        assert_eq!(settle(store, hasty, vec![completed(new)]).await.results, [Settled::Applied]);
    }
);
