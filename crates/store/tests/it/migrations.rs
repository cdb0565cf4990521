use testkit::{TestStore, on_both_stores};

use store::Error;

on_both_stores!(migrations_go_up_down_and_up_again, |test: TestStore| async move {
    let store = &test.store;
    store.schema_is_current().await.unwrap();
    let mut names = Vec::new();
    while let Some(name) = store.revert_migration().await.unwrap() {
        names.push(name);
    }
    assert!(matches!(store.schema_is_current().await, Err(Error::Schema(_))));
    let mut again = store.migrate().await.unwrap();
    again.reverse();
    assert_eq!(names, again);
    store.schema_is_current().await.unwrap();
    assert_eq!(store.migrate().await.unwrap(), Vec::<String>::new());
});

on_both_stores!(many_may_migrate_at_once, |test: TestStore| async move {
    while test.store.revert_migration().await.unwrap().is_some() {}
    let all: Vec<_> = (0..3)
        .map(|_| {
            let store = test.store.clone();
            tokio::spawn(async move { store.migrate().await.unwrap().len() })
        })
        .collect();
    let mut ran = 0;
    for one in all {
        ran += one.await.unwrap();
    }
    assert_eq!(ran, 4);
});

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_one_file_is_refused() {
    let test = TestStore::sqlite().await;
    let error = store::Store::connect(&test.args).await.err().expect("the file is taken");
    assert!(error.to_string().contains("another orchestrator process"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_exist_is_named_with_those_that_do() {
    let mut args = TestStore::sqlite().await.args.clone();
    args.task_store = "redis".to_owned();
    let error = store::Store::connect(&args).await.err().expect("there is no such store");
    assert_eq!(
        error.to_string(),
        "ORCH_TASK_STORE is `redis`: this system has `sqlite` (the embedded default) and `postgres`"
    );
}
