use std::{fs, path::PathBuf, sync::Arc, time::Instant};

use tokio::task::JoinSet;
use workspace::{Error, WorkspaceArgs, Workspaces};

use crate::fixture::{Fixture, commit_file, request};

#[tokio::test]
async fn a_dropped_checkout_leaves_nothing() {
    let fixture = Fixture::new();
    let repository = fixture.repository("work", &[("a", "1")]);
    let checkout = fixture.open(&repository).await;
    commit_file(&checkout, "b", "2").await;
    assert_eq!(checkouts(&fixture).len(), 1);
    drop(checkout);
    assert_eq!(checkouts(&fixture), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_start_deletes_what_a_crashed_process_left_and_nothing_else() {
    let fixture = Fixture::new();
    let repository = fixture.repository("work", &[("a", "1")]);
    let alive = fixture.open(&repository).await;
    let processes = fixture.dir.path().join("workspaces/v1/processes");
    fs::create_dir_all(processes.join("crashed/0-x/git/objects")).unwrap();
    fs::write(processes.join("crashed/lock"), "").unwrap();
    fs::create_dir(processes.join("crashed-early")).unwrap();

    let second = Workspaces::new(&fixture.args).unwrap();
    let left = fs::read_dir(&processes).unwrap().count();
    assert_eq!(left, 2, "the two that live");
    commit_file(&alive, "b", "2").await;
    drop(second);
    assert_eq!(fs::read_dir(&processes).unwrap().count(), 1);
}

#[tokio::test]
async fn the_last_checkout_keeps_its_directory_when_the_workspaces_are_gone() {
    let Fixture { dir, args: _, workspaces } = Fixture::new();
    let fixture = Fixture { args: WorkspaceArgs::default(), workspaces, dir };
    let repository = fixture.repository("work", &[("a", "1")]);
    let checkout = fixture.open(&repository).await;
    let Fixture { dir, workspaces, .. } = fixture;
    drop(workspaces);
    commit_file(&checkout, "b", "2").await;
    drop(checkout);
    assert_eq!(fs::read_dir(dir.path().join("workspaces/v1/processes")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_attempts_share_one_mirror() {
    let fixture = Arc::new(Fixture::new());
    let repository = fixture.repository("work", &[("a", "1")]);
    let mut attempts = JoinSet::new();
    for number in 0..16 {
        let (fixture, repository) = (Arc::clone(&fixture), repository.clone());
        attempts.spawn(async move {
            let mut asked = request(&repository);
            asked.branch = format!("orchestrator/run-{number}");
            let checkout = fixture.try_open(asked).await.unwrap();
            commit_file(&checkout, "b", &number.to_string()).await;
            checkout.push().await.unwrap();
        });
    }
    while let Some(attempt) = attempts.join_next().await {
        attempt.unwrap();
    }
    let mirrors = fs::read_dir(fixture.dir.path().join("workspaces/v1/mirrors")).unwrap();
    let mirrors = mirrors.filter(|it| it.as_ref().unwrap().path().is_dir()).count();
    assert_eq!((mirrors, checkouts(&fixture).len()), (1, 0));
}

#[tokio::test]
async fn a_directory_that_others_can_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("v1");
    fs::create_dir(&inner).unwrap();
    fs::set_permissions(&inner, fs::Permissions::from_mode(0o777)).unwrap();
    let args =
        WorkspaceArgs { workspace_dir: Some(dir.path().to_owned()), ..WorkspaceArgs::default() };
    let error = Workspaces::new(&args).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error:?}");
}

#[tokio::test]
async fn a_warm_mirror_of_many_files_opens_quickly() {
    let fixture = Fixture::new();
    let files: Vec<(String, String)> = (0..10_000)
        .map(|number| (format!("d{}/f{number}", number % 100), number.to_string()))
        .collect();
    let files: Vec<(&str, &str)> =
        files.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
    let repository = fixture.repository("work", &files);
    drop(fixture.open(&repository).await);
    let began = Instant::now();
    let checkout = fixture.open(&repository).await;
    let took = began.elapsed();
    assert_eq!(checkout.files(0).total, 10_000);
    // Alone it takes about 50 ms; the limit leaves room for a busy machine and none for a fetch of all files.
    assert!(took.as_secs() < 5, "{took:?}");
}

fn checkouts(fixture: &Fixture) -> Vec<PathBuf> {
    let processes = fs::read_dir(fixture.dir.path().join("workspaces/v1/processes")).unwrap();
    processes
        .flat_map(|process| fs::read_dir(process.unwrap().path()).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect()
}
