//! One look at everything that should stay as it is while the load does.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::Context;
use serde_json::{Map, Value};
use tokio_postgres::Client;

use crate::{
    figures::rounded,
    processes::{Roots, descriptors, private_mib, rss_mib, threads},
    site::{SERVICES, Site},
    truth,
};

/// The tables that work goes through.
const TABLES: [&str; 4] = ["tasks", "runs", "events", "outbox"];
/// Points of a series that are kept, at most.
const POINTS: usize = 60;

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    /// Resident memory in MiB.
    Rss,
    /// The same of processes that share most of theirs, which is divided among them.
    Pss,
    /// What they have for themselves, in MiB.
    Private,
    Descriptors,
    Threads,
    /// Connections that PostgreSQL has, this program's among them.
    Backends,
    /// Of the table without its indexes, and of its indexes.
    TableBytes,
    IndexBytes,
    /// As PostgreSQL's statistics estimate them.
    LiveRows,
    DeadRows,
    /// The next three are for each live row. A table that empties again and again counts as holding what a minute brings it.
    DeadPerLive,
    TableBytesPerRow,
    IndexBytesPerRow,
    /// Tasks that were answered for; those of them that are over; the others.
    Created,
    Completed,
    Backlog,
}

impl What {
    /// In the summary.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rss => "rss_mib",
            Self::Pss => "pss_mib",
            Self::Private => "private_mib",
            Self::Descriptors => "descriptors",
            Self::Threads => "threads",
            Self::Backends => "backends",
            Self::TableBytes => "table_bytes",
            Self::IndexBytes => "index_bytes",
            Self::LiveRows => "live_rows",
            Self::DeadRows => "dead_rows",
            Self::DeadPerLive => "dead_per_live",
            Self::TableBytesPerRow => "table_bytes_per_row",
            Self::IndexBytesPerRow => "index_bytes_per_row",
            Self::Created => "created",
            Self::Completed => "completed",
            Self::Backlog => "backlog",
        }
    }
}

/// Whose figure it is (a service, a server, a table, or `work`), and which.
pub(crate) type Key = (&'static str, What);
/// What was seen at one moment.
pub(crate) type Figures = BTreeMap<Key, f64>;

/// One look.
#[derive(Debug)]
pub(crate) struct Look {
    /// Seconds since the load began.
    pub(crate) at_s: f64,
    pub(crate) figures: Figures,
}

/// Looks at everything. `answered` says how many tasks were created, `least_rows` what a table counts as holding at least.
///
/// # Errors
/// If a service is gone, or the database does not answer.
pub(crate) async fn take(
    site: &Site,
    answered: &AtomicUsize,
    least_rows: f64,
) -> anyhow::Result<Figures> {
    let database = &site.database;
    let mut figures = processes(site).await?;
    for (table, size) in sizes(database).await? {
        figures.extend(size.figures(table, least_rows));
    }
    let backends =
        "SELECT count(*)::float8 FROM pg_stat_activity WHERE backend_type = 'client backend'";
    figures.insert(("postgres", What::Backends), database.query_one(backends, &[]).await?.get(0));
    // Each task is the only one of its run. A run may be there a moment before its answer.
    let live = truth::live_runs(database).await?;
    #[expect(clippy::cast_precision_loss, reason = "a count of tasks is far below 2^52")]
    let created = (answered.load(Ordering::Relaxed) as f64).max(live);
    figures.insert(("work", What::Created), created);
    figures.insert(("work", What::Completed), created - live);
    figures.insert(("work", What::Backlog), live);
    Ok(figures)
}

async fn processes(site: &Site) -> anyhow::Result<Figures> {
    let roots = site.roots();
    // The kernel takes its time to add up what so many processes share; requests do not wait for it.
    tokio::task::spawn_blocking(move || of_roots(&roots)).await.context("look at processes")?
}

fn of_roots(roots: &Roots) -> anyhow::Result<Figures> {
    let memory = rss_mib(roots);
    let mib = |name: &str| memory.get(name).copied().unwrap_or_default();
    let pids = |name: &str| roots.get(name).map(Vec::as_slice).unwrap_or_default();
    let mut figures = Figures::from([
        (("rabbitmq", What::Rss), mib("rabbitmq")),
        (("postgres", What::Pss), mib("postgres_pss")),
        (("postgres", What::Private), private_mib(pids("postgres"))),
    ]);
    for name in SERVICES {
        let pid = *pids(name).first().with_context(|| format!("{name} does not run"))?;
        let open = descriptors(pid).with_context(|| format!("look at {name}; it may be gone"))?;
        #[expect(clippy::cast_precision_loss, reason = "a count of descriptors is small")]
        let open = open as f64;
        figures.insert((name, What::Rss), mib(name));
        figures.insert((name, What::Descriptors), open);
        figures.insert((name, What::Threads), threads(pid));
    }
    Ok(figures)
}

/// What PostgreSQL says of a table.
struct Size {
    table_bytes: f64,
    index_bytes: f64,
    live: f64,
    dead: f64,
}

impl Size {
    fn figures(&self, table: &'static str, least_rows: f64) -> Figures {
        let rows = self.live.max(least_rows).max(1.0);
        Figures::from([
            ((table, What::TableBytes), self.table_bytes),
            ((table, What::IndexBytes), self.index_bytes),
            ((table, What::LiveRows), self.live),
            ((table, What::DeadRows), self.dead),
            ((table, What::DeadPerLive), self.dead / rows),
            ((table, What::TableBytesPerRow), self.table_bytes / rows),
            ((table, What::IndexBytesPerRow), self.index_bytes / rows),
        ])
    }
}

async fn sizes(database: &Client) -> anyhow::Result<BTreeMap<&'static str, Size>> {
    let rows = database
        .query(
            "SELECT pg_table_size(relid)::float8, pg_indexes_size(relid)::float8,
                    n_live_tup::float8, n_dead_tup::float8, name
               FROM unnest($1::text[]) AS wanted (name) JOIN pg_stat_user_tables ON relid = name::regclass",
            &[&TABLES.to_vec()],
        )
        .await?;
    let mut sizes = BTreeMap::new();
    for table in TABLES {
        let row = rows.iter().find(|row| row.get::<_, &str>(4) == table);
        let row = row.with_context(|| format!("there is no table {table}"))?;
        let [table_bytes, index_bytes, live, dead] =
            [0, 1, 2, 3].map(|column: usize| row.get(column));
        sizes.insert(table, Size { table_bytes, index_bytes, live, dead });
    }
    Ok(sizes)
}

/// Values by whose they are and what.
pub(crate) fn by_owner(values: impl IntoIterator<Item = (Key, Value)>) -> Map<String, Value> {
    let mut all = Map::new();
    for ((whose, what), value) in values {
        let of = all.entry(whose).or_insert_with(|| Value::Object(Map::new()));
        of[what.name()] = value;
    }
    all
}

/// All looks as columns, thinned evenly; `seconds` says when each was.
pub(crate) fn series(looks: &[Look]) -> Value {
    let step = looks.len().div_ceil(POINTS).max(1);
    let mut seconds = Vec::new();
    let mut columns: BTreeMap<Key, Vec<Value>> = BTreeMap::new();
    for look in looks.iter().step_by(step) {
        seconds.push(rounded(look.at_s, 0));
        for (key, value) in &look.figures {
            columns.entry(*key).or_default().push(rounded(*value, 3));
        }
    }
    let mut all = by_owner(columns.into_iter().map(|(key, column)| (key, column.into())));
    all.insert("seconds".to_owned(), seconds.into());
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_series_has_at_most_sixty_points_of_each() {
        let look = |index: u32| Look {
            at_s: f64::from(index) * 10.0,
            figures: Figures::from([(("worker", What::Rss), f64::from(index))]),
        };
        let few = series(&[look(0), look(1)]);
        assert_eq!(few, json!({ "seconds": [0.0, 10.0], "worker": { "rss_mib": [0.0, 1.0] } }));
        let many = series(&(0..181).map(look).collect::<Vec<_>>());
        assert_eq!(many["seconds"].as_array().unwrap().len(), 46);
        assert_eq!(many["worker"]["rss_mib"][45], json!(180.0));
    }

    #[test]
    fn a_table_that_empties_again_counts_as_holding_what_a_minute_brings() {
        let of = |live, dead| Size { table_bytes: 8192.0, index_bytes: 0.0, live, dead };
        let dead = |table, size: Size| size.figures(table, 2_000.0)[&(table, What::DeadPerLive)];
        assert_eq!(dead("outbox", of(3.0, 1_000.0)), 0.5);
        assert_eq!(dead("tasks", of(4_000.0, 1_000.0)), 0.25);
    }

    #[test]
    fn this_process_can_be_looked_at_as_every_service() {
        let own = vec![std::process::id()];
        let roots: Roots = SERVICES.iter().map(|name| ((*name).to_owned(), own.clone())).collect();
        let figures = of_roots(&roots).unwrap();
        for name in SERVICES {
            for what in [What::Rss, What::Descriptors, What::Threads] {
                assert!(figures[&(name, what)] > 0.0, "{name} {what:?}");
            }
        }
        assert!(of_roots(&Roots::new()).is_err());
    }
}
