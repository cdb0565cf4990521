//! `chaos`: breaks the parts of an installation while it works, and checks that nothing was lost, doubled or left behind.
//!
//! ```text
//!  servers ─── one PostgreSQL and one RabbitMQ of our own, for all scenarios
//!  stage ───── for each scenario: a database, services as processes, work for them, a model server that keeps a book
//!  scenario ── breaks things while the work goes on
//!  checker ─── heals everything, waits for rest, and asks the database (checker.sql) and the book what happened
//! ```
//!
//! What happens is decided by a seed; when exactly, the machine decides. `docs/chaos.md` says how to run it.

mod checker;
mod cli;
mod controls;
mod database;
mod lateness;
mod ledger;
mod load;
mod programs;
mod random;
mod report;
mod scenario;
mod scrape;
mod servers;
mod services;
mod stage;
mod webhooks;
mod wires;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Instant, SystemTime},
};

use anyhow::{Context, Result, anyhow, ensure};
use clap::{Parser, ValueEnum};
use testbed::Binaries;
use tokio::signal::unix::{SignalKind, signal};

use cli::{Cli, Command};
use report::{Summary, say};
use scenario::{Scenario, SmallDisk};
use servers::Servers;
use stage::{Frame, Stage, Verdict, tell};

const PROGRAMS: [&str; 5] = ["api-gateway", "webhook-ingest", "worker", "scheduler", "orch"];

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = tokio::select! {
        outcome = run(cli) => outcome,
        // Dropped half-way, everything that was started ends with it.
        () = told_to_end() => Err(anyhow!("told to end")),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            tell(&format!("chaos: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Returns at SIGINT or SIGTERM.
async fn told_to_end() {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

async fn run(cli: Cli) -> Result<bool> {
    match cli.command.clone().unwrap_or(Command::Run) {
        Command::Run => play_all(&cli).await,
        Command::Controls => controls::run(&cli).await,
        Command::List => {
            for scenario in Scenario::value_variants() {
                say(&format!("{scenario:<19} {}", scenario.about()));
            }
            Ok(true)
        }
    }
}

async fn play_all(cli: &Cli) -> Result<bool> {
    let frame = frame(cli, binaries(cli)?);
    let all = Scenario::value_variants();
    let chosen: Vec<_> =
        all.iter().filter(|it| cli.scenario.is_empty() || cli.scenario.contains(it)).collect();
    say(&format!(
        "chaos: seed {}, scale {}, programs of {}",
        frame.seed,
        frame.scale.name(),
        frame.binaries.dir().display()
    ));
    let began = Instant::now();
    let mut summary = Summary::new(frame.seed, frame.scale, frame.binaries.dir());
    let mut servers = Servers::start().await?;
    report::head();
    for scenario in chosen {
        match play(&mut servers, &frame, *scenario).await? {
            Played::Verdict(verdict) => {
                report::line(&verdict);
                show(&verdict, &frame, *scenario, cli.keep_logs);
                summary.add(verdict, began.elapsed());
            }
            Played::NotPossible(why) => {
                say(&format!("{scenario:<19} NOT POSSIBLE HERE: {why}"));
                summary.not_possible.push(format!("{scenario}: {why}"));
            }
        }
    }
    let result = if summary.passed { "passed" } else { "FAILED" };
    say(&format!("chaos: {result} in {:.0} s; SEED={} repeats it", summary.seconds, frame.seed));
    let json = out_dir().join("summary.json");
    summary.write_json(&json)?;
    if let Some(page) = &cli.markdown {
        summary.write_markdown(page)?;
    }
    Ok(summary.passed)
}

/// What became of a scenario.
enum Played {
    Verdict(Verdict),
    NotPossible(String),
}

async fn play(servers: &mut Servers, frame: &Frame, scenario: Scenario) -> Result<Played> {
    tell(&format!("{scenario}: {}", scenario.about()));
    let verdict = if scenario == Scenario::DiskFull {
        let disk = match SmallDisk::mount() {
            Ok(disk) => disk,
            Err(error) => return Ok(Played::NotPossible(format!("{error:#}"))),
        };
        let usual = std::mem::replace(&mut servers.postgres, disk.postgres().await?);
        let verdict = play_on(servers, frame, scenario).await;
        // Ends before its disk goes.
        drop(std::mem::replace(&mut servers.postgres, usual));
        verdict
    } else {
        play_on(servers, frame, scenario).await
    };
    Ok(Played::Verdict(verdict.with_context(|| format!("{scenario} (seed {})", frame.seed))?))
}

async fn play_on(servers: &mut Servers, frame: &Frame, scenario: Scenario) -> Result<Verdict> {
    let mut stage = Stage::set_up(servers, frame, scenario).await?;
    scenario.play(&mut stage).await?;
    stage.close(scenario).await
}

/// Prints what is wrong, and keeps or removes the logs.
fn show(verdict: &Verdict, frame: &Frame, scenario: Scenario, keep: bool) {
    let logs = frame.dir.join(scenario.name());
    for problem in &verdict.problems {
        say(&format!("  {}: {}", problem.check, problem.text));
    }
    if !verdict.passed {
        say(&format!("  logs: {}", logs.display()));
    } else if !keep {
        let _left = std::fs::remove_dir_all(logs);
    }
}

fn frame(cli: &Cli, binaries: Binaries) -> Frame {
    let drawn = || {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        random::Random::new(u64::from(now.subsec_nanos())).below(1_000_000)
    };
    Frame {
        binaries: Arc::new(binaries),
        scale: cli.scale,
        seed: cli.seed.unwrap_or_else(drawn),
        dir: out_dir(),
        beside: Vec::new(),
        rest: stage::REST,
    }
}

fn binaries(cli: &Cli) -> Result<Binaries> {
    let given = cli.binaries.as_deref().map(Binaries::within);
    let named = || cli.profile.as_deref().map(Binaries::of);
    let built = || {
        let release = Binaries::of("release");
        if release.has(&PROGRAMS) { release } else { Binaries::of("debug") }
    };
    let binaries = given.or_else(named).unwrap_or_else(built);
    let dir = binaries.dir().display().to_string();
    ensure!(binaries.has(&PROGRAMS), "{dir} lacks some of {}", PROGRAMS.join(", "));
    Ok(binaries)
}

/// Where logs and results go.
fn out_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this package is a folder of the project")
        .join("target/chaos")
}
