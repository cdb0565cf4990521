//! The bare mirror of a repository: fetched once for all attempts, and again only when a ref that is wanted has moved.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};

use crate::{
    CommitId, Error,
    layout::{Layout, make_git_dir},
    lock::{self, Wait},
    process::Git,
    remote::Remote,
};

/// How often the size of a mirror is looked at while it is fetched.
const SIZE_POLL: Duration = Duration::from_millis(250);
/// What git says of a mirror that lost objects, say to a full disk.
const DAMAGE: &[&str] =
    &["corrupt", "bad object", "unable to read", "not a git repository", "object file"];

/// Refs and what they point to, by name.
pub(crate) type Refs = BTreeMap<String, CommitId>;

/// A repository's mirror that nobody deletes while this value lives.
#[derive(Debug)]
pub(crate) struct Mirror<'a> {
    git: &'a Git,
    remote: &'a Remote,
    git_dir: PathBuf,
    max_bytes: u64,
    /// Locked together with every checkout that builds on this mirror.
    used: File,
}

impl<'a> Mirror<'a> {
    /// The mirror of a remote, made empty if there is none.
    pub(crate) async fn open(
        git: &'a Git,
        layout: &Layout,
        remote: &'a Remote,
        max_bytes: u64,
    ) -> Result<Self, Error> {
        let git_dir = layout.mirrors().join(short_hash(&remote.name()));
        let used = lock::open(&git_dir.with_extension("used"))?;
        let wait = Wait { doing: "wait for a mirror", limit: git.time_limit, cancel: &git.cancel };
        let used = lock::shared(used, &wait).await?;
        make_if_missing(&git_dir, layout)?;
        Ok(Self { git, remote, git_dir, max_bytes, used })
    }

    pub(crate) fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// Keeps the mirror from being deleted after this value is gone.
    pub(crate) fn keep(self) -> File {
        self.used
    }

    /// What the remote has under these names, at this moment.
    pub(crate) async fn advertised(&self, names: &[String]) -> Result<Refs, Error> {
        advertised(self.git, self.remote, &self.git_dir, names).await
    }

    /// Makes sure that the mirror has these refs as the remote advertised them, or newer. Gives the commits that they name.
    pub(crate) async fn bring(&self, wanted: &Refs) -> Result<Refs, Error> {
        if let Some(commits) = self.commits(wanted, true).await? {
            return Ok(commits);
        }
        let wait = Wait {
            doing: "wait for another fetch",
            limit: self.git.time_limit,
            cancel: &self.git.cancel,
        };
        let _fetching =
            lock::exclusive(lock::open(&self.git_dir.with_extension("fetch"))?, &wait).await?;
        if let Some(commits) = self.commits(wanted, true).await? {
            return Ok(commits);
        }
        self.fetch(wanted.keys()).await?;
        let commits = self.commits(wanted, false).await?;
        commits
            .ok_or_else(|| Error::NotFound { what: format!("a commit of {}", self.remote.name()) })
    }

    /// Makes sure that the mirror has a commit that may be on no ref any more.
    pub(crate) async fn bring_commit(&self, commit: &CommitId) -> Result<(), Error> {
        let call = self.git.call("look for a commit", &self.git_dir);
        let contains = format!("--contains={commit}");
        let listed = call
            .args(["for-each-ref", "--count=1", &contains, "--format=x", "refs/kept"])
            .run()
            .await?;
        if listed.status.success() && !listed.stdout.is_empty() {
            return Ok(());
        }
        let by_itself = Refs::from([(commit.to_string(), commit.clone())]);
        match self.bring(&by_itself).await {
            Err(Error::NotFound { .. }) => {
                Err(Error::NotFound { what: format!("commit {commit} of {}", self.remote.name()) })
            }
            brought => brought.map(drop),
        }
    }

    /// The commits of fetched refs; none if one is missing, or if `exact` and one is not what was advertised.
    async fn commits(&self, wanted: &Refs, exact: bool) -> Result<Option<Refs>, Error> {
        let call = self.git.call("read a mirror's refs", &self.git_dir);
        let format =
            "--format=%(refname) %(objectname) %(objecttype) %(*objectname) %(*objecttype)";
        let listed = call
            .args(["for-each-ref", format])
            .args(wanted.keys().map(|name| kept_as(name)))
            .line()
            .await?;
        let mut found = BTreeMap::new();
        for line in listed.lines() {
            let mut words = line.split_whitespace();
            let (Some(name), Some(object), Some(kind)) = (words.next(), words.next(), words.next())
            else {
                continue;
            };
            let commit = match (kind, words.next(), words.next()) {
                ("commit", ..) => object,
                (_, Some(peeled), Some("commit")) => peeled,
                _ => continue,
            };
            found.insert(
                name.to_owned(),
                (object.parse::<CommitId>()?, commit.parse::<CommitId>()?),
            );
        }
        let mut commits = Refs::new();
        for (name, advertised) in wanted {
            match found.get(&kept_as(name)) {
                Some((object, commit)) if !exact || object == advertised => {
                    commits.insert(name.clone(), commit.clone())
                }
                Some(_) | None => return Ok(None),
            };
        }
        Ok(Some(commits))
    }

    /// Fetches refs or commits by name, under the fetch lock.
    async fn fetch(&self, names: impl Iterator<Item = &String>) -> Result<(), Error> {
        self.delete_partial_packs().map_err(Error::io("delete what a broken fetch left"))?;
        let refspecs = names.map(|name| format!("+{name}:{}", kept_as(name)));
        let doing = "fetch the repository";
        faults::point!("workspace.fetch.before");
        let fetch = self
            .remote
            .call(self.git, doing, &self.git_dir)
            .args([
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                "--no-recurse-submodules",
            ])
            .args(["--no-auto-maintenance", "--upload-pack=git-upload-pack", "--end-of-options"])
            .args([self.remote.address()])
            .args(refspecs)
            .run();
        let fetched = tokio::select! {
            fetched = fetch => fetched?,
            () = self.outgrown() => return Err(self.give_up_too_large()),
        };
        faults::point!("workspace.fetch.after");
        if self.bytes() > self.max_bytes {
            return Err(self.give_up_too_large());
        }
        if fetched.status.success() {
            return Ok(());
        }
        if DAMAGE.iter().any(|sign| fetched.complaint.contains(sign)) {
            self.discard();
        }
        Err(Error::from_transport(&self.remote.name(), doing, fetched.complaint))
    }

    /// Ends when the mirror has become too large.
    async fn outgrown(&self) {
        let mut ticks = tokio::time::interval(SIZE_POLL);
        loop {
            ticks.tick().await;
            if self.bytes() > self.max_bytes {
                return;
            }
        }
    }

    fn give_up_too_large(&self) -> Error {
        self.discard();
        Error::TooLarge { what: self.remote.name(), limit: self.max_bytes }
    }

    /// What objects take on disk.
    fn bytes(&self) -> u64 {
        directory_bytes(&self.git_dir.join("objects"))
    }

    /// Deletes the mirror, if no other checkout builds on it; the next attempt makes it anew. Called under the fetch lock.
    fn discard(&self) {
        let _left_for_later = self.delete_partial_packs();
        match lock::try_exclusive(&self.used) {
            Ok(true) => match fs::remove_dir_all(&self.git_dir) {
                Ok(()) => {
                    tracing::warn!(repository = %self.remote.name(), "deleted a mirror that is too large or damaged")
                }
                Err(error) => {
                    tracing::warn!(%error, path = %self.git_dir.display(), "could not delete a mirror")
                }
            },
            Ok(false) => {
                tracing::info!(repository = %self.remote.name(), "a mirror is in use and stays for now")
            }
            Err(error) => tracing::warn!(%error, "could not lock a mirror"),
        }
    }

    fn delete_partial_packs(&self) -> io::Result<()> {
        let Ok(entries) = fs::read_dir(self.git_dir.join("objects/pack")) else { return Ok(()) };
        for entry in entries {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with("tmp_") {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// What a remote has under these names, at this moment. Any git directory will do.
pub(crate) async fn advertised(
    git: &Git,
    remote: &Remote,
    git_dir: &Path,
    names: &[String],
) -> Result<Refs, Error> {
    let doing = "list the repository's refs";
    let listed = remote
        .call(git, doing, git_dir)
        .args(["ls-remote", "--quiet", "--upload-pack=git-upload-pack", "--end-of-options"])
        .args([remote.address()])
        .args(names.iter().map(OsString::from))
        .run()
        .await?;
    if listed.cut || !listed.status.success() {
        return Err(Error::from_transport(&remote.name(), doing, listed.complaint));
    }
    let text = String::from_utf8_lossy(&listed.stdout);
    let mut refs = Refs::new();
    for (id, name) in text.lines().filter_map(|line| line.split_once('\t')) {
        // A pattern also matches the end of other names.
        if names.iter().any(|wanted| wanted == name) {
            let malformed = |_| Error::Malformed {
                repository: remote.name(),
                detail: "an id is not SHA-1".to_owned(),
            };
            refs.insert(name.to_owned(), id.parse().map_err(malformed)?);
        }
    }
    Ok(refs)
}

/// The ref under which the mirror keeps a remote's ref. Hashed, since `a` and `a/b` cannot both be refs at one time, and a
/// remote may have had either.
fn kept_as(name: &str) -> String {
    format!("refs/kept/{}", short_hash(name))
}

/// A file name for any text: half of its SHA-256, which nobody can choose to collide.
fn short_hash(text: &str) -> String {
    HEXLOWER.encode(&digest(&SHA256, text.as_bytes()).as_ref()[..16])
}

/// Made aside and moved into place, so that a mirror is there entirely or not at all.
fn make_if_missing(git_dir: &Path, layout: &Layout) -> Result<(), Error> {
    if git_dir.is_dir() {
        return Ok(());
    }
    let aside = layout.checkout_dir()?;
    let made = aside.path().join("git");
    make_git_dir(&made, None).map_err(Error::io("make a mirror"))?;
    match fs::rename(made, git_dir) {
        // Somebody else was faster.
        Err(_) if git_dir.is_dir() => Ok(()),
        renamed => renamed.map_err(Error::io("put a mirror into its place")),
    }
}

/// The sizes of all files below a directory. What vanishes meanwhile is not counted.
fn directory_bytes(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    let mut bytes = 0;
    for entry in entries.flatten() {
        match entry.metadata() {
            Ok(found) if found.is_dir() => bytes += directory_bytes(&entry.path()),
            Ok(found) => bytes += found.len(),
            Err(_) => {}
        }
    }
    bytes
}
