//! The pages for people say what the sources say.

use std::collections::{BTreeMap, BTreeSet};

use crate::{keep, tree};

/// Lines of ARCHITECTURE.md: a map that takes longer to read than this is not read.
const MAP_LINES: usize = 150;

#[test]
fn the_pages_that_everybody_looks_for_are_there() {
    let pages = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "docs/metrics.md",
        "docs/configuration.md",
    ];
    let missing: Vec<_> = pages.iter().filter_map(|page| tree::read(page).err()).collect();
    keep("These pages exist.", &missing);
}

#[test]
fn the_map_is_short_and_shows_every_package() {
    let map = match tree::read("ARCHITECTURE.md") {
        Ok(map) => map,
        Err(missing) => return keep("There is a map.", &[missing]),
    };
    let mut violations = Vec::new();
    let lines = map.lines().count();
    if lines > MAP_LINES {
        violations.push(format!("ARCHITECTURE.md has {lines} lines"));
    }
    for file in tree::files("") {
        let folder = file.path.strip_suffix("/Cargo.toml").and_then(|it| it.rsplit_once('/'));
        if let Some((_, name)) = folder
            && !map.contains(name)
        {
            violations.push(format!("ARCHITECTURE.md does not mention {name}"));
        }
    }
    keep(
        &format!("ARCHITECTURE.md mentions every package, in at most {MAP_LINES} lines."),
        &violations,
    );
}

#[test]
fn every_metric_is_on_its_page_and_every_one_on_the_page_exists() {
    let mut declared = BTreeMap::new();
    for file in tree::program_files() {
        for (offset, _) in file.text.match_indices("\"orchestrator_") {
            let name = file.text[offset + 1..].split('"').next().unwrap_or_default();
            let plain =
                name.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_');
            if plain && name != "orchestrator_" {
                declared.entry(name.to_owned()).or_insert_with(|| file.place(offset));
            }
        }
    }
    compare("metric", "docs/metrics.md", &declared, |name| name.starts_with("orchestrator_"));
}

#[test]
fn every_setting_is_on_its_page_and_every_one_on_the_page_exists() {
    let mut declared = BTreeMap::new();
    for file in tree::program_files() {
        for (offset, start) in file.text.match_indices("env = \"") {
            let name = file.text[offset + start.len()..].split('"').next().unwrap_or_default();
            // Variables that cargo sets serve as examples in tests.
            if !name.starts_with("CARGO_") {
                declared.entry(name.to_owned()).or_insert_with(|| file.place(offset));
            }
        }
    }
    let is_setting = |name: &str| {
        name.contains('_')
            && name.bytes().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_')
    };
    compare("setting", "docs/configuration.md", &declared, is_setting);
}

/// Compares names and their places in the sources with the first cells of a page's tables.
#[track_caller]
pub(crate) fn compare(
    what: &str,
    page: &str,
    declared: &BTreeMap<String, String>,
    is_name: impl Fn(&str) -> bool,
) {
    let text = match tree::read(page) {
        Ok(text) => text,
        Err(missing) => return keep("The page is there.", &[missing]),
    };
    let shown: BTreeSet<_> = first_cells(&text).into_iter().filter(|it| is_name(it)).collect();
    let unknown = declared.iter().filter(|(name, _)| !shown.contains(name.as_str()));
    let mut violations: Vec<_> =
        unknown.map(|(name, place)| format!("{name} ({place}) is not on the page")).collect();
    let gone = shown.iter().filter(|name| !declared.contains_key(**name));
    violations.extend(gone.map(|name| format!("{name} is on the page and nowhere else")));
    keep(&format!("{page} has a row for every {what}, and for no other."), &violations);
}

/// What stands in backticks in the first cell of each row of each table; a cell may hold several.
fn first_cells(page: &str) -> Vec<&str> {
    let cells = page.lines().filter_map(|line| line.strip_prefix('|')?.split('|').next());
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn a_link_inside_the_project_leads_somewhere() {
    let mut violations = Vec::new();
    for file in tree::files("") {
        if !file.has_extension("md") {
            continue;
        }
        for (offset, start) in file.text.match_indices("](") {
            let target =
                file.text[offset + start.len()..].split([')', '#', ' ']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            if !tree::root().join(folder).join(target).exists() {
                violations.push(format!("{}: {target}", file.place(offset)));
            }
        }
    }
    keep("A link to another file of the project finds it.", &violations);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_the_first_cells_of_tables() {
        let page = "`x` in prose\n\n| name | what |\n| --- | --- |\n| `a_b` | `c` |\n| `d`, `e` [1] | f |\n";
        assert_eq!(first_cells(page), ["a_b", "d", "e"]);
    }
}
