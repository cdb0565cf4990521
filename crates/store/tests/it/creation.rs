use domain::ids::RunId;
use testkit::{TestStore, on_both_stores};

use crate::scene::{self, creation, run, task};
use store::{
    PageRequest,
    runs::{Created, CreatedSet, Creation, Guard, RunFilter},
    tasks::AddedTask,
};

fn keyed(key: &str, fingerprint: u8) -> Creation {
    let guard = Guard::Idempotency {
        principal: "client".to_owned(),
        key: key.to_owned(),
        fingerprint: vec![fingerprint],
    };
    creation(guard, run(vec![task("once")]))
}

fn set(created: &Created) -> &CreatedSet {
    let (Created::New { set, .. } | Created::Replayed(set)) = created else {
        panic!("nothing was created: {created:?}");
    };
    set
}

on_both_stores!(a_key_makes_a_request_happen_once, |test: TestStore| async move {
    let requests: Vec<_> = (0..40)
        .map(|_| {
            let store = test.store.clone();
            tokio::spawn(async move { store.create(vec![keyed("k", 1)]).await.unwrap().remove(0) })
        })
        .collect();
    let mut answers = Vec::new();
    for request in requests {
        answers.push(request.await.unwrap());
    }
    let new = answers.iter().filter(|answer| matches!(answer, Created::New { .. })).count();
    assert_eq!(new, 1);
    assert!(answers.iter().all(|answer| set(answer) == set(&answers[0])));
    let page = PageRequest { after: None, limit: 10 };
    assert_eq!(test.store.list_runs(RunFilter::default(), page).await.unwrap().items.len(), 1);
});

on_both_stores!(a_key_with_another_request_is_refused, |test: TestStore| async move {
    let batch = vec![keyed("k", 1), keyed("k", 1), keyed("k", 2), keyed("other", 2)];
    let answers = test.store.create(batch).await.unwrap();
    assert!(matches!(
        answers[..],
        [Created::New { .. }, Created::Replayed(_), Created::KeyReused, Created::New { .. }]
    ));
    assert_eq!(set(&answers[0]), set(&answers[1]));
    let later = test.store.create(vec![keyed("k", 1), keyed("k", 3)]).await.unwrap();
    assert!(matches!(later[..], [Created::Replayed(_), Created::KeyReused]));
    assert_eq!(set(&later[0]), set(&answers[0]));
});

on_both_stores!(an_id_that_exists_hinders_nobody_else, |test: TestStore| async move {
    let (first, twin, other) = (run(vec![task("a")]), run(vec![task("b")]), run(vec![task("c")]));
    let mut same = twin.clone();
    same.id = first.id;
    test.store.create(vec![creation(Guard::None, first)]).await.unwrap();
    let batch = vec![creation(Guard::None, same), creation(Guard::None, other.clone())];
    let answers = test.store.create(batch).await.unwrap();
    assert!(matches!(answers[..], [Created::Conflict(_), Created::New { .. }]), "{answers:?}");
    assert!(test.store.find_run(other.id).await.unwrap().is_some());
    assert!(test.store.find_task(twin.tasks[0].id).await.unwrap().is_none());
});

on_both_stores!(a_task_needs_a_run_that_exists, |test: TestStore| async move {
    let nowhere = RunId::new();
    let added = AddedTask { run_id: nowhere, task: task("lost") };
    let creation = Creation { guard: Guard::None, runs: Vec::new(), tasks: vec![added] };
    assert_eq!(test.store.create(vec![creation]).await.unwrap(), [Created::RunMissing(nowhere)]);
});

on_both_stores!(what_is_answered_is_what_is_stored, |test: TestStore| async move {
    let mut waiting = task("waiting");
    waiting.dispatch = false;
    let created =
        test.store.create(vec![creation(Guard::None, run(vec![task("a"), waiting]))]).await;
    let created = created.unwrap().remove(0);
    let CreatedSet { runs, tasks } = set(&created);
    assert_eq!(test.store.find_run(runs[0].id).await.unwrap().as_ref(), Some(&runs[0]));
    for task in tasks {
        assert_eq!(test.store.find_task(task.id).await.unwrap().as_ref(), Some(task));
    }
});

on_both_stores!(a_key_answers_the_same_after_its_run_has_ended, |test: TestStore| async move {
    let store = &test.store;
    let run = scene::start(store, vec![task("first")]).await;
    let added = Creation {
        guard: keyed("late", 1).guard,
        runs: Vec::new(),
        tasks: vec![AddedTask { run_id: run, task: task("added") }],
    };
    let first = store.create(vec![added.clone()]).await.unwrap().remove(0);
    assert!(matches!(first, Created::New { .. }), "{first:?}");
    scene::work_off(store).await;
    let again = store.create(vec![added]).await.unwrap().remove(0);
    assert_eq!(again, Created::Replayed(set(&first).clone()));
});

on_both_stores!(a_thousand_tasks_are_one_creation, |test: TestStore| async move {
    let tasks = |count: usize| (0..count).map(|number| task(&format!("task {number}"))).collect();
    let batch: Vec<_> = (0..7).map(|_| creation(Guard::None, run(tasks(1_000)))).collect();
    let answers = test.store.create(batch).await.unwrap();
    assert!(answers.iter().all(|answer| matches!(answer, Created::New { .. })));
    let store::runs::RunChanged::Done { run, .. } =
        test.store.cancel_run(set(&answers[0]).runs[0].id).await.unwrap()
    else {
        panic!("a live run can be cancelled");
    };
    assert!(run.status.is_final());
});
