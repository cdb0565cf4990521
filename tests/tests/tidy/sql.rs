//! Migrations, and what they say of the domain's names.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use domain::{
    delivery::DeliveryStatus,
    role::Role,
    run::RunStatus,
    schedule::CatchUp,
    settlement::DeadLetterReason,
    task::{TaskKind, TaskStatus},
    workflow::Workflow,
};

use crate::{keep, tree};

const DATABASES: [&str; 2] = ["postgres", "sqlite"];

/// Names of the migrations of a database, in the order in which they run.
fn migrations(database: &str) -> Vec<String> {
    let folder = tree::root().join("migrations").join(database);
    let entries =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<_> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_migration_is_named_after_its_time_and_deed() {
    let mut violations = Vec::new();
    for database in DATABASES {
        for name in migrations(database) {
            if !is_well_named(&name) {
                violations.push(format!("{database}/{name}"));
            }
            let mut files: Vec<_> = tree::files(&format!("migrations/{database}/{name}"))
                .into_iter()
                .map(|file| {
                    (file.path.rsplit('/').next().unwrap_or_default().to_owned(), file.text)
                })
                .collect();
            files.sort_unstable();
            let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
            if names != ["down.sql", "up.sql"] {
                violations.push(format!("{database}/{name} holds {names:?}"));
            }
            let empty = files.iter().filter(|(_, text)| text.trim().is_empty());
            violations.extend(empty.map(|(file, _)| format!("{database}/{name}/{file} is empty")));
        }
    }
    keep(
        "A migration is a folder YYYY-MM-DD-HHMMSS_verb_object with up.sql and down.sql.",
        &violations,
    );
}

/// `YYYY-MM-DD-HHMMSS_verb_object`.
fn is_well_named(name: &str) -> bool {
    let Some((time, deed)) = name.split_once('_') else { return false };
    let form: String = time.chars().map(|it| if it.is_ascii_digit() { '0' } else { it }).collect();
    let word = |it: &str| {
        !it.is_empty() && it.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit())
    };
    form == "0000-00-00-000000" && deed.contains('_') && deed.split('_').all(word)
}

#[test]
fn both_databases_have_the_same_migrations() {
    let [postgres, sqlite] =
        DATABASES.map(|it| migrations(it).into_iter().collect::<BTreeSet<_>>());
    let odd = postgres.symmetric_difference(&sqlite).cloned().collect::<Vec<_>>();
    keep("A migration is there for Postgres and for SQLite.", &odd);
}

/// Constraints on names, and the names that the domain has.
fn expected() -> BTreeMap<&'static str, BTreeSet<String>> {
    macro_rules! names {
        ($($constraint:literal: $names:ty,)*) => {
            [$(($constraint, <$names>::ALL.iter().map(|it| it.name().to_owned()).collect())),*]
        };
    }
    let mut expected = BTreeMap::from(names! {
        "runs_workflow": Workflow,
        "runs_status": RunStatus,
        "tasks_status": TaskStatus,
        "tasks_role": Role,
        "tasks_kind": TaskKind,
        "deliveries_status": DeliveryStatus,
        "schedules_catch_up": CatchUp,
        "dead_letters_reason": DeadLetterReason,
    });
    // The domain decides nothing about approvals yet.
    expected.insert("approvals_decision", ["approved", "rejected"].map(str::to_owned).into());
    expected
}

#[test]
fn names_in_sql_are_those_of_the_domain() {
    let expected = expected();
    let mut violations = Vec::new();
    for database in DATABASES {
        let mut found = BTreeMap::new();
        for migration in migrations(database) {
            let sql = tree::read(&format!("migrations/{database}/{migration}/up.sql")).unwrap();
            // A later migration may widen what an earlier one allows.
            found.extend(lists(&sql));
        }
        for (constraint, names) in &expected {
            match found.get(*constraint) {
                Some(listed) if listed == names => {}
                Some(listed) => violations.push(format!(
                    "{database}: {constraint} lists {listed:?}, the domain {names:?}"
                )),
                None => violations.push(format!("{database}: there is no constraint {constraint}")),
            }
        }
        let unknown = found.keys().filter(|it| !expected.contains_key(it.as_str()));
        violations.extend(unknown.map(|it| format!("{database}: no enum is known for {it}")));
    }
    keep("A CHECK lists exactly the names that its enum has (`ALL`).", &violations);
}

/// Every `CONSTRAINT name CHECK (column IN ('a', 'b'))`, by its name.
fn lists(sql: &str) -> BTreeMap<String, BTreeSet<String>> {
    let plain = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    let list = |part: &str| {
        let (name, rest) = part.split_once(" CHECK (")?;
        let (column, rest) = rest.split_once(" IN (")?;
        let (names, _) = rest.split_once(')')?;
        let is_word =
            |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_lowercase() || it == b'_');
        let names = names.split(',').map(|it| it.trim().trim_matches('\'').to_owned()).collect();
        (is_word(name) && is_word(column)).then(|| (name.to_owned(), names))
    };
    plain.split("CONSTRAINT ").skip(1).filter_map(list).collect()
}

#[test]
fn what_is_final_or_live_is_the_same_in_sql() {
    let named =
        |all: &[&str]| all.iter().map(|it| format!("'{it}'")).collect::<Vec<_>>().join(", ");
    let final_runs: Vec<_> =
        RunStatus::ALL.iter().filter(|it| it.is_final()).map(|it| it.name()).collect();
    let final_tasks: Vec<_> =
        TaskStatus::ALL.iter().filter(|it| it.is_final()).map(|it| it.name()).collect();
    let live_runs: Vec<_> = RunStatus::LIVE.iter().map(|it| it.name()).collect();
    let mut violations = Vec::new();
    for database in DATABASES {
        let ups = migrations(database)
            .into_iter()
            .map(|it| tree::read(&format!("migrations/{database}/{it}/up.sql")).unwrap());
        let sql = ups.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ");
        for (what, text) in [
            (
                "runs_finished",
                format!(
                    "CONSTRAINT runs_finished CHECK ((status IN ({})) = (finished_at IS NOT NULL))",
                    named(&final_runs)
                ),
            ),
            (
                "tasks_finished",
                format!(
                    "CONSTRAINT tasks_finished CHECK ((status IN ({})) = (finished_at IS NOT NULL))",
                    named(&final_tasks)
                ),
            ),
            (
                "runs_live",
                format!("runs_live ON runs (status, id) WHERE status IN ({})", named(&live_runs)),
            ),
        ] {
            if !sql.contains(&text) {
                violations.push(format!("{database}: {what} is not `{text}`"));
            }
        }
    }
    keep("SQL calls final and live what the domain does.", &violations);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_needs_a_time_a_verb_and_an_object() {
        for (name, good) in [
            ("2026-11-22-090000_create_runs", true),
            ("2026-11-22-090000_create", false),
            ("2026-11-22_create_runs", false),
            ("2026-11-22-090000_create-runs", false),
            ("create_runs", false),
        ] {
            assert_eq!(is_well_named(name), good, "{name}");
        }
    }

    #[test]
    fn lists_are_found_over_lines() {
        let sql = "a text CONSTRAINT t_a\n  CHECK (a IN ('x',\n 'y')), CONSTRAINT t_b CHECK (b > 0), \
                   CONSTRAINT t_c CHECK ((c IN ('z')) = (d IS NULL))";
        let expected =
            BTreeMap::from([("t_a".to_owned(), BTreeSet::from(["x".to_owned(), "y".to_owned()]))]);
        assert_eq!(lists(sql), expected);
    }
}
