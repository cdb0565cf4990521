use workspace::{Applied, Content, Error, Reason, Refusal, WorkspaceArgs};

use crate::fixture::{Fixture, author, commit_file, delete, git, put, write};

#[tokio::test]
async fn changes_become_a_commit_that_others_can_read() {
    let fixture = Fixture::new();
    let repository = fixture.repository(
        "work",
        &[("a", "1\n"), ("old/b", "2\n"), ("c", "3\n"), ("run.sh", "#!/bin/sh\n")],
    );
    git(&repository, &["update-index", "--chmod=+x", "run.sh"]);
    git(&repository, &["commit", "--quiet", "--message", "Executable"]);
    let checkout = fixture.open(&repository).await;
    let changes = [
        put("a", "changed\n"),
        delete("old/b"),
        put("old", "a file where a directory was\n"),
        put("c", "3\n"),
        put("run.sh", "#!/bin/sh\ntrue\n"),
        put("new/deep/ünï.txt", "5\n"),
    ];
    let applied = checkout.apply(&changes).await.unwrap();
    let owned = |paths: &[&str]| paths.iter().map(|&path| path.to_owned()).collect::<Vec<_>>();
    assert_eq!(
        applied,
        Applied {
            written: owned(&["a", "new/deep/ünï.txt", "old", "run.sh"]),
            deleted: owned(&["old/b"])
        }
    );
    assert_eq!(
        checkout.read("a", 100).await.unwrap(),
        Some(Content::Text { text: "changed\n".to_owned(), cut: false })
    );

    let trailers = [("Orchestrator-Task", "7".to_owned())];
    let commit = checkout.commit("Change things", &trailers, &author()).await.unwrap().unwrap();
    assert_eq!(checkout.head_commit(), commit);
    assert_eq!(checkout.trailer("Orchestrator-Task").as_deref(), Some("7"));
    checkout.push().await.unwrap();
    git(&repository, &["fsck", "--strict", "--no-dangling"]);
    let tree = git(
        &repository,
        &[
            "-c",
            "core.quotePath=false",
            "ls-tree",
            "-r",
            "--format=%(objectmode) %(path)",
            commit.as_str(),
        ],
    );
    assert_eq!(tree, "100644 a\n100644 c\n100644 new/deep/ünï.txt\n100644 old\n100755 run.sh");
    let shown = git(&repository, &["log", "-1", "--format=%an|%ae|%at|%cn|%P|%B", commit.as_str()]);
    let parent = git(&repository, &["rev-parse", "main"]);
    assert_eq!(
        shown,
        format!(
            "Orchestrator|bot@example.org|1700000000|Orchestrator|{parent}|Change things\n\nOrchestrator-Task: 7"
        )
    );
}

#[tokio::test]
async fn the_same_change_at_the_same_time_is_the_same_commit() {
    let fixture = Fixture::new();
    let repository = fixture.repository("work", &[("a", "1")]);
    let (one, two) = (fixture.open(&repository).await, fixture.open(&repository).await);
    assert_eq!(commit_file(&one, "b", "2").await, commit_file(&two, "b", "2").await);
}

#[tokio::test]
async fn a_commit_of_nothing_is_none() {
    let fixture = Fixture::new();
    let repository = fixture.repository("work", &[("a", "1")]);
    let checkout = fixture.open(&repository).await;
    assert_eq!(checkout.commit("Nothing", &[], &author()).await.unwrap(), None);
    checkout.apply(&[put("a", "2")]).await.unwrap();
    checkout.apply(&[put("a", "1")]).await.unwrap();
    assert_eq!(checkout.commit("Back again", &[], &author()).await.unwrap(), None);
    assert_eq!(checkout.head_commit(), *checkout.base_commit());
}

#[tokio::test]
async fn one_refused_change_refuses_them_all() {
    let fixture = Fixture::with(|args: &mut WorkspaceArgs| args.workspace_max_file_bytes = 4);
    let repository = fixture.repository("work", &[("a", "1")]);
    let checkout = fixture.open(&repository).await;
    let changes = [
        put("a", "2"),
        put("../a", "2"),
        put(".github/workflows/x.yml", ""),
        put("seed.yaml", ""),
        put("b", "12345"),
    ];
    let Err(Error::Refused(refusals)) = checkout.apply(&changes).await else {
        panic!("it was not refused")
    };
    let refusal = |path: &str, reason| Refusal { path: path.to_owned(), reason };
    assert_eq!(
        refusals,
        [
            refusal("../a", Reason::Traversal),
            refusal(".github/workflows/x.yml", Reason::Protected(".github/".to_owned())),
            refusal("seed.yaml", Reason::Protected("seed.yaml".to_owned())),
            refusal("b", Reason::TooLarge { bytes: 5, limit: 4 }),
        ]
    );
    assert_eq!(
        checkout.read("a", 10).await.unwrap(),
        Some(Content::Text { text: "1".to_owned(), cut: false })
    );
    assert_eq!(checkout.commit("Nothing", &[], &author()).await.unwrap(), None);
}

#[tokio::test]
async fn a_checkout_sees_nothing_of_another() {
    let fixture = Fixture::new();
    let repository = fixture.repository("work", &[("a", "1")]);
    let (one, two) = (fixture.open(&repository).await, fixture.open(&repository).await);
    let commit = commit_file(&one, "b", "2").await;
    assert_eq!(two.read("b", 10).await.unwrap(), None);
    assert!(two.diff(two.base_commit(), &commit, 1_000).await.is_err());
}

#[tokio::test]
async fn a_long_diff_ends_after_a_whole_line_and_says_so() {
    let fixture = Fixture::new();
    let repository = fixture.repository("work", &[("a", "1\n")]);
    write(&repository, &[]);
    let checkout = fixture.open(&repository).await;
    let content: String = (0..1_000).map(|number| format!("line {number}\n")).collect();
    let commit = commit_file(&checkout, "long", &content).await;
    let diff = checkout.diff(checkout.base_commit(), &commit, 500).await.unwrap();
    assert!(diff.len() < 600, "{} bytes", diff.len());
    let last: Vec<&str> = diff.lines().rev().take(2).collect();
    assert_eq!(last[0], "[the diff is longer and was cut here]");
    assert!(content.contains(&format!("{}\n", &last[1][1..])), "{}", last[1]);
}
