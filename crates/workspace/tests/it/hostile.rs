//! Repositories that try to run a program, or to be written outside of.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use workspace::{Action, Error, Reason, Refusal};

use crate::fixture::{BRANCH, Fixture, commit_all, commit_file, delete, git, put, request, write};

/// A directory where every program that a repository gets to run leaves a file.
struct Trap {
    ran: PathBuf,
    program: PathBuf,
}

impl Trap {
    fn new(dir: &Path) -> Self {
        let (ran, program) = (dir.join("ran"), dir.join("trap.sh"));
        fs::create_dir(&ran).unwrap();
        fs::write(
            &program,
            format!("#!/bin/sh\necho \"$0 $*\" > {}/$$\ncat\nexit 0\n", ran.display()),
        )
        .unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Self { ran, program }
    }

    fn command(&self, name: &str) -> String {
        format!("{} {name}", self.program.display())
    }

    /// Installs the program as every hook of a git directory.
    fn set_hooks(&self, git_dir: &Path) {
        let hooks = git_dir.join("hooks");
        fs::create_dir_all(&hooks).unwrap();
        for hook in [
            "pre-receive",
            "update",
            "post-receive",
            "post-update",
            "reference-transaction",
            "pre-push",
            "post-checkout",
            "post-commit",
            "pre-commit",
            "proc-receive",
            "push-to-checkout",
            "post-index-change",
            "pre-auto-gc",
        ] {
            fs::copy(&self.program, hooks.join(hook)).unwrap();
        }
    }

    /// Names the program wherever a repository's configuration can name one.
    fn set_config(&self, repository: &Path) {
        for key in [
            "core.fsmonitor",
            "core.sshCommand",
            "core.gitProxy",
            "core.editor",
            "core.pager",
            "core.askPass",
            "core.alternateRefsCommand",
            "credential.helper",
            "diff.external",
            "diff.evil.textconv",
            "diff.evil.command",
            "filter.evil.clean",
            "filter.evil.smudge",
            "filter.evil.process",
            "merge.evil.driver",
            "gpg.program",
            "uploadpack.packObjectsHook",
            "remote.origin.uploadpack",
            "remote.origin.receivepack",
            "sequence.editor",
        ] {
            git(repository, &["config", key, &self.command(key)]);
        }
        git(repository, &["config", "filter.evil.required", "true"]);
        git(repository, &["config", "receive.procReceiveRefs", "refs/heads"]);
        git(repository, &["config", "protocol.ext.allow", "always"]);
        let base = format!("url.ext::{}.insteadOf", self.command("insteadOf").replace(' ', "% "));
        git(repository, &["config", &base, "/"]);
    }

    #[track_caller]
    fn assert_nothing_ran(&self) {
        let ran: Vec<String> = fs::read_dir(&self.ran)
            .unwrap()
            .map(|it| fs::read_to_string(it.unwrap().path()).unwrap())
            .collect();
        assert_eq!(ran, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_repository_runs_nothing_while_it_is_read_and_pushed_to() {
    let fixture = Fixture::new();
    let attributes = "* filter=evil diff=evil merge=evil\n";
    for bare in [false, true] {
        let dir = fixture.dir.path().join(format!("bare-{bare}"));
        fs::create_dir(&dir).unwrap();
        let trap = Trap::new(&dir);
        let name = format!("hostile-{bare}");
        let files = [(".gitattributes", attributes), ("a", "1\n")];
        let repository = if bare {
            fixture.bare_repository(&name, &files)
        } else {
            fixture.repository(&name, &files)
        };
        let git_dir = if bare { repository.clone() } else { repository.join(".git") };
        let alternate = fixture.repository(&format!("alternate-{bare}"), &[("x", "1")]);
        let objects = format!("{}\n", alternate.join(".git/objects").display());
        fs::write(git_dir.join("objects/info/alternates"), objects).unwrap();
        trap.set_config(&repository);
        trap.set_hooks(&git_dir);

        let checkout = fixture.open(&repository).await;
        checkout.read("a", 100).await.unwrap();
        checkout.apply(&[put("a", "2\n"), put(".gitattributes", attributes)]).await.unwrap();
        let commit = commit_file(&checkout, "b", "3\n").await;
        let diff = checkout.diff(checkout.base_commit(), &commit, 10_000).await.unwrap();
        assert!(diff.contains("-1\n+2\n"), "{diff}");
        checkout.push().await.unwrap();
        let next = fixture.open(&repository).await;
        commit_file(&next, "c", "4\n").await;
        next.push().await.unwrap();
        trap.assert_nothing_ran();
    }
}

#[tokio::test]
async fn the_trap_would_notice() {
    let fixture = Fixture::new();
    let trap = Trap::new(fixture.dir.path());
    let repository =
        fixture.repository("hostile", &[(".gitattributes", "* filter=evil\n"), ("a", "1\n")]);
    trap.set_hooks(&repository.join(".git"));
    git(&repository, &["branch", "made-by-a-careless-git"]);
    assert!(fs::read_dir(&trap.ran).unwrap().count() > 0);
}

#[tokio::test]
async fn attributes_hide_nothing_from_a_diff() {
    let fixture = Fixture::new();
    let repository = fixture.repository("work", &[(".gitattributes", "* -diff\n"), ("a", "1\n")]);
    let checkout = fixture.open(&repository).await;
    let commit = commit_file(&checkout, "a", "secret change\n").await;
    let diff = checkout.diff(checkout.base_commit(), &commit, 10_000).await.unwrap();
    assert!(diff.contains("+secret change\n"), "{diff}");
}

#[tokio::test]
async fn nothing_is_written_or_read_through_a_symbolic_link() {
    let fixture = Fixture::new();
    let outside = fixture.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "untouched").unwrap();
    let repository = fixture.repository("work", &[("a", "1")]);
    symlink(outside.join("file"), repository.join("x")).unwrap();
    symlink(&outside, repository.join("d")).unwrap();
    commit_all(&repository, "Links");
    let checkout = fixture.open(&repository).await;
    assert_eq!(checkout.read("x", 100).await.unwrap(), None);
    assert_eq!(checkout.read("d/file", 100).await.unwrap(), None);
    check_refused(&checkout, "x", Reason::Symlink("x".to_owned())).await;
    check_refused(&checkout, "d/file", Reason::Symlink("d".to_owned())).await;
    check_refused(&checkout, "d/new", Reason::Symlink("d".to_owned())).await;
    assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), "untouched");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);

    let commit = commit_file(&checkout, "b", "2").await;
    checkout.push().await.unwrap();
    let kept = git(&repository, &["ls-tree", "--format=%(objectmode)", commit.as_str(), "x"]);
    assert_eq!(kept, "120000");
}

async fn check_refused(checkout: &workspace::Checkout, path: &str, reason: Reason) {
    for change in [put(path, "evil"), delete(path)] {
        let Err(Error::Refused(refusals)) = checkout.apply(std::slice::from_ref(&change)).await
        else {
            panic!("{change:?} was not refused")
        };
        assert!(matches!(change.action, Action::Delete | Action::Write { .. }));
        assert_eq!(refusals, [Refusal { path: path.to_owned(), reason: reason.clone() }]);
    }
}

#[tokio::test]
async fn a_submodule_is_neither_fetched_nor_entered() {
    let fixture = Fixture::new();
    let inner = fixture.repository("inner", &[("secret", "1")]);
    let repository = fixture.repository("outer", &[("a", "1")]);
    git(&repository, &["submodule", "--quiet", "add", inner.to_str().unwrap(), "module"]);
    commit_all(&repository, "A submodule");
    let checkout = fixture.open(&repository).await;
    let paths: Vec<String> = checkout.files(10).files.into_iter().map(|file| file.path).collect();
    assert_eq!(paths, [".gitmodules", "a"]);
    check_refused(&checkout, "module", Reason::Submodule("module".to_owned())).await;
    check_refused(&checkout, "module/secret", Reason::Submodule("module".to_owned())).await;
    check_refused(&checkout, ".gitmodules", Reason::Protected(".gitmodules".to_owned())).await;
    commit_file(&checkout, "b", "2").await;
    checkout.push().await.unwrap();
    let pushed = git(&repository, &["ls-tree", "--format=%(objectmode)", BRANCH, "module"]);
    assert_eq!(pushed, "160000");
}

#[tokio::test]
async fn a_tree_with_a_git_directory_in_it_is_refused() {
    let fixture = Fixture::new();
    let repository = fixture.repository("work", &[("a", "1")]);
    for name in [".git", ".GIT", "git~1", ".g\u{200c}it", ".."] {
        let blob = git(&repository, &["hash-object", "-w", "a"]);
        let entries = fixture.dir.path().join("entries");
        write(fixture.dir.path(), &[("entries", &format!("100644 blob {blob}\t{name}\n"))]);
        let input = fs::File::open(entries).unwrap();
        let made = std::process::Command::new("git")
            .args(["mktree"])
            .current_dir(&repository)
            .stdin(input)
            .output()
            .unwrap();
        let tree = String::from_utf8(made.stdout).unwrap();
        let commit = git(&repository, &["commit-tree", tree.trim(), "-m", "Hostile"]);
        git(&repository, &["update-ref", "refs/heads/hostile", &commit]);
        let asked =
            workspace::OpenRequest { base_ref: Some("hostile".to_owned()), ..request(&repository) };
        let error = fixture.try_open(asked).await.unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{name:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_git_file_that_points_elsewhere_is_only_followed_by_git() {
    let fixture = Fixture::new();
    let real = fixture.repository("real", &[("a", "1")]);
    let trap = Trap::new(fixture.dir.path());
    trap.set_hooks(&real.join(".git"));
    let pointer = fixture.dir.path().join("pointer");
    fs::create_dir(&pointer).unwrap();
    write(&pointer, &[(".git", &format!("gitdir: {}\n", real.join(".git").display()))]);
    let checkout = fixture.open(&pointer).await;
    let commit = commit_file(&checkout, "b", "2").await;
    checkout.push().await.unwrap();
    trap.assert_nothing_ran();
    assert_eq!(
        git(&real, &["for-each-ref", "--format=%(objectname)", &format!("refs/heads/{BRANCH}")]),
        commit.as_str()
    );
}
