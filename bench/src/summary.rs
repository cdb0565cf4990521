//! The summary: what was measured so far, in a file.

use std::{fs, path::PathBuf};

use anyhow::Context;
use serde_json::{Map, Value};

/// Its members: always these, null where it was not measured.
const MEMBERS: [&str; 10] = [
    "single",
    "batch",
    "steady",
    "chain",
    "inflight",
    "webhooks",
    "million",
    "idle",
    "soak",
    "yardstick",
];

/// Every figure so far.
pub(crate) struct Summary {
    members: Map<String, Value>,
    file: PathBuf,
}

impl Summary {
    /// Nothing yet; the file is left as it is.
    pub(crate) fn new(file: PathBuf) -> Self {
        Self { members: Map::new(), file }
    }

    /// What was measured.
    pub(crate) fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// Adds a measure, or what there is of it, and writes all down: a run that is broken off leaves what it has measured.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn keep(
        &mut self,
        name: &str,
        value: Value,
        yardstick: Value,
    ) -> anyhow::Result<()> {
        self.members.insert(name.to_owned(), value);
        self.members.insert("yardstick".to_owned(), yardstick);
        let mut all = self.members.clone();
        for name in MEMBERS {
            all.entry(name).or_insert(Value::Null);
        }
        let file = &self.file;
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        }
        let text = serde_json::to_string_pretty(&Value::Object(all))?;
        fs::write(file, text + "\n").with_context(|| format!("write {}", file.display()))
    }
}
