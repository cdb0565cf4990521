//! The whole course of it: start, warm up, measure after measure, print, write down.

use std::{path::PathBuf, process::Command, time::Instant};

use anyhow::{Context, ensure};
use serde_json::{Map, Value, json};

use crate::{
    bodies,
    figures::{median, rounded},
    finished, load,
    machine::machine,
    measures::{self, Bench, million},
    options::{Measure, Options},
    output::{print, say},
    site::Site,
    summary::Summary,
    truth,
    yardstick::Yardstick,
};

/// Does what was asked for.
///
/// # Errors
/// If something does not start, does not answer as it should, or has lost work.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let begun = Instant::now();
    let binaries = binaries(&options)?;
    say("starting PostgreSQL, RabbitMQ and the services");
    let site = Site::start(options.choices(binaries)).await?;
    let yardstick = Yardstick::new(&site.postgres, &site.database).await?;
    let bench = Bench { site, sizes: options.sizes() };
    let summary = Summary::new(options.out.clone());
    let mut course = Course { bench, yardstick, options, summary };
    course.all().await?;
    print("yardstick", &course.yardstick())?;
    say(&format!("written to {}", course.options.out.display()));
    say(&format!("done after {:.0} s", begun.elapsed().as_secs_f64()));
    Ok(())
}

struct Course {
    bench: Bench,
    yardstick: Yardstick,
    options: Options,
    summary: Summary,
}

impl Course {
    async fn all(&mut self) -> anyhow::Result<()> {
        if self.options.wants(Measure::Idle) {
            say("idle: measuring for 20 s");
            let value = measures::idle::measure(&self.bench).await?;
            self.keep("idle", value)?;
        }
        for measure in Measure::ON_ANY_STORE {
            if self.options.wants(measure) {
                truth::empty(&self.bench.site.database).await?;
                let value = self.take(measure, measure.name()).await?;
                self.keep(measure.name(), value)?;
            }
        }
        if self.options.wants(Measure::Million) {
            let value = self.million().await?;
            self.keep("million", value)?;
        }
        if self.options.wants(Measure::Soak) {
            self.soak().await?;
        }
        Ok(())
    }

    /// Shows a measure and writes down what there is so far.
    fn keep(&mut self, name: &str, value: Value) -> anyhow::Result<()> {
        print(name, &value)?;
        self.summary.keep(name, value, self.yardstick())
    }

    /// Every look at the machine so far, and what stayed the same in all measures.
    fn yardstick(&self) -> Value {
        let looks = &self.yardstick.looks;
        let all =
            looks.iter().map(|(before, tps)| json!({ "before": before, "tps": rounded(*tps, 0) }));
        let settings = self.bench.site.postgres_settings();
        let settings: Map<_, _> =
            settings.into_iter().map(|(name, it)| (name, it.into())).collect();
        json!({
            "median": median(looks.iter().map(|(_, tps)| *tps).collect()),
            "all": all.collect::<Vec<_>>(),
            "machine": machine(),
            "postgres": settings,
        })
    }

    /// What comes before a measure: warm services, a look at the machine, which it gives, and a store without anything to do.
    async fn prepare(&mut self, shown: &str) -> anyhow::Result<f64> {
        say(&format!("{shown}: warming up"));
        warm_up(&self.bench, self.options.warm_up).await?;
        let database = &self.bench.site.database;
        let tps = self.yardstick.look(database, shown).await?;
        truth::settle(database).await?;
        say(&format!("{shown}: measuring (yardstick {tps:.0}/s)"));
        Ok(tps)
    }

    /// One measure on the store as it is.
    async fn take(&mut self, measure: Measure, shown: &str) -> anyhow::Result<Value> {
        let tps = self.prepare(shown).await?;
        let bench = &mut self.bench;
        let measured = match measure {
            Measure::Single => measures::single::measure(bench).await,
            Measure::Batch => measures::batch::measure(bench).await,
            Measure::Steady => measures::steady::measure(bench).await,
            Measure::Chain => measures::chain::measure(bench).await,
            Measure::Webhooks => measures::webhooks::measure(bench).await,
            Measure::Inflight => measures::inflight::measure(bench).await,
            Measure::Idle => measures::idle::measure(bench).await,
            // They are more than one value, and have functions of their own.
            Measure::Million | Measure::Soak => Ok(Value::Null),
        };
        let mut value = measured.with_context(|| format!("measure {shown}"))?;
        value["yardstick"] = rounded(tps, 0);
        Ok(value)
    }

    /// The soak, which is written down as it goes on: so long a measure leaves what it has, too, when it is broken off.
    async fn soak(&mut self) -> anyhow::Result<()> {
        truth::empty(&self.bench.site.database).await?;
        let tps = self.prepare("soak").await?;
        let yardstick = self.yardstick();
        let summary = &mut self.summary;
        let mut keep = |mut value: Value| {
            value["yardstick"] = rounded(tps, 0);
            summary.keep("soak", value, yardstick.clone())
        };
        let soaked =
            measures::soak::measure(&self.bench, &mut keep).await.context("measure soak")?;
        keep(soaked.figures.clone())?;
        let mut shown = soaked.figures;
        if let Some(members) = shown.as_object_mut() {
            // Thousands of lines; they are in the file.
            members.remove("series");
        }
        print("soak", &shown)?;
        let not_flat = soaked.not_flat;
        ensure!(not_flat.is_empty(), "it grows while the load is even: {}", not_flat.join(", "));
        Ok(())
    }

    /// Those that were taken, again; all of them, if none was.
    async fn million(&mut self) -> anyhow::Result<Value> {
        let count = self.options.finished;
        truth::empty(&self.bench.site.database).await?;
        warm_up(&self.bench, 1).await?;
        let begun = Instant::now();
        finished::load(&self.bench.site.database, count, |made| {
            say(&format!(
                "million: {made} finished tasks made, {:.0} s",
                begun.elapsed().as_secs_f64()
            ));
        })
        .await?;
        truth::settle(&self.bench.site.database).await?;
        let bytes: i64 = self
            .bench
            .site
            .database
            .query_one("SELECT pg_database_size(current_database())", &[])
            .await?
            .get(0);
        let mut full = Map::new();
        let idle = self.take(Measure::Idle, "million.idle").await?;
        for measure in Measure::ON_ANY_STORE {
            let members = self.summary.members();
            let taken = members.contains_key(measure.name());
            let none = !Measure::ON_ANY_STORE.iter().any(|it| members.contains_key(it.name()));
            if taken || none {
                let value = self.take(measure, &format!("million.{}", measure.name())).await?;
                full.insert(measure.name().to_owned(), value);
            }
        }
        let mut value = json!({
            "finished_tasks": count,
            "database_bytes": bytes,
            "times_worse": million::times_worse(self.summary.members(), &full),
            "idle_cpu_ms_per_s": idle["cpu_ms_per_s"],
        });
        for (name, it) in full {
            value[name] = it;
        }
        Ok(value)
    }
}

/// Work that does not count: connections are made, statements prepared, queues there, and the planner knows what is common.
async fn warm_up(bench: &Bench, tasks: usize) -> anyhow::Result<()> {
    let site = &bench.site;
    let address = site.address("api-gateway")?;
    load::closed(address, bench.sizes.connections, tasks, bodies::single(&site.key, None))
        .await?
        .all(201)?;
    truth::until_done(&site.database).await?;
    truth::until_announced(&site.database).await
}

/// The folder of the release binaries, which are built where nobody said otherwise.
fn binaries(options: &Options) -> anyhow::Result<PathBuf> {
    if let Some(folder) = &options.binaries {
        return folder.canonicalize().with_context(|| format!("find {}", folder.display()));
    }
    if !options.no_build {
        say("building release binaries");
        let mut cargo = Command::new("cargo");
        let status =
            cargo.args(["build", "--release", "--workspace", "--bins", "--locked"]).status();
        ensure!(status.context("start cargo")?.success(), "cargo could not build");
    }
    Ok(testbed::Binaries::of("release").dir().to_owned())
}
