//! A store that refuses for a while, or for good. It is made to by triggers, which needs Postgres.

use std::sync::Arc;

use domain::{
    role::Role,
    task::{FailureCode, TaskStatus},
};
use testkit::TestStore;
use tokio::sync::Semaphore;

use crate::{
    script::Script,
    stage::{Stage, config, run_of, single, until},
};

/// Has the store refuse updates of tasks for which `when` holds.
async fn refuse(stage: &Stage, when: &str) {
    let sql = format!(
        "CREATE SEQUENCE refusals; \
         CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           IF {when} THEN RAISE EXCEPTION 'not today'; END IF; RETURN NEW; \
         END $$; \
         CREATE TRIGGER refuse BEFORE UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION refuse()"
    );
    stage.db.sql(&sql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_is_tried_again_until_the_store_takes_it() {
    let stage = Stage::on(TestStore::postgres().await).await;
    refuse(&stage, "NEW.status = 'running' AND nextval('refusals') <= 3").await;
    let worker = stage.start(config(), Script::answering());
    let id = stage.create_task(single(Role::Reviewer)).await;
    assert_eq!(stage.until(id, TaskStatus::Completed).await.attempt, 1);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settlement_is_tried_again_until_the_store_takes_it() {
    let stage = Stage::on(TestStore::postgres().await).await;
    refuse(&stage, "NEW.status = 'completed' AND nextval('refusals') <= 3").await;
    let worker = stage.start(config(), Script::answering());
    let id = stage.create_task(single(Role::Reviewer)).await;
    let task = stage.until(id, TaskStatus::Completed).await;
    assert_eq!((task.attempt, task.result.unwrap()["text"].as_str()), (1, Some("as you wish")));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_that_cannot_be_stored_fails_its_task_and_harms_no_other() {
    let stage = Stage::on(TestStore::postgres().await).await;
    let gate = Arc::new(Semaphore::new(0));
    let agent = Script::gated(&gate);
    let worker = stage.start(config(), agent.clone());
    let run = run_of((0..6).map(|_| single(Role::Reviewer)).collect());
    let ids: Vec<_> = run.tasks.iter().map(|task| task.id).collect();
    refuse(&stage, &format!("NEW.status = 'completed' AND NEW.id = '{}'", ids[2])).await;
    stage.create(run).await;
    until("all run", || agent.at_work() == 6).await;
    gate.add_permits(6);
    for id in &ids {
        let end = if *id == ids[2] { TaskStatus::Failed } else { TaskStatus::Completed };
        stage.until(*id, end).await;
    }
    assert_eq!(stage.task(ids[2]).await.error.unwrap().code, FailureCode::Internal);
    worker.stop().await;
}
