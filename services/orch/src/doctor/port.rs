//! The port of `orch dev`: free, or a server of ours answers there already.

use std::{net::TcpListener, time::Duration};

use super::Finding;

const NAME: &str = "port";

/// Whether what answers at the port is an orchestrator.
pub(super) async fn served_by_us(host: &str, port: u16, patience: Duration) -> bool {
    let host = match host {
        "0.0.0.0" | "::" => "127.0.0.1".to_owned(),
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    };
    let Ok(client) = telemetry::http_client().no_proxy().timeout(patience).build() else {
        return false;
    };
    let answer = client.get(format!("http://{host}:{port}/openapi.json")).send().await;
    let Ok(answer) = answer else { return false };
    let description = answer.json::<serde_json::Value>().await.unwrap_or_default();
    description.pointer("/paths/~1runs~1{id}").is_some()
}

pub(super) fn check(host: &str, port: u16, served: bool) -> Finding {
    if served {
        return Finding::ok(NAME, format!("an orchestrator answers at {host}:{port}"));
    }
    match TcpListener::bind((host, port)) {
        Ok(_) => Finding::ok(NAME, format!("{host}:{port} is free")),
        Err(error) => Finding::broken(
            NAME,
            format!("{host}:{port} cannot be listened on: {error}"),
            "Stop what has it, or choose another with ORCH_HOST and ORCH_PORT.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    #[tokio::test]
    async fn a_port_of_somebody_else_is_neither_free_nor_ours() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = served_by_us("127.0.0.1", port, Duration::from_millis(200)).await;
        assert!(!served);
        assert_eq!(check("127.0.0.1", port, served).status, Status::Broken);
        drop(listener);
        assert_eq!(check("127.0.0.1", port, false).status, Status::Ok);
    }
}
