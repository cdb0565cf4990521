use std::{fs, path::Path};

use tokio_util::sync::CancellationToken;
use workspace::{Content, Error, Files, OpenRequest, RepositoryLocation, TrackedFile};

use crate::fixture::{BRANCH, Fixture, commit_all, commit_file, git, request, write};

#[tokio::test]
async fn a_new_branch_begins_at_the_default_branch() {
    let fixture = Fixture::new();
    for repository in [
        fixture.repository("work", &[("README.md", "# Work\n"), ("src/lib.rs", "")]),
        fixture.bare_repository("bare", &[("README.md", "# Work\n"), ("src/lib.rs", "")]),
    ] {
        let checkout = fixture.open(&repository).await;
        let main = git(&repository, &["rev-parse", "main"]);
        assert_eq!(checkout.base_commit().as_str(), main);
        assert_eq!(checkout.head_commit().as_str(), main);
        assert!(!checkout.branch_exists());
        assert_eq!(checkout.head_message(), "First commit\n");
        assert_eq!(checkout.trailer("Orchestrator-Task"), None);
        let file = |path: &str, bytes| TrackedFile { path: path.to_owned(), bytes };
        let files = vec![file("README.md", 7), file("src/lib.rs", 0)];
        assert_eq!(checkout.files(10), Files { files: files.clone(), total: 2 });
        assert_eq!(checkout.files(1), Files { files: files[..1].to_vec(), total: 2 });
    }
}

#[tokio::test]
async fn a_file_is_read_up_to_a_limit() {
    let fixture = Fixture::new();
    let repository = fixture.repository("work", &[("text", "naïve text"), ("empty", "")]);
    fs::write(repository.join("binary"), [0, 159, 146, 150]).unwrap();
    commit_all(&repository, "Add a binary");
    let checkout = fixture.open(&repository).await;
    let text = |text: &str, cut| Some(Content::Text { text: text.to_owned(), cut });
    assert_eq!(checkout.read("text", 100).await.unwrap(), text("naïve text", false));
    assert_eq!(checkout.read("text", 11).await.unwrap(), text("naïve text", false));
    assert_eq!(checkout.read("text", 3).await.unwrap(), text("na", true));
    assert_eq!(checkout.read("empty", 0).await.unwrap(), text("", false));
    assert_eq!(checkout.read("binary", 100).await.unwrap(), Some(Content::Binary { bytes: 4 }));
    assert_eq!(checkout.read("absent", 100).await.unwrap(), None);
    assert_eq!(checkout.read("../../../../etc/passwd", 100).await.unwrap(), None);
}

#[tokio::test]
async fn a_branch_that_exists_is_continued_and_compared_with_where_it_began() {
    let fixture = Fixture::new();
    let repository = fixture.repository("work", &[("a", "1\n")]);
    let began = git(&repository, &["rev-parse", "main"]);
    let first = fixture.open(&repository).await;
    let pushed = commit_file(&first, "b", "2\n").await;
    first.push().await.unwrap();
    write(&repository, &[("c", "3\n")]);
    commit_all(&repository, "Meanwhile on main");

    let second = fixture.open(&repository).await;
    assert!(second.branch_exists());
    assert_eq!(second.head_commit(), pushed);
    assert_eq!(second.base_commit().as_str(), began);
    assert_eq!(second.trailer("orchestrator-task").as_deref(), Some("task-1"));
    let diff = second.diff(second.base_commit(), &second.head_commit(), 10_000).await.unwrap();
    assert!(diff.contains("+++ b/b\n@@ -0,0 +1 @@\n+2\n") && !diff.contains("b/c"), "{diff}");
}

#[tokio::test]
async fn the_base_may_be_a_branch_a_tag_or_a_commit() {
    let fixture = Fixture::new();
    let repository = fixture.repository("work", &[("a", "1")]);
    let first = git(&repository, &["rev-parse", "HEAD"]);
    git(&repository, &["tag", "--annotate", "v1", "--message", "One"]);
    git(&repository, &["checkout", "--quiet", "-b", "feature/x"]);
    write(&repository, &[("a", "2")]);
    commit_all(&repository, "Second");
    let second = git(&repository, &["rev-parse", "HEAD"]);
    git(&repository, &["checkout", "--quiet", "main"]);
    write(&repository, &[("a", "3")]);
    commit_all(&repository, "Third");
    for (base, expected) in [
        ("feature/x", &second),
        ("refs/heads/feature/x", &second),
        ("v1", &first),
        ("refs/tags/v1", &first),
        (first.as_str(), &first),
    ] {
        let asked = OpenRequest { base_ref: Some(base.to_owned()), ..request(&repository) };
        assert_eq!(
            fixture.try_open(asked).await.unwrap().head_commit().as_str(),
            expected,
            "{base}"
        );
    }
}

#[tokio::test]
async fn a_pinned_base_outlives_the_branch_that_it_came_from() {
    let fixture = Fixture::new();
    let repository = fixture.repository("work", &[("a", "1")]);
    let pinned = git(&repository, &["rev-parse", "main"]);
    write(&repository, &[("a", "2")]);
    git(&repository, &["commit", "--quiet", "--all", "--amend", "--message", "Rewritten"]);
    let asked = OpenRequest {
        base_ref: Some("gone".to_owned()),
        base_commit: Some(pinned.parse().unwrap()),
        ..request(&repository)
    };
    let checkout = fixture.try_open(asked).await.unwrap();
    assert_eq!(
        (checkout.base_commit().as_str(), checkout.head_commit().as_str()),
        (pinned.as_str(), pinned.as_str())
    );
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let fixture = Fixture::new();
    let repository = fixture.repository("work", &[("a", "1")]);
    let empty = fixture.dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    check_missing(&fixture, request(&empty), "NotFound").await;
    git(&empty, &["init", "--quiet"]);
    check_missing(&fixture, request(&empty), "Empty").await;
    check_missing(&fixture, request(Path::new("/nowhere/at/all")), "NotFound").await;
    let base_ref = Some("absent".to_owned());
    check_missing(&fixture, OpenRequest { base_ref, ..request(&repository) }, "NotFound").await;
    let base_commit = Some("1".repeat(40).parse().unwrap());
    check_missing(&fixture, OpenRequest { base_commit, ..request(&repository) }, "NotFound").await;
    let branch = "--upload-pack=touch".to_owned();
    check_missing(&fixture, OpenRequest { branch, ..request(&repository) }, "InvalidRef").await;
    let base_ref = Some("--upload-pack=touch".to_owned());
    check_missing(&fixture, OpenRequest { base_ref, ..request(&repository) }, "InvalidRef").await;
}

async fn check_missing(fixture: &Fixture, request: OpenRequest, variant: &str) {
    let shown = format!("{request:?}");
    let error = fixture.try_open(request).await.unwrap_err();
    assert!(format!("{error:?}").starts_with(variant), "{shown}: {error:?}");
    assert!(!error.is_retryable(), "{error:?}");
}

#[tokio::test]
async fn a_repository_may_be_named_by_a_file_url() {
    let fixture = Fixture::new();
    let repository = fixture.repository("work", &[("a", "1")]);
    let url = format!("file://{}", repository.display());
    let repository = RepositoryLocation::parse(&url).unwrap();
    let asked =
        OpenRequest { repository, base_ref: None, base_commit: None, branch: BRANCH.to_owned() };
    assert_eq!(fixture.try_open(asked).await.unwrap().files(10).total, 1);
}

#[tokio::test]
async fn a_cancelled_open_ends_as_cancelled() {
    let fixture = Fixture::new();
    let repository = fixture.repository("work", &[("a", "1")]);
    let cancel = CancellationToken::new();
    cancel.cancel();
    let error = fixture.workspaces.open(request(&repository), &cancel).await.unwrap_err();
    assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
}

#[tokio::test]
async fn a_repository_that_is_too_large_is_refused_and_not_kept() {
    let fixture = Fixture::with(|args| args.git_max_repository_bytes = 100_000);
    let noise: String = (0..100_000_u64)
        .map(|it| format!("{:x}", it.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
        .collect();
    let repository = fixture.repository("work", &[("noise", &noise)]);
    for _ in 0..2 {
        let error = fixture.try_open(request(&repository)).await.unwrap_err();
        assert!(matches!(error, Error::TooLarge { limit: 100_000, .. }), "{error:?}");
    }
    assert!(bytes_below(&fixture.dir.path().join("workspaces")) < 100_000);
}

fn bytes_below(path: &Path) -> u64 {
    let sizes = fs::read_dir(path).unwrap().map(|entry| {
        let entry = entry.unwrap();
        let found = entry.metadata().unwrap();
        if found.is_dir() { bytes_below(&entry.path()) } else { found.len() }
    });
    sizes.sum()
}
