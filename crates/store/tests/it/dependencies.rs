use domain::{run::RunStatus, task::TaskStatus};
use testkit::{TestStore, on_both_stores};

use crate::scene::{self, completed, creation, run, settle, start, task, terms};
use store::{
    runs::{Created, Creation, Guard},
    tasks::AddedTask,
};

on_both_stores!(a_task_waits_for_all_that_it_depends_on, |test: TestStore| async move {
    let store = &test.store;
    let terms = terms();
    let (a, b, mut c) = (task("a"), task("b"), task("c"));
    c.depends_on = vec![a.id, b.id];
    let (a_id, b_id, c_id) = (a.id, b.id, c.id);
    let run = start(store, vec![a, b, c]).await;
    for (id, then) in [(a_id, TaskStatus::Pending), (b_id, TaskStatus::Queued)] {
        let task = store.claim_tasks(vec![id], terms).await.unwrap().pop().unwrap();
        settle(store, terms, vec![completed(task)]).await;
        assert_eq!(scene::status(store, c_id).await, then);
    }
    let task = store.claim_tasks(vec![c_id], terms).await.unwrap().pop().unwrap();
    settle(store, terms, vec![completed(task)]).await;
    assert_eq!(scene::run_status(store, run).await, RunStatus::Completed);
    let mut expected = vec![a_id, b_id];
    expected.sort_unstable();
    assert_eq!(store.find_task(c_id).await.unwrap().unwrap().depends_on, expected);
});

on_both_stores!(two_parents_that_end_at_once_free_their_child_once, |test: TestStore| async move {
    for _ in 0..10 {
        let store = &test.store;
        let (a, b, mut c) = (task("a"), task("b"), task("c"));
        c.depends_on = vec![a.id, b.id];
        let ids = [a.id, b.id];
        let child = c.id;
        start(store, vec![a, b, c]).await;
        let ends = ids.map(|id| {
            let store = store.clone();
            tokio::spawn(async move {
                let terms = terms();
                let task = store.claim_tasks(vec![id], terms).await.unwrap().pop().unwrap();
                settle(&store, terms, vec![completed(task)]).await.announce.len()
            })
        });
        let mut announced = 0;
        for end in ends {
            announced += end.await.unwrap();
        }
        assert_eq!(announced, 1);
        assert_eq!(scene::status(store, child).await, TaskStatus::Queued);
    }
});

on_both_stores!(a_dependency_that_cannot_be_is_refused, |test: TestStore| async move {
    let store = &test.store;
    let (mut a, mut b) = (task("a"), task("b"));
    a.depends_on = vec![b.id];
    b.depends_on = vec![a.id];
    let created = store.create(vec![creation(Guard::None, run(vec![a, b]))]).await.unwrap();
    assert!(matches!(created[..], [Created::BadDependency { .. }]), "{created:?}");

    let other = task("of another run");
    let other_id = other.id;
    start(store, vec![other]).await;
    let mut stranger = task("stranger");
    stranger.depends_on = vec![other_id];
    let created = store.create(vec![creation(Guard::None, run(vec![stranger]))]).await.unwrap();
    assert!(matches!(created[..], [Created::BadDependency { .. }]), "{created:?}");
});

on_both_stores!(
    a_task_added_after_its_dependency_completed_is_queued,
    |test: TestStore| async move {
        let store = &test.store;
        let (first, open) = (task("first"), task("open"));
        let (first_id, open_id) = (first.id, open.id);
        let run = start(store, vec![first, open]).await;
        let terms = terms();
        let claimed = store.claim_tasks(vec![first_id], terms).await.unwrap().pop().unwrap();
        settle(store, terms, vec![completed(claimed)]).await;
        let mut late = task("late");
        late.depends_on = vec![first_id];
        let late_id = late.id;
        let added = Creation {
            guard: Guard::None,
            runs: Vec::new(),
            tasks: vec![AddedTask { run_id: run, task: late }],
        };
        let created = store.create(vec![added.clone()]).await.unwrap();
        assert!(
            matches!(&created[..], [Created::New { announce, .. }] if announce.len() == 1),
            "{created:?}"
        );
        assert_eq!(scene::status(store, late_id).await, TaskStatus::Queued);
        assert_eq!(scene::work_off(store).await.len(), 2);
        assert_eq!(scene::status(store, open_id).await, TaskStatus::Completed);

        let mut after = added;
        after.tasks[0].task.id = domain::ids::TaskId::new();
        let created = store.create(vec![after]).await.unwrap();
        assert_eq!(created, [Created::RunEnded(run, RunStatus::Completed)]);
    }
);
