//! The seeds: inputs from which mutation starts, a folder for each target.

use std::{fs, io, path::PathBuf};

/// The folder of a target's seeds.
pub fn folder(target: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "corpus", target].iter().collect()
}

/// The seeds of a target, in the order of their names.
///
/// # Errors
/// The folder cannot be read.
pub fn seeds(target: &str) -> io::Result<Vec<Vec<u8>>> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder(target))?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    paths.sort_unstable();
    paths.into_iter().map(fs::read).collect()
}
