//! A node of one's own.

use testbed::RabbitMq;
use tokio::net::TcpStream;

#[tokio::test]
async fn it_opens_is_killed_comes_back_and_forgets_when_it_is_wiped() {
    let mut rabbitmq = RabbitMq::start().await.unwrap();
    rabbitmq.control(&["await_startup"]).await.unwrap();
    rabbitmq.control(&["add_user", "somebody", "secret"]).await.unwrap();
    let pids = rabbitmq.pids();
    rabbitmq.kill().await.unwrap();
    assert!(TcpStream::connect(rabbitmq.address()).await.is_err(), "killed, it is gone: {pids:?}");
    assert!(rabbitmq.pids().is_empty());

    rabbitmq.start_again().await.unwrap();
    rabbitmq.control(&["await_startup"]).await.unwrap();
    let users = rabbitmq.control(&["--quiet", "list_users"]).await.unwrap();
    assert!(users.contains("somebody"), "its data outlives a kill: {users}");

    rabbitmq.wipe().await.unwrap();
    rabbitmq.control(&["await_startup"]).await.unwrap();
    let users = rabbitmq.control(&["--quiet", "list_users"]).await.unwrap();
    assert!(!users.contains("somebody"), "and not a wipe: {users}");
}
