use workspace::{Error, OpenRequest, Pushed};

use crate::fixture::{BRANCH, Fixture, commit_file, git, request};

#[tokio::test]
async fn a_branch_is_pushed_once_however_often_it_is_asked_for() {
    let fixture = Fixture::new();
    for repository in
        [fixture.repository("work", &[("a", "1")]), fixture.bare_repository("bare", &[("a", "1")])]
    {
        let checkout = fixture.open(&repository).await;
        let commit = commit_file(&checkout, "b", "2").await;
        assert_eq!(checkout.push().await.unwrap(), Pushed::Pushed(commit.clone()));
        assert_eq!(checkout.push().await.unwrap(), Pushed::AlreadyThere(commit.clone()));
        assert_eq!(git(&repository, &["rev-parse", BRANCH]), commit.as_str());
        assert!(checkout.branch_exists());

        let next = commit_file(&checkout, "c", "3").await;
        assert_eq!(checkout.push().await.unwrap(), Pushed::Pushed(next.clone()));
        assert_eq!(git(&repository, &["rev-parse", BRANCH]), next.as_str());
        git(&repository, &["fsck", "--strict", "--no-dangling"]);
    }
}

#[tokio::test]
async fn after_a_crash_the_next_attempt_takes_over_what_was_pushed() {
    let fixture = Fixture::new();
    let repository = fixture.bare_repository("bare", &[("a", "1")]);
    let crashed = fixture.open(&repository).await;
    let commit = commit_file(&crashed, "b", "2").await;
    crashed.push().await.unwrap();
    drop(crashed);

    let next = fixture.open(&repository).await;
    assert_eq!(next.trailer("Orchestrator-Task").as_deref(), Some("task-1"));
    assert_eq!(next.head_commit(), commit);
    assert_eq!(next.push().await.unwrap(), Pushed::AlreadyThere(commit));
}

#[tokio::test]
async fn the_same_work_done_twice_is_pushed_once() {
    let fixture = Fixture::new();
    let repository = fixture.bare_repository("bare", &[("a", "1")]);
    let (one, two) = (fixture.open(&repository).await, fixture.open(&repository).await);
    let commit = commit_file(&one, "b", "2").await;
    commit_file(&two, "b", "2").await;
    assert_eq!(one.push().await.unwrap(), Pushed::Pushed(commit.clone()));
    assert_eq!(two.push().await.unwrap(), Pushed::AlreadyThere(commit));
}

#[tokio::test]
async fn a_branch_that_somebody_else_moved_is_left_alone() {
    let fixture = Fixture::new();
    let repository = fixture.bare_repository("bare", &[("a", "1")]);
    let (one, two) = (fixture.open(&repository).await, fixture.open(&repository).await);
    let commit = commit_file(&one, "b", "2").await;
    commit_file(&two, "b", "other").await;
    one.push().await.unwrap();
    let error = two.push().await.unwrap_err();
    assert!(error.is_retryable());
    assert!(matches!(error, Error::BranchMoved { found: Some(found), .. } if found == commit));
    assert_eq!(git(&repository, &["rev-parse", BRANCH]), commit.as_str());
}

#[tokio::test]
async fn only_branches_of_ours_are_pushed() {
    let fixture = Fixture::new();
    let repository = fixture.bare_repository("bare", &[("a", "1")]);
    let before = git(&repository, &["for-each-ref"]);
    for branch in ["main", "feature", "orchestrator", "orchestratorx/y"] {
        let asked = OpenRequest { branch: branch.to_owned(), ..request(&repository) };
        let checkout = fixture.try_open(asked).await.unwrap();
        commit_file(&checkout, "b", "2").await;
        let error = checkout.push().await.unwrap_err();
        assert!(matches!(error, Error::NotAllowed(_)), "{branch}: {error:?}");
    }
    assert_eq!(git(&repository, &["for-each-ref"]), before);
}

#[tokio::test]
async fn a_branch_that_a_person_has_checked_out_is_not_moved() {
    let fixture = Fixture::new();
    let repository = fixture.repository("work", &[("a", "1")]);
    git(&repository, &["checkout", "--quiet", "-b", BRANCH]);
    let checkout = fixture.open(&repository).await;
    commit_file(&checkout, "b", "2").await;
    let error = checkout.push().await.unwrap_err();
    assert!(matches!(error, Error::Rejected { .. }), "{error:?}");
    assert_eq!(git(&repository, &["status", "--porcelain"]), "");
}
