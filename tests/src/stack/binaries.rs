//! Where the programs are, and building them where they are not, or older than their sources.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

/// Every program that a stack starts.
const PROGRAMS: [&str; 5] = ["api-gateway", "webhook-ingest", "worker", "scheduler", "orch"];

/// A folder of binaries that somebody else built, for a release or in an image: these are tested as they are.
const GIVEN: &str = "ORCH_E2E_BINARIES";

/// The binary of a program.
pub(super) fn path_of(program: &str) -> PathBuf {
    std::env::var_os(GIVEN).map_or_else(profile_dir, PathBuf::from).join(program)
}

/// The folder of the programs with fault points, as `scripts/build-faulty.sh` makes them.
///
/// # Panics
/// If they were not built, or the sources have changed since.
pub fn faulty_programs() -> PathBuf {
    let folder = target_dir().join("faulty");
    let built = fs::metadata(folder.join(".built")).and_then(|it| it.modified()).ok();
    let fresh = built.is_some_and(|built| newest_of_all() < built);
    assert!(fresh, "scripts/build-faulty.sh has not run since the sources changed");
    folder
}

/// Builds the programs, if one is missing or older than its sources. Each test is a process of its own, so that a file lets
/// one build at a time.
///
/// # Panics
/// If they cannot be built; cargo has said why.
pub(super) fn build() {
    if std::env::var_os(GIVEN).is_some() {
        return;
    }
    let lock = File::create(profile_dir().join(".e2e-build.lock"))
        .expect("the target folder can be written");
    lock.lock().expect("a file can be locked");
    if is_fresh() {
        return;
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.arg("build").current_dir(root()).env("CARGO_TARGET_DIR", target_dir());
    // As the Makefile does it: another choice of packages would mean other features, and building most of it again.
    command.args(["--workspace", "--bins"]);
    match profile_dir().file_name().and_then(|it| it.to_str()) {
        Some("debug") | None => {}
        Some(profile) => drop(command.args(["--profile", profile])),
    }
    let status = command.status().expect("cargo can be started");
    assert!(status.success(), "the programs cannot be built: see above");
}

/// Whether every binary is there and no source is newer. A source may change without a binary that does: then cargo is asked
/// again each time, and finds nothing to do.
fn is_fresh() -> bool {
    let built =
        PROGRAMS.iter().map(|it| fs::metadata(path_of(it)).and_then(|it| it.modified()).ok());
    let Some(oldest) = built.collect::<Option<Vec<_>>>().and_then(|times| times.into_iter().min())
    else {
        return false;
    };
    newest_of_all() < oldest
}

/// When the newest of all sources was changed.
fn newest_of_all() -> SystemTime {
    let root = root();
    let parts = ["crates", "services", "migrations", "Cargo.lock"];
    let times = parts.iter().map(|part| newest_source(&root.join(part)));
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// When the newest source was changed at or below `path`; tests are no sources of programs.
fn newest_source(path: &Path) -> SystemTime {
    if path.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let inner = entries.map(|entry| entry.path()).filter(|it| !it.ends_with("tests"));
        return inner.map(|it| newest_source(&it)).max().unwrap_or(SystemTime::UNIX_EPOCH);
    }
    fs::metadata(path).and_then(|it| it.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("this package is a folder of the project").to_owned()
}

/// `target/debug`, say: a test lies in `deps` below it.
fn profile_dir() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    test.ancestors().nth(2).expect("a test lies in target/<profile>/deps").to_owned()
}

fn target_dir() -> PathBuf {
    profile_dir().parent().expect("target/<profile> has a parent").to_owned()
}
