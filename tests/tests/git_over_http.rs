//! Workspaces on a repository that is served over HTTP with tokens.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use e2e::git_http::{Fault, GitServer, Rights};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use workspace::{
    Action, Author, Change, Checkout, CommitId, Content, Error, OpenRequest, Pushed,
    RepositoryLocation, WorkspaceArgs, Workspaces,
};

const TOKEN: &str = "ghs_reads_and_writes";
const READER: &str = "ghs_reads";

/// A server with one repository, and workspaces that hold a token.
struct Fixture {
    server: GitServer,
    workspaces: Workspaces,
    _dir: TempDir,
}

impl Fixture {
    fn new(token: Option<&str>) -> Self {
        Self::with(token, |_| {})
    }

    fn with(token: Option<&str>, change: impl FnOnce(&mut WorkspaceArgs)) -> Self {
        let server = GitServer::start().unwrap();
        server.grant(TOKEN, Rights::ReadWrite);
        server.grant(READER, Rights::Read);
        server.new_repository("acme/shop", &[("README.md", "# Shop\n")]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut args = WorkspaceArgs {
            workspace_dir: Some(dir.path().to_owned()),
            git_base_url: server.url().parse().unwrap(),
            git_token: token.map(SecretString::from),
            git_token_hosts: vec![server.authority()],
            ..WorkspaceArgs::default()
        };
        change(&mut args);
        Self { workspaces: Workspaces::new(&args).unwrap(), server, _dir: dir }
    }

    async fn open(&self) -> Result<Checkout, Error> {
        self.open_named("acme/shop").await
    }

    async fn open_named(&self, repository: &str) -> Result<Checkout, Error> {
        self.workspaces.open(request(repository), &CancellationToken::new()).await
    }

    /// What the branch is on the server.
    fn branch(&self) -> String {
        let args = [
            "-c",
            "safe.directory=*",
            "rev-parse",
            "--verify",
            "--quiet",
            "refs/heads/orchestrator/run-1",
        ];
        let output = std::process::Command::new("git")
            .args(args)
            .current_dir(self.server.bare_path("acme/shop"))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

fn request(repository: &str) -> OpenRequest {
    OpenRequest {
        repository: RepositoryLocation::parse(repository).unwrap(),
        base_ref: None,
        base_commit: None,
        branch: "orchestrator/run-1".to_owned(),
    }
}

async fn commit_file(checkout: &Checkout, content: &str) -> CommitId {
    let action = Action::Write { content: content.to_owned() };
    checkout.apply(&[Change { path: "src/cart.rs".to_owned(), action }]).await.unwrap();
    let author = Author {
        name: "Orchestrator".into(),
        email: "bot@example.org".into(),
        unix_seconds: Some(0),
    };
    let trailers = [("Orchestrator-Task", "task-1".to_owned())];
    checkout.commit("Add a cart", &trailers, &author).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_branch_is_read_changed_and_pushed_with_the_token() {
    let fixture = Fixture::new(Some(TOKEN));
    let checkout = fixture.open().await.unwrap();
    let readme = checkout.read("README.md", 100).await.unwrap();
    assert_eq!(readme, Some(Content::Text { text: "# Shop\n".to_owned(), cut: false }));
    let commit = commit_file(&checkout, "struct Cart;\n").await;
    assert_eq!(checkout.push().await.unwrap(), Pushed::Pushed(commit.clone()));
    assert_eq!(checkout.push().await.unwrap(), Pushed::AlreadyThere(commit.clone()));
    assert_eq!(fixture.branch(), commit.as_str());

    let requests = fixture.server.requests();
    assert!(requests.iter().all(|it| it.authorised && it.status == Some(200)), "{requests:#?}");
    assert!(requests.iter().all(|it| !it.line.contains(TOKEN)), "{requests:#?}");
    assert!(
        requests.iter().any(|it| it.line == "POST /acme/shop.git/git-receive-pack"),
        "{requests:#?}"
    );
}

#[tokio::test]
async fn an_unchanged_repository_is_not_fetched_again() {
    let fixture = Fixture::new(Some(TOKEN));
    drop(fixture.open().await.unwrap());
    let cold = fixture.server.requests().len();
    drop(fixture.open().await.unwrap());
    let warm: Vec<String> =
        fixture.server.requests().split_off(cold).into_iter().map(|it| it.line).collect();
    assert_eq!(
        warm,
        [
            "GET /acme/shop.git/info/refs?service=git-upload-pack",
            "POST /acme/shop.git/git-upload-pack"
        ],
        "only the refs were listed"
    );
}

#[tokio::test]
async fn without_rights_nothing_is_tried_twice() {
    check_refused(None, "acme/shop", "Unauthorised").await;
    check_refused(Some("ghs_unknown"), "acme/shop", "Unauthorised").await;
    check_refused(Some(TOKEN), "acme/absent", "NotFound").await;

    let fixture = Fixture::new(Some(READER));
    let checkout = fixture.open().await.unwrap();
    commit_file(&checkout, "struct Cart;\n").await;
    let error = checkout.push().await.unwrap_err();
    assert!(matches!(error, Error::Unauthorised { .. }), "{error:?}");
    assert!(!error.is_retryable());
    assert_eq!(fixture.branch(), "");
}

async fn check_refused(token: Option<&str>, repository: &str, variant: &str) {
    let fixture = Fixture::new(token);
    let error = fixture.open_named(repository).await.unwrap_err();
    assert!(format!("{error:?}").starts_with(variant), "{error:?}");
    assert!(!error.is_retryable(), "{error:?}");
    if let Some(token) = token {
        assert!(!format!("{error:?} {error}").contains(token), "{error:?}");
    }
}

#[tokio::test]
async fn a_host_that_is_not_named_never_sees_the_token() {
    let fixture =
        Fixture::with(Some(TOKEN), |args| args.git_token_hosts = vec!["github.com".to_owned()]);
    let error = fixture.open().await.unwrap_err();
    assert!(matches!(error, Error::Unauthorised { .. }), "{error:?}");
    let requests = fixture.server.requests();
    assert!(!requests.is_empty() && requests.iter().all(|it| !it.credentials), "{requests:#?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let fixture = Fixture::new(Some(TOKEN));
    let elsewhere = GitServer::start().unwrap();
    elsewhere.grant(TOKEN, Rights::ReadWrite);
    let url = elsewhere.new_repository("acme/shop", &[("trap", "")]).unwrap();
    fixture
        .server
        .fail_next(10, Fault::RedirectTo(format!("{url}/info/refs?service=git-upload-pack")));
    fixture.open().await.unwrap_err();
    assert_eq!(elsewhere.requests(), []);
}

#[tokio::test]
async fn trouble_that_passes_is_worth_another_try() {
    let fixture = Fixture::new(Some(TOKEN));
    for fault in [Fault::Status(500), Fault::Status(503), Fault::Status(429), Fault::Cut] {
        for path_end in ["/info/refs", "/git-upload-pack"] {
            fixture.server.fail_next_to(path_end, 1, fault.clone());
            let Err(error) = fixture.open().await else {
                panic!("{fault:?} on {path_end} did no harm")
            };
            assert!(error.is_retryable(), "{fault:?} on {path_end}: {error:?}");
        }
    }
    let checkout = fixture.open().await.unwrap();
    let commit = commit_file(&checkout, "struct Cart;\n").await;
    for fault in [Fault::Status(502), Fault::Cut] {
        fixture.server.fail_next_to("/git-receive-pack", 1, fault.clone());
        let error = checkout.push().await.unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{fault:?}: {error:?}");
    }
    assert_eq!(checkout.push().await.unwrap(), Pushed::Pushed(commit));
}

#[tokio::test]
async fn a_push_whose_answer_was_lost_is_known_again() {
    let fixture = Fixture::new(Some(TOKEN));
    let checkout = fixture.open().await.unwrap();
    let commit = commit_file(&checkout, "struct Cart;\n").await;
    fixture.server.fail_next_to("/git-receive-pack", 1, Fault::LoseAnswer);
    let error = checkout.push().await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert_eq!(fixture.branch(), commit.as_str(), "it had arrived");

    let next = fixture.open().await.unwrap();
    assert_eq!(next.trailer("Orchestrator-Task").as_deref(), Some("task-1"));
    assert_eq!(next.push().await.unwrap(), Pushed::AlreadyThere(commit.clone()));
    assert_eq!(checkout.push().await.unwrap(), Pushed::AlreadyThere(commit));
}

#[tokio::test]
async fn a_branch_that_somebody_else_moved_is_left_alone() {
    let fixture = Fixture::new(Some(TOKEN));
    let (one, two) = (fixture.open().await.unwrap(), fixture.open().await.unwrap());
    let commit = commit_file(&one, "struct Cart;\n").await;
    commit_file(&two, "struct Basket;\n").await;
    one.push().await.unwrap();
    let error = two.push().await.unwrap_err();
    assert!(
        matches!(&error, Error::BranchMoved { found: Some(found), .. } if *found == commit),
        "{error:?}"
    );
    assert_eq!(fixture.branch(), commit.as_str());
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let fixture = Fixture::with(Some(TOKEN), |args| args.git_timeout_seconds = 1);
    fixture.server.fail_next(1, Fault::Hang);
    let error = fixture.open().await.unwrap_err();
    assert!(
        matches!(error, Error::TimedOut { seconds: 1, .. }) && error.is_retryable(),
        "{error:?}"
    );
}

#[tokio::test]
async fn cancelling_reaches_a_request_that_hangs() {
    let fixture = Fixture::new(Some(TOKEN));
    fixture.server.fail_next(1, Fault::Hang);
    let cancel = CancellationToken::new();
    let (opened, ()) =
        tokio::join!(fixture.workspaces.open(request("acme/shop"), &cancel), async {
            // The request is recorded when it has arrived, before it hangs.
            while fixture.server.requests().is_empty() {
                tokio::task::yield_now().await;
            }
            cancel.cancel();
        });
    let error = opened.unwrap_err();
    assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
}
