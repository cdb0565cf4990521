//! Workers are killed, and stopped for longer than their lease, while they work: the crashed and the undead.
//!
//! Some workers are only killed and some only stopped: those live from the beginning to the end, so that every write of
//! theirs that is refused is still in their counters at the end.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use testbed::{Signal, signal_all};
use tokio::task::JoinSet;

use crate::{load::Kind, programs::LEASE_MS, stage::Stage};

/// Half of the lease, where the default is a third: a worker that is stopped inside a transaction keeps its locks, and with them
/// what they are about from being rescued, until the database gives up on it.
pub(super) const WORKER_LIMITS: &[(&str, &str)] = &[("ORCH_DATABASE_STATEMENT_TIMEOUT_MS", "1000")];

#[derive(Clone, Copy)]
enum Fault {
    Kill,
    Stop,
}

pub(super) async fn play(stage: &mut Stage<'_>) -> Result<()> {
    let (tasks, kills, stops) =
        stage.scale.pick((1_500, 20, 5), (10_000, 200, 50), (40_000, 800, 200));
    let mut faults = [vec![Fault::Kill; kills], vec![Fault::Stop; stops]].concat();
    let mut random = stage.random.fork("faults");
    random.shuffle(&mut faults);
    let mortal: Vec<_> = (1..=4).map(|it| format!("worker-{it}")).collect();
    let mut rested: Vec<_> = (5..=7).map(|it| format!("worker-{it}")).collect();
    let mut stopped = JoinSet::new();

    let feeding = stage.load.feed(tasks, Kind { takes: (20, 250), fatal_once_in: 100 });
    let count = faults.len();
    for (index, fault) in faults.into_iter().enumerate() {
        // As much work as makes some be under way at every fault.
        feeding.allow(tasks * (index + 2) / count);
        match fault {
            // In turns: the one that has had the most time to begin something.
            Fault::Kill => {
                stage.kill_and_spawn(&mortal[index % mortal.len()]).await?;
                stage.count("worker kills");
            }
            Fault::Stop => {
                if rested.is_empty()
                    && let Some(back) = stopped.join_next().await
                {
                    rested.push(note(stage, back?));
                }
                let name = rested.remove(0);
                let pid = stage.services.get(&name).map(testbed::Service::pid);
                stopped.spawn(stop(name, pid));
                stage.count("worker stops");
            }
        }
        while let Some(back) = stopped.try_join_next() {
            rested.push(note(stage, back?));
        }
        tokio::time::sleep(random.millis(100, 400)).await;
    }
    while let Some(back) = stopped.join_next().await {
        note(stage, back?);
    }
    feeding.allow(tasks);
    feeding.done().await
}

type Stopped = (String, SystemTime, SystemTime);

/// Stops a worker for 1.6 times its lease.
async fn stop(name: String, pid: Option<u32>) -> Stopped {
    let pids: Vec<_> = pid.into_iter().collect();
    let from = SystemTime::now();
    signal_all(&pids, Signal::STOP);
    tokio::time::sleep(Duration::from_millis(LEASE_MS * 16 / 10)).await;
    let to = SystemTime::now();
    signal_all(&pids, Signal::CONT);
    (name, from, to)
}

fn note(stage: &mut Stage<'_>, stopped: Stopped) -> String {
    let name = stopped.0.clone();
    stage.stops.push(stopped);
    name
}
