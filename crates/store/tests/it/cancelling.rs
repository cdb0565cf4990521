//! Callers that go away in the middle: requests are dropped wherever they wait.

use std::time::{Duration, Instant};

use domain::role::Role;
use futures_util::{StreamExt, stream};
use serde_json::json;
use store::{Store, runs::Guard};
use testkit::{TestStore, eventually};
use tokio::time::timeout;

use crate::scene::{creation, run, task, terms};

/// Callers that go away.
const CALLERS: u64 = 10_000;
/// At the same time, for a pool of two.
const AT_ONCE: usize = 6;
/// Callers that are waited for first, to learn how long an operation takes on this machine at this moment.
const PATIENT: u64 = 60;

/// A number that looks random and follows from `index`.
fn draw(index: u64) -> u64 {
    let mut x = index.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// One operation, dropped after some time up to `longest`; whether it had ended by then.
async fn call(store: &Store, index: u64, longest: Duration) -> bool {
    let longest = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX).max(1);
    let patience = Duration::from_micros(draw(index) % longest);
    timeout(patience, operation(store, index)).await.is_ok()
}

/// One of the ways to use the store.
async fn operation(store: &Store, index: u64) {
    match index % 4 {
        0 | 1 => {
            let tasks = vec![task("one"), task("two")];
            drop(store.create(vec![creation(Guard::None, run(tasks))]).await);
        }
        2 => drop(store.claim_next_tasks(vec![Role::Implementer], 2, terms()).await),
        _ => {
            let patch = json!({"index": index});
            let page = store::PageRequest { after: None, limit: 1 };
            let tasks = store.list_tasks(store::tasks::TaskFilter::default(), page).await;
            for found in tasks.into_iter().flat_map(|page| page.items) {
                drop(store.patch_task_metadata(found.id, patch.clone()).await);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_caller_that_goes_away_leaves_a_transaction_open_or_half_done() {
    let test = TestStore::postgres().await;
    let mut args = test.args.clone();
    args.database_pool_size = 2;
    let store = Store::connect(&args).await.unwrap();

    let begun = Instant::now();
    let patient = stream::iter(0..PATIENT).map(|index| operation(&store, index));
    patient.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    // As long as six operations take beside each other, so that about half of the callers are too soon.
    let longest =
        begun.elapsed() * u32::try_from(2 * AT_ONCE).unwrap() / u32::try_from(PATIENT).unwrap();

    let called = stream::iter(PATIENT..PATIENT + CALLERS);
    let ended = called.map(|index| call(&store, index, longest)).buffer_unordered(AT_ONCE);
    let ended = ended.filter(|ended| std::future::ready(*ended)).count().await as u64;
    assert!((CALLERS / 20..CALLERS * 19 / 20).contains(&ended), "{ended} of {CALLERS} ended");

    eventually("every connection is given back", async || {
        (store.pool_state().in_use == 0).then_some(())
    })
    .await;
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' \
                    AND query LIKE '%' || current_schema() || '%'";
    assert_eq!(test.number(sessions).await, 0);
    let locks = "SELECT count(*) FROM pg_locks WHERE relation IN ('runs'::regclass, 'tasks'::regclass) \
                 AND pid <> pg_backend_pid()";
    assert_eq!(test.number(locks).await, 0, "locks are held by nobody");

    // What a creation and a claim do in one transaction is there as a whole.
    let halves = [
        "SELECT count(*) FROM runs WHERE (SELECT count(*) FROM tasks WHERE run_id = runs.id) <> 2",
        "SELECT count(*) FROM runs WHERE NOT EXISTS (SELECT FROM events WHERE run_id = runs.id)",
        "SELECT count(*) FROM tasks WHERE NOT EXISTS (SELECT FROM events WHERE task_id = tasks.id)",
        "SELECT count(*) FROM tasks WHERE status = 'queued' \
         AND NOT EXISTS (SELECT FROM outbox WHERE task_id = tasks.id)",
        "SELECT count(*) FROM tasks WHERE status = 'running' \
         AND (SELECT count(*) FROM events WHERE task_id = tasks.id) < 2",
    ];
    for half in halves {
        assert_eq!(test.number(half).await, 0, "{half}");
    }
    assert!(test.number("SELECT count(*) FROM runs").await > 100, "some creations ended");
    assert!(test.number("SELECT count(*) FROM tasks WHERE status = 'running'").await > 10);

    // Both connections still work.
    let (one, two) = tokio::join!(store.ping(), store.ping());
    one.unwrap();
    two.unwrap();
    let made = store.create(vec![creation(Guard::None, run(vec![task("after")]))]).await;
    assert_eq!(made.unwrap().len(), 1);
}
