//! What no source may hold.
//!
//! What is looked for is written in two parts, so that this file does not break its own rules.

use crate::{
    keep,
    tree::{self, File},
};

/// Lines of a file, tests included. A file is a concept; what needs more than this is two.
const LINES: usize = 500;

#[test]
fn a_file_is_short_enough_to_be_read() {
    let long = tree::rust_files().into_iter().filter_map(|file| {
        let lines = file.text.lines().count();
        (lines > LINES).then(|| format!("{} has {lines} lines", file.path))
    });
    keep(&format!("A Rust file has at most {LINES} lines."), &long.collect::<Vec<_>>());
}

#[test]
fn every_test_is_run() {
    let ignored: Vec<_> = tree::rust_files()
        .iter()
        .flat_map(|file| file.places_of(concat!("#[", "ignore")))
        .collect();
    keep("No test is ignored: it holds, or it goes.", &ignored);
}

#[test]
fn a_lint_is_switched_off_with_a_reason() {
    let mut violations = Vec::new();
    for file in tree::rust_files() {
        for start in [
            concat!("#[", "allow("),
            concat!("#![", "allow("),
            concat!("#[", "expect("),
            concat!("#![", "expect("),
        ] {
            for (offset, _) in file.text.match_indices(start) {
                if !attribute(&file.text[offset..]).contains("reason = ") {
                    violations.push(file.place(offset));
                }
            }
        }
    }
    keep("`allow` and `expect` say why: `reason = \"…\"`.", &violations);
}

/// The text of an attribute, from its `#` to the bracket that closes it.
fn attribute(text: &str) -> &str {
    let mut open = 0_usize;
    for (offset, it) in text.char_indices() {
        match it {
            '[' => open += 1,
            ']' => open = open.saturating_sub(1),
            _ => {}
        }
        if it == ']' && open == 0 {
            return &text[..=offset];
        }
    }
    text
}

#[test]
fn nothing_is_left_for_later() {
    let macros = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("dbg", "!(")];
    let mut violations = Vec::new();
    for file in tree::rust_files() {
        violations.extend(macros.iter().flat_map(|it| file.places_of(it)));
    }
    for file in tree::files("") {
        violations.extend(wishes(&file));
    }
    keep(
        "Nothing is a stub, and what is to be done later has an issue with a number (#12).",
        &violations,
    );
}

/// Places of comments that wish for something and name no issue.
fn wishes(file: &File) -> Vec<String> {
    let mark =
        match file.path.rsplit_once('.').map_or(file.path.as_str(), |(_, extension)| extension) {
            "rs" => "//",
            "sh" | "py" | "toml" | "yml" | "yaml" | "Makefile" | "deploy/Dockerfile" => "#",
            "sql" => "--",
            _ => return Vec::new(),
        };
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let names_issue = |text: &str| {
        text.split('#').skip(1).any(|rest| rest.starts_with(|it: char| it.is_ascii_digit()))
    };
    let wish = |line: &str| {
        let (_, comment) = line.split_once(mark)?;
        let word = words.iter().find(|it| comment.contains(**it))?;
        (!names_issue(comment)).then_some(*word)
    };
    let lines = file.text.lines().enumerate();
    lines
        .filter_map(|(index, line)| Some(format!("{}:{}: {}", file.path, index + 1, wish(line)?)))
        .collect()
}

#[test]
fn no_file_speaks_of_a_place_outside_the_project() {
    let places = [concat!("..", "/shared"), concat!("/work", "/")];
    let found: Vec<_> = tree::files("")
        .iter()
        .flat_map(|file| places.iter().flat_map(|place| file.places_of(place)))
        .collect();
    keep("The project stands alone: no file names a path that only one machine has.", &found);
}

#[test]
fn only_the_crates_that_may_know_sql_or_amqp_do() {
    let borders = [
        ("diesel", "crates/store/"),
        ("tokio_postgres", "crates/store/"),
        ("lapin", "crates/queue/"),
        ("libsqlite3_sys", "crates/store/"),
    ];
    let mut violations = Vec::new();
    for file in tree::program_files() {
        // Makes and removes the databases of tests.
        if file.path.starts_with("crates/testkit/") {
            continue;
        }
        for (library, home) in borders {
            if !file.path.starts_with(home) {
                violations.extend(
                    file.places_of(&format!("{library}::"))
                        .into_iter()
                        .map(|it| format!("{it}: {library}")),
                );
            }
        }
    }
    keep("Only store knows SQL, and only queue knows AMQP.", &violations);
}

#[test]
fn the_domain_reads_no_clock_and_does_no_io() {
    let forbidden = [
        "Utc::now",
        "Local::now",
        "Instant::now",
        "SystemTime::now",
        "std::fs",
        "std::net",
        "std::env",
        "async fn",
    ];
    let mut violations = Vec::new();
    for file in tree::files("crates/domain/src") {
        for it in forbidden {
            violations.extend(file.places_of(it).into_iter().map(|place| format!("{place}: {it}")));
        }
    }
    keep("The domain is pure: `now` is an argument, and nothing waits.", &violations);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_without_an_issue_is_found() {
        let check = |path: &str, text: &str, expected: usize| {
            let file = File { path: path.to_owned(), text: text.to_owned() };
            assert_eq!(wishes(&file).len(), expected, "{path}: {text}");
        };
        check("a.rs", &["let a = 1; // TO", "DO: more\n"].concat(), 1);
        check("a.rs", &["let a = 1; // TO", "DO(#12): more\n"].concat(), 0);
        check("a.rs", &["let a = \"TO", "DO\";\n"].concat(), 0);
        check("a.sql", &["-- FIX", "ME\n"].concat(), 1);
        check("a.md", &["TO", "DO\n"].concat(), 0);
    }

    #[test]
    fn an_attribute_ends_with_its_bracket() {
        assert_eq!(attribute("#[a(b[0], c)]\nfn d() {}"), "#[a(b[0], c)]");
    }
}
