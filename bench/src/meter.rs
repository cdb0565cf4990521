//! What a measure has cost: CPU by program, memory, write-ahead log, and statements where they are counted.

use std::time::Instant;

use serde_json::{Map, Value, json};

use crate::{
    figures::{all_rounded, rounded},
    processes::{CpuTime, rss_mib},
    site::Site,
    statements,
    truth::Written,
};

/// A measure under way.
pub(crate) struct Meter {
    begun: Instant,
    cpu: CpuTime,
    written: Written,
}

impl Meter {
    /// Begins.
    ///
    /// # Errors
    /// If the database does not answer.
    pub(crate) async fn start(site: &Site) -> anyhow::Result<Self> {
        if site.choices().statements {
            statements::reset(&site.database).await?;
        }
        let roots = site.roots();
        let written = Written::now(&site.database).await?;
        Ok(Self { begun: Instant::now(), cpu: CpuTime::now(&roots), written })
    }

    /// What was used since the start for each of `count` things; they are called `what`.
    ///
    /// # Errors
    /// If the database does not answer.
    pub(crate) async fn stop(self, site: &Site, count: usize, what: &str) -> anyhow::Result<Value> {
        // As they are now: a program that was started since has used all of its time since.
        let roots = site.roots();
        let cpu = CpuTime::now(&roots).since(&self.cpu);
        let elapsed = self.begun.elapsed();
        let written = Written::now(&site.database).await?.since(&self.written, count);
        let mut members = Map::new();
        members.insert(format!("cpu_ms_per_{what}"), cpu.ms_per(count));
        members.insert("cores_used".to_owned(), {
            rounded(cpu.total().as_secs_f64() / elapsed.as_secs_f64(), 2)
        });
        members.insert("cores_of_others".to_owned(), cpu.cores_of_others(elapsed));
        members.insert(format!("database_per_{what}"), written);
        members.insert("rss_mib".to_owned(), all_rounded(&rss_mib(&roots), 1));
        if site.choices().statements {
            members.insert("statements".to_owned(), statements::read(&site.database, count).await?);
        }
        Ok(Value::Object(members))
    }
}

/// One object with the members of several.
pub(crate) fn merged(values: impl IntoIterator<Item = Value>) -> Value {
    let mut all = Map::new();
    for value in values {
        if let Value::Object(members) = value {
            all.extend(members);
        }
    }
    json!(all)
}
