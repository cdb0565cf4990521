//! A pool whose every connection is stuck.

use std::time::{Duration, Instant};

use clap::Parser;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use store::Store;
use testkit::{TestStore, eventually};

use crate::api::{Answer, Api};

/// Every caller has an answer by then.
const PATIENCE: Duration = Duration::from_secs(2);

/// One of the ways to need the database.
async fn call(api: &Api, index: usize, task: &str) -> (Answer, Duration) {
    let new = json!({"role": "tester", "description": "Look."});
    let (method, path, body) = match index % 8 {
        0 => (Method::GET, "/tasks".to_owned(), None),
        1 => (Method::GET, format!("/tasks/{task}"), None),
        2 | 3 => (Method::POST, "/tasks".to_owned(), Some(new)),
        4 => (Method::POST, "/tasks/batch".to_owned(), Some(json!({"tasks": [new]}))),
        5 => (Method::GET, "/runs".to_owned(), None),
        6 => (Method::PATCH, format!("/tasks/{task}"), Some(json!({"priority": 1}))),
        _ => (Method::GET, "/dlq/size".to_owned(), None),
    };
    let begun = Instant::now();
    let answer = api.send(method, &path, &[], body.map(|body| body.to_string())).await;
    (answer, begun.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_finds_every_connection_stuck_is_told_so_in_two_seconds() {
    let mut db = TestStore::postgres().await;
    let usual = api_gateway::Config::parse_from(["api-gateway"]).database.database_wait_ms;
    (db.args.database_pool_size, db.args.database_wait_ms) = (4, usual);
    db.store = Store::connect(&db.args).await.unwrap();
    let api = Api::start(db).await;
    let task = api.task().await.id().to_owned();

    let lock = api.db.hold("LOCK TABLE runs, tasks IN ACCESS EXCLUSIVE MODE").await;
    let store = api.db.store.clone();
    let stuck: Vec<_> = (0..4)
        .map(|_| {
            let (store, id) = (store.clone(), task.parse().unwrap());
            tokio::spawn(async move { store.find_task(id).await })
        })
        .collect();
    eventually("all are stuck", async || (store.pool_state().in_use == 4).then_some(())).await;

    let answers = join_all((0..200).map(|index| call(&api, index, &task))).await;
    for (answer, took) in answers {
        assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0, "{answer:?}");
        answer.refused(503, "database_unavailable");
        assert!(took < PATIENCE, "{took:?}");
    }

    drop(lock);
    let answers = join_all((0..200).map(|index| call(&api, index, &task))).await;
    for (answer, took) in answers {
        assert!((200..300).contains(&answer.status), "{answer:?}");
        assert!(took < PATIENCE, "{took:?}");
    }
    for reader in stuck {
        assert!(reader.await.unwrap().unwrap().is_some());
    }
    // 75 of 200 calls are creations, and one came before. Of those that were refused, what had begun may have been made.
    let made = api.db.number("SELECT count(*) FROM tasks").await;
    assert!((75 + 1..=2 * 75 + 1).contains(&made), "{made} tasks");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_that_is_stuck_is_answered_and_repeated_once() {
    let api = Api::start(TestStore::postgres().await).await;
    let new = json!({"role": "tester", "description": "Once."});
    let lock = api.db.hold("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE").await;
    let begun = Instant::now();
    let refused = api.post_once("k", "/tasks", &new).await.refused(503, "database_unavailable");
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    assert!(refused.text("detail").contains("Idempotency-Key"), "{}", refused.body);
    drop(lock);
    // The first is made meanwhile, or not at all.
    let made = api.post_once("k", "/tasks", &new).await.expect(201);
    let again = api.post_once("k", "/tasks", &new).await.expect(201);
    assert_eq!(made.body, again.body);
    assert_eq!(api.db.number("SELECT count(*) FROM tasks").await, 1);
}
