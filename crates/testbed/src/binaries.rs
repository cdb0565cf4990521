//! Where our programs are.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

/// The programs of one build.
#[derive(Clone, Debug)]
pub struct Binaries {
    dir: PathBuf,
}

impl Binaries {
    /// Those of a profile: `debug`, `release`, or `faulty`, which can have guards taken out. They lie in
    /// `$CARGO_TARGET_DIR`, or in `target/`.
    pub fn of(profile: &str) -> Self {
        Self { dir: target_dir().join(profile) }
    }

    /// Those in a folder.
    pub fn within(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Where they are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether all of these are built.
    pub fn has(&self, programs: &[&str]) -> bool {
        programs.iter().all(|it| self.dir.join(it).is_file())
    }

    /// The file of a program.
    ///
    /// # Errors
    /// If it is not built.
    pub fn path(&self, program: &str) -> Result<PathBuf> {
        let path = self.dir.join(program);
        ensure!(path.is_file(), "{} is not built", path.display());
        Ok(path)
    }
}

/// The folder that cargo builds into.
fn target_dir() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let root = crates.and_then(Path::parent).expect("this crate lies two folders below the root");
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir))
}
