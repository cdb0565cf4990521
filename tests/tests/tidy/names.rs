//! Names that say nothing.

use crate::{keep, tree};

/// A place of such a name gathers whatever nobody found a name for.
const EMPTY: [&str; 10] = [
    "util", "utils", "helper", "helpers", "common", "shared", "models", "types", "manager", "misc",
];

#[test]
fn nothing_is_named_after_nothing() {
    let mut violations = Vec::new();
    for file in tree::rust_files() {
        let path = file.path.trim_end_matches(".rs");
        if path.split('/').any(|part| EMPTY.contains(&part)) {
            violations.push(file.path.clone());
        }
        for name in EMPTY {
            violations.extend(file.places_of(&format!("mod {name} {{")));
        }
    }
    keep(
        "A crate, folder, file or module is named after what it is for; keep a type beside what it does.",
        &violations,
    );
}
