//! Stopping.

use std::sync::Arc;

use actix_web::web::{self as routing, Data, ServiceConfig};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use web::{Probes, ServeArgs, ServeError, admin_routes};

use crate::client::Server;

#[derive(Default)]
struct Gate {
    entered: Notify,
    open: Notify,
}

/// `/slow` tells that it was entered, and answers when it is let.
fn gated(gate: Arc<Gate>) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    move |config| {
        config.app_data(Data::from(Arc::clone(&gate)));
        config.route(
            "/slow",
            routing::get().to(|gate: Data<Gate>| async move {
                gate.entered.notify_one();
                gate.open.notified().await;
                "ended well"
            }),
        );
    }
}

#[tokio::test]
async fn a_request_in_flight_is_answered_and_no_new_connection_is_taken() {
    let gate = Arc::new(Gate::default());
    let server = Server::start(ServeArgs::default(), gated(Arc::clone(&gate)));
    let mut client = server.connect().await;
    client.send("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    gate.entered.notified().await;

    server.shutdown.cancel();
    // The port is free again as soon as the listener is gone.
    let (host, port) = (server.address.ip().to_string(), server.address.port());
    while let Err(ServeError::Bind { .. }) = web::bind(&host, port) {
        tokio::task::yield_now().await;
    }
    gate.open.notify_one();
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "ended well"));
    client.closed().await;
    server.ended().await;
}

#[tokio::test]
async fn readiness_is_red_before_the_port_closes() {
    let token = CancellationToken::new();
    let probes = Probes::builder(token.clone(), String::new).build();
    let args = ServeArgs { drain_delay_ms: 500, ..ServeArgs::default() };
    let server = Server::start(args, admin_routes(&probes));
    let ready = "GET /ready HTTP/1.1\r\nhost: x\r\n\r\n";
    assert_eq!(server.ask(ready).await.status, 200);
    token.cancel();
    server.shutdown.cancel();
    let answer = server.ask(ready).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["checks"][0]["reason"], "the service is shutting down");
    server.ended().await;
}

#[tokio::test]
async fn the_grace_ends_what_does_not_end_by_itself() {
    let gate = Arc::new(Gate::default());
    let args = ServeArgs { shutdown_grace_ms: 1_000, ..ServeArgs::default() };
    let server = Server::start(args, gated(Arc::clone(&gate)));
    let mut client = server.connect().await;
    client.send("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    gate.entered.notified().await;
    server.shutdown.cancel();
    server.ended().await;
    client.closed().await;
}

#[test]
fn a_taken_port_is_an_error_that_names_the_settings() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = web::bind("127.0.0.1", port).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot listen on 127.0.0.1:{port}: is the port in use? ORCH_HOST and ORCH_PORT choose another"
        )
    );
}
