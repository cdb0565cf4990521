//! Each pair of parts is cut off from each other: what one says does not reach the other, the other way round, and whole.

use std::time::Duration;

use anyhow::Result;
use testbed::{Direction, Rule};

use super::SHORT;
use crate::{
    programs::{LEASE_MS, Program},
    stage::{Stage, tell},
    webhooks::Webhooks,
    wires::Server,
};

const PAIRS: [(Program, Server); 7] = [
    (Program::Worker, Server::Postgres),
    (Program::Worker, Server::RabbitMq),
    (Program::ApiGateway, Server::Postgres),
    (Program::ApiGateway, Server::RabbitMq),
    (Program::WebhookIngest, Server::Postgres),
    (Program::Scheduler, Server::Postgres),
    (Program::Scheduler, Server::RabbitMq),
];

/// How a pair is cut off.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// Bytes of one way get stuck; connections stay open.
    Stuck(Direction),
    /// Connections break, and no new ones are to be had.
    Broken,
    /// Connections break once, in the middle of what is said.
    Torn(Direction),
}

const CUTS: [Cut; 4] = [
    Cut::Stuck(Direction::ToServer),
    Cut::Stuck(Direction::ToClient),
    Cut::Broken,
    Cut::Torn(Direction::ToClient),
];

pub(super) async fn play(stage: &mut Stage<'_>) -> Result<()> {
    let (short, tasks) = stage.scale.pick((1_000, 900), (4_000, 5_000), (15_000, 15_000));
    stage.services.start("webhook-ingest", Program::WebhookIngest, Vec::new()).await?;
    let webhooks = Webhooks::new(stage);
    let sending = webhooks.keep_sending(Duration::from_millis(100));
    let mut random = stage.random.fork("faults");
    let mut faults: Vec<_> =
        PAIRS.iter().flat_map(|pair| CUTS.iter().map(move |cut| (*pair, *cut))).collect();
    random.shuffle(&mut faults);
    let feeding = stage.load.feed(tasks, SHORT);
    let count = faults.len();
    for (index, ((program, server), cut)) in faults.into_iter().enumerate() {
        feeding.allow(tasks * (index + 1) / count);
        tell(&format!("  {} – {}: {cut:?}", program.name(), server.name()));
        // A worker is kept from the database for longer than its leases.
        let long = program == Program::Worker && server == Server::Postgres;
        let time = Duration::from_millis(if long { short.max(LEASE_MS * 16 / 10) } else { short });
        cut_off(stage, (program, server), cut, time).await;
        stage.count("partitions");
        tokio::time::sleep(random.millis(200, 600)).await;
    }
    feeding.done().await?;
    let ids = sending.end().await?;
    webhooks.all_stored(stage, &ids).await
}

async fn cut_off(stage: &Stage<'_>, pair: (Program, Server), cut: Cut, time: Duration) {
    let Some(proxy) = stage.services.wires.proxy(pair.0, pair.1) else { return };
    let nobody_rescues = pair == (Program::Scheduler, Server::Postgres);
    if nobody_rescues {
        stage.lateness.suspend();
    }
    match cut {
        Cut::Stuck(direction) => proxy.set(direction, Rule::Stall),
        Cut::Broken => {
            proxy.refuse(true);
            proxy.cut();
        }
        Cut::Torn(direction) => proxy.set(direction, Rule::CutAfter(700)),
    }
    tokio::time::sleep(time).await;
    proxy.heal();
    if nobody_rescues {
        // It notices a connection that hangs by its own limits.
        stage.lateness.go_on();
    }
}
