//! Health, readiness, metrics.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use serde_json::json;
use tokio_util::sync::CancellationToken;
use web::{Probes, ServeArgs, admin_routes};

use crate::client::Server;

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")
}

#[tokio::test]
async fn a_service_is_ready_when_every_check_passes_and_says_which_does_not() {
    let broker_is_up = Arc::new(AtomicUsize::new(0));
    let up = Arc::clone(&broker_is_up);
    let probes =
        || Probes::builder(CancellationToken::new(), || "orchestrator_build_info 1\n".to_owned());
    let good = probes().check("postgres", || async { Ok(()) }).build();
    let bad = probes()
        .check("postgres", || async { Ok(()) })
        .check("rabbitmq", move || {
            let up = up.load(SeqCst) > 0;
            async move { if up { Ok(()) } else { Err("no connection for 31 s".to_owned()) } }
        })
        .check("llm", || async { panic!("a check that fails to check") })
        .build();
    let good = Server::start(ServeArgs::default(), admin_routes(&good));
    let bad = Server::start(ServeArgs::default(), admin_routes(&bad));

    let answer = good.ask(&get("/ready")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        json!({"status": "ready", "checks": [{"name": "postgres", "ok": true}]})
    );

    let answer = bad.ask(&get("/ready")).await;
    assert_eq!(answer.status, 503);
    assert_eq!(
        answer.json(),
        json!({"status": "unavailable", "checks": [
            {"name": "postgres", "ok": true},
            {"name": "rabbitmq", "ok": false, "reason": "no connection for 31 s"},
            {"name": "llm", "ok": false, "reason": "the check itself failed"},
        ]})
    );
    let answer = bad.ask(&get("/health")).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"status": "ok"})));
    let answer = bad.ask(&get("/metrics")).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "orchestrator_build_info 1\n"));
    assert_eq!(
        bad.ask("POST /health HTTP/1.1\r\nhost: x\r\n\r\n").await.header("allow"),
        Some("GET")
    );
}

#[tokio::test]
async fn however_many_ask_at_once_the_checks_run_once() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let probes = Probes::builder(CancellationToken::new(), String::new)
        .check("postgres", move || {
            counted.fetch_add(1, SeqCst);
            async { Ok(()) }
        })
        .build();
    let server = Server::start(ServeArgs::default(), admin_routes(&probes));
    let asked: Vec<_> = (0..20).map(|_| get("/ready")).collect();
    for answer in
        futures_util::future::join_all(asked.iter().map(|request| server.ask(request))).await
    {
        assert_eq!(answer.status, 200);
    }
    assert_eq!(runs.load(SeqCst), 1);
}
