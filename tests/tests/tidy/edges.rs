//! Who may depend on whom, inside the workspace.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use crate::{keep, tree};

/// A package, what it may depend on, and what only its tests may. A new edge is an architectural change: write it into
/// ARCHITECTURE.md too.
const ALLOWED: &[(&str, &[&str], &[&str])] = &[
    ("domain", &[], &[]),
    // Nothing, unless a test wants it: it may be anywhere that a crash is to be tried.
    ("faults", &[], &[]),
    ("github", &[], &[]),
    ("llm", &["faults"], &[]),
    ("telemetry", &[], &[]),
    ("program", &[], &[]),
    ("web", &[], &[]),
    ("store", &["domain", "faults"], &["testkit"]),
    ("queue", &["domain", "faults"], &["testbed"]),
    ("workspace", &["domain", "faults"], &[]),
    ("agent-executor", &["llm", "workspace", "domain"], &[]),
    ("testkit", &["store", "domain"], &[]),
    ("testbed", &[], &[]),
    (
        "webhook-ingest",
        &["web", "telemetry", "program", "store", "queue", "github", "domain", "faults"],
        &["testkit"],
    ),
    (
        "api-gateway",
        &["web", "telemetry", "program", "store", "queue", "domain", "faults"],
        &["testkit"],
    ),
    (
        "worker",
        &[
            "web",
            "telemetry",
            "program",
            "store",
            "queue",
            "github",
            "llm",
            "agent-executor",
            "workspace",
            "domain",
            "faults",
        ],
        &["testkit"],
    ),
    (
        "scheduler",
        &["web", "telemetry", "program", "store", "queue", "domain", "faults"],
        &["testkit"],
    ),
    // Runs all services in one process.
    (
        "orch",
        &[
            "webhook-ingest",
            "api-gateway",
            "worker",
            "scheduler",
            "web",
            "telemetry",
            "program",
            "store",
            "queue",
            "github",
            "llm",
            "agent-executor",
            "workspace",
            "domain",
        ],
        &["testkit"],
    ),
    // Knows the services as their clients and operators do: by HTTP, the command line and the database.
    ("bench", &["testbed"], &[]),
    ("fuzz", &["api-gateway", "webhook-ingest", "web", "store", "github", "domain"], &[]),
    ("e2e", &["domain", "telemetry", "workspace"], &[]),
    // Speaks with services as anybody does, and reads their database.
    ("chaos", &["telemetry", "testbed"], &[]),
];

/// A package of the workspace.
struct Package {
    /// Its folder, from the root.
    folder: String,
    manifest: Table,
}

impl Package {
    fn name(&self) -> &str {
        self.manifest["package"]["name"].as_str().unwrap_or_default()
    }

    /// What it depends on in a section, with the name of the package that is meant.
    fn dependencies(&self, section: &str) -> BTreeSet<String> {
        let tables = self.manifest.get("target").and_then(Value::as_table).into_iter().flatten();
        let by_target = tables.filter_map(|(_, table)| table.get(section));
        let tables = self.manifest.get(section).into_iter().chain(by_target);
        let names = tables.filter_map(Value::as_table).flatten();
        names
            .map(|(name, how)| match how.get("package").and_then(Value::as_str) {
                Some(real) => real.to_owned(),
                None => name.clone(),
            })
            .collect()
    }
}

fn packages() -> Vec<Package> {
    let manifests = tree::files("").into_iter().filter_map(|file| {
        let folder = file.path.strip_suffix("/Cargo.toml")?.to_owned();
        let manifest = file.text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.path));
        Some(Package { folder, manifest })
    });
    manifests.collect()
}

#[test]
fn dependencies_point_one_way() {
    let allowed: BTreeMap<_, _> =
        ALLOWED.iter().map(|(name, may, tests)| (*name, (*may, *tests))).collect();
    let mut violations = Vec::new();
    for package in packages() {
        let name = package.name();
        let Some((may, tests)) = allowed.get(name) else {
            violations.push(format!("{name} is not in the table"));
            continue;
        };
        for (section, may) in [
            ("dependencies", may.to_vec()),
            ("build-dependencies", may.to_vec()),
            // A package may be its own dependency in tests, to switch a feature on.
            ("dev-dependencies", [*may, *tests, &[name]].concat()),
        ] {
            let ours = package
                .dependencies(section)
                .into_iter()
                .filter(|it| allowed.contains_key(it.as_str()));
            let wrong = ours.filter(|it| !may.contains(&it.as_str()));
            violations.extend(wrong.map(|it| format!("{name} may not depend on {it} ({section})")));
        }
    }
    keep(
        "Packages depend on each other only as the table in tests/tests/tidy/edges.rs allows.",
        &violations,
    );
}

#[test]
fn the_table_knows_no_package_that_is_gone() {
    let packages = packages();
    let known: BTreeSet<_> = packages.iter().map(Package::name).collect();
    let gone = ALLOWED.iter().filter(|(name, ..)| !known.contains(name));
    let violations: Vec<_> = gone.map(|(name, ..)| format!("{name} does not exist")).collect();
    keep("Every package of the table exists.", &violations);
}

#[test]
fn a_folder_is_named_as_its_package() {
    let mut violations = Vec::new();
    for package in packages() {
        let (name, folder) = (package.name(), package.folder.as_str());
        let expected = match folder.rsplit_once('/') {
            Some(("crates" | "services" | "tests", last)) => last,
            None if folder == "tests" => "e2e",
            None if matches!(folder, "bench" | "chaos") => folder,
            Some(_) | None => {
                violations.push(format!(
                    "{folder} is a package outside crates, services, tests, bench and chaos"
                ));
                continue;
            }
        };
        if name != expected {
            violations.push(format!("{folder} holds the package {name}"));
        }
    }
    keep("A package has the name of its folder.", &violations);
}

#[test]
fn packages_take_what_they_have_in_common_from_the_workspace() {
    let inherited =
        ["version", "edition", "rust-version", "license", "publish"].map(|key| ("package", key));
    let mut violations = Vec::new();
    for package in packages() {
        let by_workspace = |value: Option<&Value>| {
            value.and_then(|it| it.get("workspace")).and_then(Value::as_bool) == Some(true)
        };
        for (table, key) in inherited {
            if !by_workspace(package.manifest.get(table).and_then(|it| it.get(key))) {
                violations.push(format!("{}: {key}.workspace = true is missing", package.folder));
            }
        }
        if !by_workspace(package.manifest.get("lints")) {
            violations.push(format!("{}: [lints] workspace = true is missing", package.folder));
        }
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let table = package.manifest.get(section).and_then(Value::as_table);
            let own = table.into_iter().flatten().filter(|(_, how)| !by_workspace(Some(how)));
            violations.extend(own.map(|(name, _)| {
                format!("{}: {name} has a version of its own in {section}", package.folder)
            }));
        }
    }
    keep(
        "Versions, lints and the facts about a package are said once, in the root's Cargo.toml.",
        &violations,
    );
}
