//! The list of fault points is the sources'.

use std::collections::BTreeMap;

use crate::{keep, pages, tree};

/// The least number of points that crashes are tried at.
const LEAST: usize = 40;

#[test]
fn every_fault_point_is_on_its_page_and_every_one_on_the_page_exists() {
    let mut declared = BTreeMap::new();
    for file in tree::program_files() {
        // The example of the crate that makes the points is none.
        if file.path.starts_with("crates/faults/") {
            continue;
        }
        let mut add = |name: String, offset: usize| {
            declared.entry(name).or_insert_with(|| file.place(offset));
        };
        for (offset, start) in file.text.match_indices("faults::point!(\"") {
            add(until(&file.text[offset + start.len()..], '"'), offset);
        }
        if file.path.starts_with("crates/store/src/") {
            for (offset, name) in operations(&file.text) {
                add(format!("store.{name}.before_commit"), offset);
                add(format!("store.{name}.after_commit"), offset);
            }
        }
        for (offset, start) in file.text.match_indices(" round!(\"") {
            let name = until(&file.text[offset + start.len()..], '"');
            add(format!("scheduler.{name}.before"), offset);
            add(format!("scheduler.{name}.after"), offset);
        }
    }
    assert!(declared.len() >= LEAST, "there are only {} fault points", declared.len());
    pages::compare("fault point", "docs/fault-points.md", &declared, |name| name.contains('.'));
}

#[test]
fn nothing_that_is_deployed_has_fault_points() {
    let mut violations = Vec::new();
    for file in tree::files("") {
        let deployed = file.path.starts_with("deploy/") || file.path.starts_with("k8s/");
        if deployed || file.path.ends_with("Cargo.toml") {
            violations.extend(file.places_of("faults/inject"));
            violations.extend(file.places_of("features = [\"inject\"]"));
        }
    }
    keep("Only tests and their scripts switch fault points on.", &violations);
}

/// The operations of the store that commit, as they are declared: `write name(…)`, `batch name(…)`.
fn operations(text: &str) -> Vec<(usize, String)> {
    let declared = |line: &str| {
        let line = line.strip_prefix("    ")?;
        let rest = line.strip_prefix("write ").or_else(|| line.strip_prefix("batch "))?;
        Some(until(rest, '('))
    };
    let mut offset = 0;
    let mut found = Vec::new();
    for line in text.split_inclusive('\n') {
        found.extend(declared(line).map(|name| (offset, name)));
        offset += line.len();
    }
    found
}

fn until(text: &str, end: char) -> String {
    text.split(end).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_that_commit_are_told_from_reads() {
        let text = "operations! {\n    /// Writes.\n    write make(a: A) -> B = c::d;\n    read see() -> B = c::e;\n}\n";
        assert_eq!(operations(text), [(30, "make".to_owned())]);
    }
}
