//! Follows a run to its end: by its event stream, through losses of the connection, with everything said as it happens.

mod progress;
mod stream;
mod summary;

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};
use tokio::signal::ctrl_c;

use self::{progress::Progress, stream::Events};
use crate::{
    client::Client,
    failure::{Exit, Failure, Outcome},
    output::Output,
};

/// Waits between two attempts to reach a server that went away.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How a run is followed.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct FollowArgs {
    /// Cancel the run on Ctrl-C, and see it end; without this it goes on and Ctrl-C only ends the following.
    #[arg(long)]
    pub(crate) cancel_on_interrupt: bool,
}

/// Follows a run to its end and shows what came of it.
pub(crate) async fn to_its_end(
    client: &Client,
    output: &Output,
    run: &str,
    args: FollowArgs,
) -> Outcome {
    let mut progress = Progress::start(*output);
    let mut cancel = args.cancel_on_interrupt;
    let mut watch = Watch { client, run, after: None };
    loop {
        let end = tokio::select! {
            end = watch.until_end(&mut progress) => end,
            interrupted = ctrl_c() => {
                interrupted.map_err(|error| Failure::new(Exit::Failed, format!("cannot listen for Ctrl-C: {error}")))?;
                if !cancel {
                    progress.finish();
                    return Err(left_behind(run));
                }
                // A second Ctrl-C does not wait for the end.
                cancel = false;
                progress.say("cancelling the run");
                cancel_run(client, run).await
            }
        };
        match end {
            Ok(End::Reached) => break,
            Ok(End::NotYet) => {}
            Err(failure) => {
                progress.finish();
                return Err(failure);
            }
        }
    }
    progress.finish();
    let end = RunAtEnd::read(client, run).await?;
    let exit = end.exit();
    if output.is_json() {
        output.line(json!({ "type": "result", "exitCode": exit.code(), "run": end.run, "tasks": end.tasks }))?;
    } else {
        output.line(summary::of(&end, output))?;
    }
    Ok(exit)
}

/// A run that has ended, with its tasks.
pub(crate) struct RunAtEnd {
    pub(crate) run: Value,
    pub(crate) tasks: Vec<Value>,
}

impl RunAtEnd {
    async fn read(client: &Client, run: &str) -> Result<Self, Failure> {
        let tasks = client.get(&["runs", run, "tasks"], &[]).await?;
        let run = client.get(&["runs", run], &[]).await?;
        Ok(Self { run, tasks: crate::view::items(&tasks).to_vec() })
    }

    fn exit(&self) -> Exit {
        match self.run.get("status").and_then(Value::as_str) {
            Some("completed") => Exit::Completed,
            Some("cancelled") => Exit::Cancelled,
            Some(_) | None => Exit::Failed,
        }
    }
}

/// Where the following of a run is.
enum End {
    Reached,
    NotYet,
}

struct Watch<'a> {
    client: &'a Client,
    run: &'a str,
    /// The last event that was seen.
    after: Option<String>,
}

impl Watch<'_> {
    /// Watches until the run ends. May be dropped and called again: it goes on where it was.
    async fn until_end(&mut self, progress: &mut Progress) -> Result<End, Failure> {
        let mut lost: Option<Lost> = None;
        loop {
            let failure = match self.client.events(self.run, self.after.as_deref()).await {
                Ok(response) => {
                    lost = None;
                    let mut events = Events::of(response);
                    match self.take(&mut events, progress).await? {
                        End::Reached => return Ok(End::Reached),
                        End::NotYet => {
                            Failure::new(Exit::Unreachable, "the event stream broke off")
                        }
                    }
                }
                Err(failure)
                    if failure.exit == Exit::Unreachable
                        && (self.after.is_some() || lost.is_some()) =>
                {
                    failure
                }
                Err(failure) if failure.is_passing() => failure,
                Err(failure) => return Err(failure),
            };
            let lost = lost.get_or_insert_with(|| Lost::now(self.client.patience));
            lost.wait(failure, self.run).await?;
        }
    }

    /// Takes events until the stream ends.
    async fn take(&mut self, events: &mut Events, progress: &mut Progress) -> Result<End, Failure> {
        while let Some(event) = events.next().await {
            if event.name == "end" {
                return Ok(End::Reached);
            }
            if !event.id.is_empty() {
                self.after = Some(event.id);
            }
            if let Ok(data) = serde_json::from_str(&event.data) {
                progress.event(&data)?;
            }
        }
        Ok(End::NotYet)
    }
}

/// A server that went away.
struct Lost {
    until: Instant,
    wait: Duration,
}

impl Lost {
    fn now(patience: Duration) -> Self {
        Self { until: Instant::now() + patience, wait: FIRST_WAIT }
    }

    /// Waits before another attempt, unless patience is over.
    async fn wait(&mut self, failure: Failure, run: &str) -> Result<(), Failure> {
        if Instant::now() >= self.until {
            return Err(failure.advising(format!(
                "The run goes on without being watched. Once the server answers, follow it with `orch runs follow {run}`."
            )));
        }
        tokio::time::sleep(self.wait).await;
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        Ok(())
    }
}

/// Asks for the end of a run, which then is waited for. One that has just ended by itself is no failure.
async fn cancel_run(client: &Client, run: &str) -> Result<End, Failure> {
    match client.post(&["runs", run, "cancel"], None).await {
        Ok(_cancelled) => Ok(End::NotYet),
        Err(failure) if failure.exit == Exit::Failed => Ok(End::NotYet),
        Err(failure) => Err(failure),
    }
}

fn left_behind(run: &str) -> Failure {
    Failure::new(Exit::Interrupted, "interrupted; the run goes on").advising(format!(
        "Follow it with `orch runs follow {run}`, end it with `orch runs cancel {run}`."
    ))
}
