//! `orch doctor`: looks at every setting and at everything that they need, changes nothing, and says what to do.

mod environment;
mod git;
mod model;
mod port;
mod queue;
mod store;

use std::time::Duration;

use clap::{Args, value_parser};
use serde::Serialize;
use serde_json::json;

use crate::{
    failure::{Exit, Outcome},
    output::{Output, Tone},
};

/// Looks at the settings in the environment, as `orch dev` and the services read them.
#[derive(Clone, Copy, Debug, Args)]
pub struct DoctorArgs {
    /// Milliseconds that each thing which is asked may take to answer.
    #[arg(long, env = "ORCH_DOCTOR_TIMEOUT_MS", default_value_t = 5_000, value_parser = value_parser!(u64).range(1..=600_000), value_name = "MS")]
    doctor_timeout_ms: u64,
}

/// How one thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Ok,
    /// It works, or is not needed; somebody should know.
    Warning,
    /// Something that is needed does not work.
    Broken,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    name: &'static str,
    status: Status,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Finding {
    pub(crate) fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, detail: detail.into(), advice: None }
    }

    pub(crate) fn warning(
        name: &'static str,
        detail: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { name, status: Status::Warning, detail: detail.into(), advice: Some(advice.into()) }
    }

    pub(crate) fn broken(
        name: &'static str,
        detail: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { name, status: Status::Broken, detail: detail.into(), advice: Some(advice.into()) }
    }
}

pub(crate) async fn command(args: DoctorArgs, output: &Output) -> Outcome {
    let findings = examine(Duration::from_millis(args.doctor_timeout_ms)).await?;
    let is_well = findings.iter().all(|it| it.status != Status::Broken);
    output.result(&json!({ "ok": is_well, "checks": findings }), || shown(&findings, output))?;
    Ok(if is_well { Exit::Completed } else { Exit::Failed })
}

async fn examine(patience: Duration) -> Result<Vec<Finding>, crate::failure::Failure> {
    let environment = environment::read()?;
    let args = environment.args;
    let served = port::served_by_us(&args.host, args.port, patience).await;
    let mut findings = environment.findings;
    let (store, queue, model, git) = tokio::join!(
        store::check(&args.database, served, patience),
        queue::check(&args.queue, patience),
        model::check(&args.executor, patience),
        git::version(patience),
    );
    findings.extend([store, queue]);
    findings.extend(model);
    findings.push(git);
    findings.push(git::workspaces(&args.workspace));
    findings.push(port::check(&args.host, args.port, served));
    findings.push(webhook_secret(&args.webhook));
    Ok(findings)
}

fn webhook_secret(args: &webhook_ingest::WebhookArgs) -> Finding {
    const NAME: &str = "webhook secret";
    match args.secrets() {
        Ok(Some(_)) => Finding::ok(NAME, "GITHUB_WEBHOOK_SECRET is set"),
        Ok(None) => Finding::warning(
            NAME,
            "GITHUB_WEBHOOK_SECRET is not set, so webhooks are not taken",
            "Set it to the secret of the GitHub webhook or App, if there shall be one; webhook-ingest needs it.",
        ),
        Err(error) => Finding::broken(
            NAME,
            error.to_string(),
            "Write several secrets with one comma between two.",
        ),
    }
}

fn shown(findings: &[Finding], output: &Output) -> String {
    let width = findings.iter().map(|it| it.name.len()).max().unwrap_or_default();
    let mut lines = Vec::new();
    for Finding { name, status, detail, advice } in findings {
        let mark = match status {
            Status::Ok => output.toned(Tone::Good, "✓"),
            Status::Warning => output.toned(Tone::Doubtful, "!"),
            Status::Broken => output.toned(Tone::Bad, "✗"),
        };
        lines.push(format!("{mark} {name:width$}  {detail}"));
        lines.extend(advice.as_ref().map(|it| format!("  {:width$}  → {it}", "")));
    }
    let count = |status| findings.iter().filter(|it| it.status == status).count();
    lines.push(match (count(Status::Broken), count(Status::Warning)) {
        (0, 0) => "\nAll is well.".to_owned(),
        (0, warnings) => format!("\nAll that is needed works; {warnings} to look at."),
        (broken, _) => format!("\n{broken} broken."),
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_is_a_line_with_what_to_do_below() {
        let findings =
            [Finding::ok("git", "2.39"), Finding::broken("store", "is locked", "Stop the other.")];
        let expected = "✓ git    2.39\n✗ store  is locked\n         → Stop the other.\n\n1 broken.";
        assert_eq!(shown(&findings, &Output::new(false)), expected);
    }
}
