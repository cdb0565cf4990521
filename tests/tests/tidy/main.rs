//! The rules of the project that no compiler knows, each a test. A rule tells everything that breaks it, not only the first.

mod tree;

mod edges;
mod faults;
mod names;
mod pages;
mod sources;
mod sql;

/// Fails with every violation of a rule, if there is one. `rule` is what the rule asks for.
#[track_caller]
fn keep(rule: &str, violations: &[String]) {
    assert!(
        violations.is_empty(),
        "{rule}\n{} violations:\n  {}\n",
        violations.len(),
        violations.join("\n  ")
    );
}
