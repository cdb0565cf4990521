//! `orch keys` and `orch migrate`, which work on the store itself.

use std::path::Path;

use serde_json::json;
use tempfile::tempdir;

use crate::{
    program::{Ended, call, orch},
    server::{Server, data_dir},
};

async fn call_on(home: &Path, arguments: &[&str]) -> Ended {
    let mut program = orch(home);
    program.env("ORCH_DATA_DIR", data_dir(home));
    call(program, arguments).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_opens_the_api_until_it_is_revoked() {
    let home = tempdir().unwrap();
    let made = call_on(home.path(), &["keys", "create", "--name", "me", "--scope", "read,write"])
        .await
        .assert(0);
    let secret = made.stdout.trim().to_owned();
    assert!(secret.starts_with("orch_") && made.stdout.lines().count() == 1, "{made:?}");
    let listed = call_on(home.path(), &["keys", "list", "--json"]).await.assert(0);
    let key = &listed.json()["items"][0];
    assert_eq!(
        (&key["name"], &key["scopes"], &key["status"]),
        (&json!("me"), &json!(["read", "write"]), &json!("valid"))
    );
    assert!(!listed.stdout.contains(&secret));
    let id = key["id"].as_str().unwrap().to_owned();

    let server = Server::start_in(home, &["--auth", "required", "--api-key-cache-ms", "0"]).await;
    let refused = server.call(&["agents"]).await.assert(2);
    assert!(refused.stderr.starts_with("error: Unauthorized (401): "), "{refused:?}");
    assert!(
        refused.stderr.contains("ORCH_API_KEY") && refused.stderr.contains("orch keys create"),
        "{refused:?}"
    );
    let mut program = server.program();
    program.env("ORCH_API_KEY", &secret);
    call(program, ["run", "Try"]).await.assert(0);
    let file = server.home.path().join("key");
    std::fs::write(&file, format!("{secret}\n")).unwrap();
    server.call(&["agents", "--key-file", file.to_str().unwrap()]).await.assert(0);
    let insufficient =
        server.call(&["dlq", "purge", "--key-file", file.to_str().unwrap()]).await.assert(2);
    assert!(insufficient.stderr.contains("scope `admin`"), "{insufficient:?}");
    let argument = server.call(&["agents", "--api-key", &secret]).await.assert(2);
    assert!(
        argument.stderr.contains("--key-file") && !argument.stderr.contains(&secret),
        "{argument:?}"
    );

    let home = server.stop().await;
    let revoked = call_on(home.path(), &["keys", "revoke", &id]).await.assert(0);
    assert_eq!(revoked.stdout, format!("Key {id} (me) is revoked.\n"));
    let server = Server::start_in(home, &["--auth", "required"]).await;
    server.call(&["agents", "--key-file", file.to_str().unwrap()]).await.assert(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_with_what_it_may_do_and_for_how_long() {
    let home = tempdir().unwrap();
    let arguments = [
        "keys",
        "create",
        "--name",
        "ci",
        "--scope",
        "write",
        "--scope",
        "write",
        "--expires-days",
        "7",
        "--json",
    ];
    let key = call_on(home.path(), &arguments).await.assert(0).json();
    assert_eq!(key["scopes"], json!(["write"]));
    assert!(key["secret"].as_str().is_some_and(|it| it.starts_with("orch_")), "{key}");
    let table = call_on(home.path(), &["keys", "list"]).await.assert(0).stdout;
    assert!(table.contains("in 6 d") || table.contains("in 7 d"), "{table}");
    call_on(home.path(), &["keys", "create", "--name", " ", "--scope", "read"]).await.assert(2);
    call_on(home.path(), &["keys", "create", "--name", "x"]).await.assert(2);
    let unknown = call_on(home.path(), &["keys", "revoke", "00000000-0000-7000-8000-000000000000"])
        .await
        .assert(1);
    assert!(unknown.stderr.contains("orch keys list"), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_brought_up_and_taken_back() {
    let home = tempdir().unwrap();
    let before = call_on(home.path(), &["migrate", "--status", "--json"]).await.assert(1).json();
    assert_eq!(before["current"], false);
    let ran = call_on(home.path(), &["migrate", "--json"]).await.assert(0).json();
    let count = ran["ran"].as_array().map_or(0, Vec::len);
    assert!(count >= 3, "{ran}");
    assert_eq!(
        call_on(home.path(), &["migrate"]).await.assert(0).stdout,
        "The schema is current.\n"
    );
    call_on(home.path(), &["migrate", "--status"]).await.assert(0);
    let reverted =
        call_on(home.path(), &["migrate", "--revert-one", "--json"]).await.assert(0).json();
    assert_eq!(reverted["reverted"], ran["ran"][count - 1]);
    let status = call_on(home.path(), &["migrate", "--status"]).await.assert(1);
    assert!(
        status.stdout.starts_with("migrations have not run: ") && !status.stdout.contains(", "),
        "{status:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_another_process_has_is_refused_with_what_to_do() {
    let home = tempdir().unwrap();
    let server = Server::start_in(home, &[]).await;
    let refused = call_on(server.home.path(), &["keys", "list"]).await.assert(1);
    assert!(
        refused.stderr.contains("another orchestrator process uses this folder"),
        "{refused:?}"
    );
    assert_eq!(refused.stdout, "");
}
