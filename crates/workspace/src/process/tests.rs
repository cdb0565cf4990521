use std::{io::Read, thread::JoinHandle};

use tokio::sync::oneshot;

use super::*;

/// A git whose command `run` is a shell script.
struct Fixture {
    dir: tempfile::TempDir,
    git: Git,
}

impl Fixture {
    fn new(time_limit: Duration) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let git = Git {
            search_path: "/usr/local/bin:/usr/bin:/bin".into(),
            home: dir.path().to_owned(),
            time_limit,
            cancel: CancellationToken::new(),
        };
        Self { dir, git }
    }

    fn script(&self, script: &str) -> Call<'_> {
        self.git.call("run a script", self.dir.path()).args([
            "-c",
            &format!("alias.run=!{script}"),
            "run",
        ])
    }

    /// A script that starts a process and never ends. The thread hears its first word, tells, and ends when all that the
    /// script started is dead.
    fn endless(&self) -> (Call<'_>, oneshot::Receiver<()>, JoinHandle<()>) {
        let pipe = self.dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let call = self
            .script(&format!("exec 3>{}; sleep 1000 & echo up >&3; sleep 1000", pipe.display()));
        let (tell, is_up) = oneshot::channel();
        let listen = move || {
            let mut pipe = File::open(pipe).unwrap();
            pipe.read_exact(&mut [0; 3]).unwrap();
            tell.send(()).unwrap();
            pipe.read_to_end(&mut Vec::new()).unwrap();
        };
        (call, is_up, std::thread::spawn(listen))
    }
}

#[tokio::test]
async fn a_call_ends_at_its_time_limit() {
    let fixture = Fixture::new(Duration::from_millis(200));
    let error = fixture.script("sleep 1000").line().await.unwrap_err();
    assert!(matches!(error, Error::TimedOut { doing: "run a script", .. }), "{error:?}");
}

#[tokio::test]
async fn cancelling_ends_everything_that_git_started() {
    let fixture = Fixture::new(Duration::from_secs(100));
    let (call, is_up, all_dead) = fixture.endless();
    let (result, ()) = tokio::join!(call.line(), async {
        is_up.await.unwrap();
        fixture.git.cancel.cancel();
    });
    assert!(matches!(result, Err(Error::Cancelled { .. })), "{result:?}");
    all_dead.join().unwrap();
}

#[tokio::test]
async fn dropping_a_call_ends_everything_that_git_started() {
    let fixture = Fixture::new(Duration::from_secs(100));
    let (call, is_up, all_dead) = fixture.endless();
    tokio::select! {
        ended = call.line() => panic!("{ended:?}"),
        heard = is_up => heard.unwrap(),
    }
    all_dead.join().unwrap();
}

#[tokio::test]
async fn too_much_output_ends_the_call() {
    let fixture = Fixture::new(Duration::from_secs(100));
    let output = fixture.script("yes").max_output(1_000).run().await.unwrap();
    assert_eq!((output.stdout.len(), output.cut), (1_000, true));
    let error = fixture.script("yes").max_output(1_000).line().await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 1_000, .. }), "{error:?}");
}

#[tokio::test]
async fn a_complaint_is_one_bounded_line_without_the_secret() {
    let fixture = Fixture::new(Duration::from_secs(100));
    let secret = Some((
        "http.x.extraHeader".to_owned(),
        SecretString::from("Authorization: Basic c2VjcmV0"),
    ));
    let script = "env | grep VALUE >&2; printf '\\033[2Jfirst\\nsecond\\n' >&2; yes complaint | head -5000 >&2; exit 3";
    let output = fixture.script(script).secret_config(secret).run().await.unwrap();
    assert_eq!(output.status.code(), Some(3));
    let complaint = output.complaint;
    assert!(complaint.contains("; [2Jfirst; second; complaint"), "{complaint}");
    assert!(!complaint.contains("c2VjcmV0") && complaint.contains("Basic …"), "{complaint}");
    assert!(complaint.len() <= 4_000 && !complaint.contains(char::is_control), "{complaint}");
}

#[tokio::test]
async fn nothing_of_our_environment_is_inherited() {
    let fixture = Fixture::new(Duration::from_secs(100));
    let seen = fixture.script("env").line().await.unwrap();
    let foreign: Vec<&str> = seen
        .lines()
        .filter_map(|line| line.split_once('=').map(|(name, _)| name))
        .filter(|name| {
            !name.starts_with("GIT_")
                && !["PATH", "HOME", "LC_ALL", "PWD", "SHLVL", "_", "OLDPWD"].contains(name)
        })
        .collect();
    assert_eq!(foreign, Vec::<&str>::new());
}
