//! `soak`: an even load that the machine can bear for long, and a look every ten seconds at whether anything grows.

mod flatness;
mod looks;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use serde_json::{Value, json};
use tokio::time::{self, MissedTickBehavior};

use super::{Bench, single};
use crate::{
    bodies,
    figures::{per_second, percentiles, rounded},
    load::{self, Loaded, Pace},
    meter::{Meter, merged},
    output::say,
    truth,
};
use looks::{Look, What};

/// From one look to the next.
const EVERY: Duration = Duration::from_secs(10);

/// What came out.
pub(crate) struct Soaked {
    pub(crate) figures: Value,
    /// The names of figures that grew though the load did not.
    pub(crate) not_flat: Vec<String>,
}

/// Finds the rate of `single`, then sends a part of it, evenly, for as long as was asked for. `keep` is given each minute what
/// there is so far, and once more before it is looked whether anything was lost.
pub(crate) async fn measure(
    bench: &Bench,
    keep: &mut dyn FnMut(Value) -> anyhow::Result<()>,
) -> anyhow::Result<Soaked> {
    let site = &bench.site;
    say("soak: looking what the machine can do");
    let most = single::measure(bench).await?["tasks_per_s"].as_f64();
    let most = most.filter(|it| *it > 0.0).context("`single` has no rate")?;
    truth::empty(&site.database).await?;
    let since = truth::now(&site.database).await?;
    let meter = Meter::start(site).await?;
    let mut soak = Soak::new(bench, most);
    let loaded = soak.run(bench, keep).await?;
    let compared = flatness::compare(&soak.looks);
    keep(soak.so_far(&compared))?;
    loaded.all(201)?;
    say("soak: waiting for what is left, and looking whether anything was lost");
    truth::until_done(&site.database).await?;
    truth::until_announced(&site.database).await?;
    let tasks = loaded.answer_ms.len();
    let used = meter.stop(site, tasks, "task").await?;
    let checked = truth::check(&site.database, since, tasks, tasks).await?;
    let figures = json!({
        "created_per_s": per_second(tasks, loaded.elapsed()),
        "connections": bench.sizes.connections,
        "answer_ms": percentiles(loaded.answer_ms),
        "checked": checked,
    });
    let figures = merged([soak.so_far(&compared), figures, used]);
    Ok(Soaked { figures, not_flat: flatness::not_flat(&compared) })
}

/// A soak under way.
struct Soak {
    /// Tasks a second that `single` has reached.
    most: f64,
    /// What part of it is sent.
    load: f64,
    pace: Pace,
    looks: Vec<Look>,
}

impl Soak {
    fn new(bench: &Bench, most: f64) -> Self {
        let (load, lasting) = (bench.sizes.load, bench.sizes.soak);
        let answered = Arc::new(AtomicUsize::new(0));
        let pace = Pace { per_second: most * load, lasting, answered };
        Self { most, load, pace, looks: Vec::new() }
    }

    /// Sends, and looks on meanwhile.
    async fn run(
        &mut self,
        bench: &Bench,
        keep: &mut dyn FnMut(Value) -> anyhow::Result<()>,
    ) -> anyhow::Result<Loaded> {
        let site = &bench.site;
        let requests = bodies::single(&site.key, None);
        let address = site.address("api-gateway")?;
        let loading = load::paced(address, bench.sizes.connections, self.pace.clone(), requests);
        tokio::pin!(loading);
        let begun = Instant::now();
        let mut ticks = time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut minutes = 0;
        loop {
            tokio::select! {
                // What sends are tasks of their own, which go on while this one looks.
                loaded = &mut loading => return loaded,
                _ = ticks.tick() => {}
            }
            let at = begun.elapsed();
            // As many rows as a minute brings.
            let least_rows = self.pace.per_second * 60.0;
            let figures = looks::take(site, &self.pace.answered, least_rows).await?;
            self.looks.push(Look { at_s: at.as_secs_f64(), figures });
            if at.as_secs() / 60 > minutes {
                minutes = at.as_secs() / 60;
                self.tell(minutes);
                keep(self.so_far(&flatness::compare(&self.looks)))?;
            }
        }
    }

    /// A line for whoever waits.
    fn tell(&self, minutes: u64) {
        let Some(look) = self.looks.last() else { return };
        let of = |whose, what| look.figures.get(&(whose, what)).copied().unwrap_or_default();
        say(&format!(
            "soak: {minutes} of {:.0} minutes, {} tasks created, {:.0} of them not completed; RSS of the worker {:.0} MiB",
            self.pace.lasting.as_secs_f64() / 60.0,
            self.pace.answered.load(Ordering::Relaxed),
            of("work", What::Backlog),
            of("worker", What::Rss),
        ));
    }

    /// What can be said by now.
    fn so_far(&self, compared: &flatness::Compared) -> Value {
        let backlogs = self.looks.iter().filter_map(|it| it.figures.get(&("work", What::Backlog)));
        json!({
            "single_tasks_per_s": rounded(self.most, 1),
            "load": self.load,
            "asked_per_s": rounded(self.pace.per_second, 1),
            "seconds": rounded(self.looks.last().map_or(0.0, |it| it.at_s), 0),
            "looks": self.looks.len(),
            "backlog_most": rounded(backlogs.copied().fold(0.0, f64::max), 0),
            "compared": flatness::table(compared),
            "not_flat": flatness::not_flat(compared),
            "series": looks::series(&self.looks),
        })
    }
}
