//! The scenarios, one file each.

mod broker_hung;
mod broker_killed;
mod broker_wiped;
mod d1_kills;
mod deliveries_doubled;
mod disk_full;
mod messages_lost;
mod partitions;
mod poison;
mod postgres_crashed;
mod postgres_stopped;
mod rolling_restarts;
mod two_schedulers;

use std::{fmt, future::Future, pin::Pin};

use anyhow::Result;
use clap::ValueEnum;

use crate::{
    load::Kind,
    stage::{Executor, SetUp, Stage},
};

pub(crate) use disk_full::SmallDisk;

/// Tasks that take up to a tenth of a second, some of which fail once and few for good.
pub(crate) const SHORT: Kind = Kind { takes: (5, 120), fatal_once_in: 60 };

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Scenario {
    D1Kills,
    BrokerKilled,
    BrokerHung,
    BrokerWiped,
    MessagesLost,
    PostgresCrashed,
    PostgresStopped,
    Partitions,
    DiskFull,
    RollingRestarts,
    TwoSchedulers,
    DeliveriesDoubled,
    Poison,
}

impl Scenario {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::D1Kills => "d1_kills",
            Self::BrokerKilled => "broker_killed",
            Self::BrokerHung => "broker_hung",
            Self::BrokerWiped => "broker_wiped",
            Self::MessagesLost => "messages_lost",
            Self::PostgresCrashed => "postgres_crashed",
            Self::PostgresStopped => "postgres_stopped",
            Self::Partitions => "partitions",
            Self::DiskFull => "disk_full",
            Self::RollingRestarts => "rolling_restarts",
            Self::TwoSchedulers => "two_schedulers",
            Self::DeliveriesDoubled => "deliveries_doubled",
            Self::Poison => "poison",
        }
    }

    /// What is done, for people.
    pub(crate) const fn about(self) -> &'static str {
        match self {
            Self::D1Kills => "workers are killed (-9), and stopped for 1.6 times their lease",
            Self::BrokerKilled => "the broker is killed (-9) and started again",
            Self::BrokerHung => "the broker stops where it is (SIGSTOP)",
            Self::BrokerWiped => "the broker loses all queues and messages",
            Self::MessagesLost => "services are killed between their commits and the broker",
            Self::PostgresCrashed => "Postgres crashes (pg_ctl -m immediate) and starts again",
            Self::PostgresStopped => "Postgres stops where it is (SIGSTOP)",
            Self::Partitions => "each pair of parts is cut off from each other, each way and whole",
            Self::DiskFull => "the disk of Postgres is full, and then is not",
            Self::RollingRestarts => "every service is restarted (SIGTERM), one after the other",
            Self::TwoSchedulers => "two schedulers look after the same slots and leases, and die",
            Self::DeliveriesDoubled => "every webhook delivery comes several times at once",
            Self::Poison => "some tasks crash each worker that touches them",
        }
    }

    pub(crate) fn set_up(self) -> SetUp {
        let usual = SetUp::default();
        match self {
            Self::D1Kills => SetUp {
                executor: Executor::Ledger,
                workers: 7,
                worker_settings: d1_kills::WORKER_LIMITS,
                ..usual
            },
            Self::Poison => SetUp { executor: Executor::Ledger, ..usual },
            Self::Partitions => SetUp { proxies: true, ..usual },
            Self::TwoSchedulers => SetUp { schedulers: 2, ..usual },
            Self::RollingRestarts => SetUp {
                executor: Executor::Ledger,
                worker_settings: rolling_restarts::WORKER_GRACE,
                ..usual
            },
            Self::BrokerKilled
            | Self::BrokerHung
            | Self::BrokerWiped
            | Self::MessagesLost
            | Self::PostgresCrashed
            | Self::PostgresStopped
            | Self::DeliveriesDoubled
            | Self::DiskFull => usual,
        }
    }

    /// Plays it. What it breaks may still be broken at the end.
    pub(crate) fn play<'a>(
        self,
        stage: &'a mut Stage<'_>,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>> {
        match self {
            Self::D1Kills => Box::pin(d1_kills::play(stage)),
            Self::BrokerKilled => Box::pin(broker_killed::play(stage)),
            Self::BrokerHung => Box::pin(broker_hung::play(stage)),
            Self::BrokerWiped => Box::pin(broker_wiped::play(stage)),
            Self::MessagesLost => Box::pin(messages_lost::play(stage)),
            Self::PostgresCrashed => Box::pin(postgres_crashed::play(stage)),
            Self::PostgresStopped => Box::pin(postgres_stopped::play(stage)),
            Self::Partitions => Box::pin(partitions::play(stage)),
            Self::DiskFull => Box::pin(disk_full::play(stage)),
            Self::RollingRestarts => Box::pin(rolling_restarts::play(stage)),
            Self::TwoSchedulers => Box::pin(two_schedulers::play(stage)),
            Self::DeliveriesDoubled => Box::pin(deliveries_doubled::play(stage)),
            Self::Poison => Box::pin(poison::play(stage)),
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
