//! Negative controls: takes a guard out, plays the scenario that the guard is for, and wants the checks to notice.

use std::time::Duration;

use anyhow::{Context, Result};
use testbed::Binaries;

use crate::{
    Played,
    cli::Cli,
    frame, play,
    report::{self, say},
    scenario::Scenario,
    servers::Servers,
};

/// How long to wait for work that nobody may ever find.
const REST: Duration = Duration::from_secs(15);

/// A guard, as the faulty programs know it.
struct Control {
    name: &'static str,
    /// What is taken out: the guard, and what would cover for it.
    without: &'static str,
    scenario: Scenario,
    /// Checks of which one must fail. Others may fail on a machine that is too slow for their limits.
    noticed_by: &'static [&'static str],
}

const CONTROLS: [Control; 3] = [
    Control {
        name: "fence",
        without: "fence,lease_watch",
        scenario: Scenario::D1Kills,
        noticed_by: &["completed_once", "not_again", "transitions"],
    },
    Control {
        name: "outbox sweep",
        without: "outbox_sweep",
        scenario: Scenario::MessagesLost,
        noticed_by: &["outbox"],
    },
    Control {
        name: "delivery dedupe",
        without: "delivery_dedupe",
        scenario: Scenario::DeliveriesDoubled,
        noticed_by: &["deliveries"],
    },
];

/// Plays every control with the programs that can have guards taken out. True if each was noticed.
pub(crate) async fn run(cli: &Cli) -> Result<bool> {
    let dir = cli.binaries.as_deref().map(Binaries::within);
    let binaries = dir.unwrap_or_else(|| Binaries::of("faulty"));
    if !binaries.has(&crate::PROGRAMS) {
        let dir = binaries.dir().display().to_string();
        return Err(anyhow::anyhow!("{dir} lacks programs: scripts/build-faulty.sh builds them"));
    }
    let mut frame = frame(cli, binaries);
    frame.rest = REST;
    say(&format!("chaos controls: seed {}", frame.seed));
    let mut servers = Servers::start().await?;
    report::head();
    let mut all_noticed = true;
    for Control { name, without, scenario, noticed_by } in CONTROLS {
        frame.beside = vec![("ORCH_FAULT_WITHOUT".to_owned(), without.to_owned())];
        let played = play(&mut servers, &frame, scenario).await;
        let played = played.with_context(|| format!("without the {name}"))?;
        let Played::Verdict(verdict) = played else { continue };
        report::line(&verdict);
        let failed = &verdict.failed_checks;
        let noticed: Vec<_> =
            failed.iter().filter(|it| noticed_by.contains(&it.as_str())).collect();
        all_noticed &= !noticed.is_empty();
        if noticed.is_empty() {
            let wanted = noticed_by.join(", ");
            say(&format!("without the {name} ({without}) none of these noticed: {wanted}"));
        } else {
            say(&format!(
                "without the {name} ({without}) these noticed, as they must: {noticed:?}"
            ));
        }
    }
    Ok(all_noticed)
}
