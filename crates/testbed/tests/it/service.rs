//! A program as a process; a script stands in for one of ours.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use testbed::Service;

/// Says where it listens as our programs do, and answers as ready.
const SCRIPT: &str = r#"#!/usr/bin/env python3
import http.server, json, os, signal, sys
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200 if self.path == "/ready" else 404)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
print(json.dumps({"message": "listening", "http.address": "127.0.0.1:%d" % server.server_port}), flush=True)
print(json.dumps(sorted(os.environ)), flush=True)
server.serve_forever()
"#;

#[tokio::test]
async fn a_program_is_started_with_its_own_environment_and_ended_as_asked() {
    let dir = std::env::temp_dir().join(format!("testbed-service-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let binary = dir.join("program");
    fs::write(&binary, SCRIPT).unwrap();
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();

    let env = vec![("ORCH_X".to_owned(), "1".to_owned())];
    let mut service = Service::start(&binary, "one", env.clone(), &dir).unwrap();
    service.until_ready().await.unwrap();
    assert!(service.url().starts_with("http://127.0.0.1:"));
    let logged = fs::read_to_string(service.log()).unwrap();
    assert!(logged.contains("ORCH_X") && !logged.contains("CARGO"), "{logged}");
    let exit = service.terminate().await.unwrap();
    assert_eq!(exit.code, Some(7));

    let mut again = Service::start(&binary, "one", env, &dir).unwrap();
    again.until_ready().await.unwrap();
    let pid = again.pid();
    again.kill().await.unwrap();
    assert!(!PathBuf::from(format!("/proc/{pid}")).exists(), "it is gone");

    let ended = Service::start("/bin/false".as_ref(), "none", Vec::new(), &dir);
    let error = ended.unwrap().until_ready().await.unwrap_err();
    assert!(error.to_string().contains("ended while it started"), "{error}");
    fs::remove_dir_all(dir).unwrap();
}
