//! What an operator does with the command line before the services run.

use std::path::Path;

use super::{Settings, service};

/// Brings the database to its newest form.
pub(super) async fn migrate(settings: &Settings, dir: &Path) {
    run(settings, dir, &["migrate"]).await;
}

/// Makes an API key that may do everything, and gives its secret.
pub(super) async fn create_key(settings: &Settings, dir: &Path) -> String {
    let printed =
        run(settings, dir, &["keys", "create", "--name", "e2e", "--scope", "admin", "--json"])
            .await;
    let answer: serde_json::Value = serde_json::from_str(&printed)
        .unwrap_or_else(|error| panic!("orch printed no JSON ({error}): {printed}"));
    answer["secret"].as_str().unwrap_or_else(|| panic!("there is no secret in {answer}")).to_owned()
}

/// Runs `orch`, which must succeed, and gives what it printed.
async fn run(settings: &Settings, dir: &Path, arguments: &[&str]) -> String {
    let output = service::command("orch", settings, None, dir).args(arguments).output().await;
    let output = output.expect("orch can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "orch {} failed ({}):\n{said}",
        arguments.join(" "),
        output.status
    );
    String::from_utf8(output.stdout).expect("orch prints UTF-8")
}
