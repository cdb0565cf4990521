//! The `grow` workflow on a repository of this machine.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use agent_executor::{AnswerForm, Assignment, Origin};
use domain::{
    outputs::Plan,
    role::Role,
    run::{NewRun, RunStatus, branch_of},
    task::{FailureCode, NewTask, Task, TaskKind, TaskStatus},
    workflow::{Workflow, grow::ImplementInput},
};
use serde_json::{Value, json};
use testkit::{TestStore, on_both_stores};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use workspace::{Action, Author, Change, OpenRequest};

use crate::{
    leases::expire,
    repository::Repository,
    script::{Answer, Script, answer},
    stage::{Stage, config, run_of, until},
};

const README: &str = "# Greeter\n\nGreets.\n";

fn repository(stage: &Stage) -> Repository {
    let files = [("README.md", README), ("src/greet.txt", "Hello\n"), ("src/other.txt", "Other\n")];
    Repository::new(stage.path("repository.git"), &files)
}

fn grow(repository: &Repository) -> NewRun {
    let goal = "Greet the whole world.";
    NewRun {
        workflow: Workflow::Grow,
        goal: goal.to_owned(),
        repository: Some(repository.path()),
        ..run_of(vec![NewTask::new(Role::Architect, TaskKind::Plan, goal)])
    }
}

fn plan() -> Value {
    json!({
        "summary": "Greet the world.",
        "subtasks": [{
            "title": "Greeting",
            "description": "Change the greeting.",
            "scopePaths": ["src/greet.txt"],
            "dependsOn": [],
            "acceptance": ["It says world."]
        }],
        "risks": [],
        "needsHuman": false
    })
}

fn change(path: &str, content: &str) -> Value {
    json!({ "summary": "Greet the world", "changes": [{ "path": path, "action": "write", "content": content }] })
}

fn review(verdict: &str, comments: &Value) -> Value {
    json!({ "verdict": verdict, "summary": "Seen.", "comments": comments })
}

fn decide() -> Answer {
    answer(json!({ "decision": "open_pr", "reasons": ["It does what the plan says."] }))
}

/// The text of an assignment's parts of one origin.
fn told(assignment: &Assignment, origin: Origin) -> String {
    let parts = assignment.context.iter().filter(|part| part.origin == origin);
    parts.map(|part| format!("[{}]\n{}", part.title, part.text)).collect()
}

async fn tasks(stage: &Stage, run: domain::ids::RunId) -> Vec<Task> {
    stage.db.store.tasks_of_run(run).await.unwrap()
}

on_both_stores!(a_goal_becomes_a_reviewed_commit_on_the_runs_branch, |db: TestStore| async move {
    let stage = Stage::on(db).await;
    let repository = repository(&stage);
    let round = Arc::new(AtomicUsize::new(0));
    let agent = Script::new(move |assignment| {
        let round = round.clone();
        async move {
            match assignment.answer {
                AnswerForm::Plan => answer(plan()),
                AnswerForm::ChangeSet if round.load(Ordering::SeqCst) == 0 => {
                    answer(change("src/greet.txt", "Hello world\n"))
                }
                AnswerForm::ChangeSet => answer(change("src/greet.txt", "Hello, world!\n")),
                AnswerForm::Review if round.fetch_add(1, Ordering::SeqCst) == 0 => {
                    let comment = json!([{ "path": "src/greet.txt", "line": 1, "severity": "major", "body": "Punctuate." }]);
                    answer(review("request_changes", &comment))
                }
                AnswerForm::Review => answer(review("approve", &json!([]))),
                AnswerForm::Decision => decide(),
                form @ (AnswerForm::TestReport | AnswerForm::Free) => {
                    panic!("nobody asks for {form}")
                }
            }
        }
    });
    let worker = stage.start(config(), agent.clone());
    let new = grow(&repository);
    let id = new.id;
    stage.create(new).await;
    let run = stage.until_run_ends(id).await;
    worker.stop().await;

    let tasks = tasks(&stage, id).await;
    let kinds: Vec<_> = tasks.iter().map(|task| (task.kind, task.status)).collect();
    use TaskKind::*;
    let expected = [Plan, Implement, Review, Implement, Review, Decide]
        .map(|kind| (kind, TaskStatus::Completed));
    assert_eq!(kinds, expected, "{:?}", tasks.iter().map(|task| &task.error).collect::<Vec<_>>());

    let branch = branch_of(id);
    let head = repository.head(&branch).expect("the branch is pushed");
    assert_eq!(repository.file(&branch, "src/greet.txt"), "Hello, world!");
    assert_eq!(repository.file(&branch, "src/other.txt"), "Other");
    assert_eq!(
        (run.status, run.branch, run.head_commit, run.base_commit),
        (RunStatus::Completed, Some(branch.clone()), Some(head.clone()), repository.head("main"))
    );
    assert_eq!(run.outcome.unwrap()["commit"], json!(head));
    assert_eq!(run.usage.requests, 6);
    let expected = format!(
        "Greet the world\n\nOrchestrator-Task: {}\nOrchestrator-Run: {id}\nOrchestrator-Attempt: 1",
        tasks[3].id
    );
    assert_eq!(repository.messages(&branch).first(), Some(&expected));
    assert_eq!(tasks[3].result.as_ref().unwrap()["files"], json!(["src/greet.txt"]));
    check_what_was_told(&agent.seen());
});

/// What each agent was told, in the order of the steps.
fn check_what_was_told(seen: &[Assignment]) {
    let [planned, implemented, reviewed, again, _, decided] = seen else {
        panic!("{} were asked", seen.len())
    };
    assert_eq!(
        told(planned, Origin::FileList),
        "[files of the repository]\nREADME.md\nsrc/greet.txt\nsrc/other.txt\n"
    );
    assert!(told(planned, Origin::RepositoryFile).starts_with(&format!("[README.md]\n{README}")));
    assert!(told(implemented, Origin::Plan).contains("Subtask 0: Greeting"));
    assert_eq!(told(implemented, Origin::RepositoryFile), "[src/greet.txt]\nHello\n");
    assert_eq!(told(implemented, Origin::Feedback), "");
    assert_eq!(implemented.payload, json!({}), "what the context tells is not told twice");
    assert!(told(reviewed, Origin::Diff).contains("-Hello\n+Hello world\n"));
    assert_eq!(
        told(again, Origin::Feedback),
        "[feedback on round 1]\n- [major] src/greet.txt:1: Punctuate.\n"
    );
    assert_eq!(told(again, Origin::RepositoryFile), "[src/greet.txt]\nHello world\n");
    assert!(
        told(decided, Origin::Diff).ends_with("Lines added and removed:\nsrc/greet.txt: +1 -1\n")
    );
    assert!(told(decided, Origin::Feedback).contains("Verdict: approve"));
    let runs: BTreeSet<_> = seen.iter().map(|it| it.description.as_str()).collect();
    assert_eq!(runs, BTreeSet::from(["Greet the whole world."]));
}

on_both_stores!(a_change_that_may_not_be_made_goes_back_as_feedback, |db: TestStore| async move {
    let stage = Stage::on(db).await;
    let repository = repository(&stage);
    let agent = Script::new(|assignment| async move {
        match assignment.answer {
            AnswerForm::Plan => answer(plan()),
            AnswerForm::ChangeSet if told(&assignment, Origin::Feedback).is_empty() => {
                answer(change(".github/workflows/ci.yml", "jobs: {}\n"))
            }
            AnswerForm::ChangeSet => answer(change("src/greet.txt", "Hello world\n")),
            AnswerForm::Review => answer(review("approve", &json!([]))),
            AnswerForm::Decision => decide(),
            form @ (AnswerForm::TestReport | AnswerForm::Free) => panic!("nobody asks for {form}"),
        }
    });
    let worker = stage.start(config(), agent.clone());
    let new = grow(&repository);
    let id = new.id;
    stage.create(new).await;
    assert_eq!(stage.until_run_ends(id).await.status, RunStatus::Completed);
    worker.stop().await;

    let refused = &tasks(&stage, id).await[1];
    assert_eq!(refused.result.as_ref().unwrap()["refused"][0]["path"], ".github/workflows/ci.yml");
    let feedback = told(&agent.seen()[2], Origin::Feedback);
    assert!(feedback.contains("- [critical] .github/workflows/ci.yml: "), "{feedback}");
    assert_eq!(repository.messages(&branch_of(id)).len(), 1);
});

on_both_stores!(an_answer_that_changes_nothing_is_a_failed_attempt, |db: TestStore| async move {
    let stage = Stage::on(db).await;
    let repository = repository(&stage);
    let agent = Script::new(|assignment| async move {
        if assignment.answer == AnswerForm::Plan {
            return answer(plan());
        }
        answer(change("src/greet.txt", "Hello\n"))
    });
    let worker = stage.start(config(), agent);
    let new = grow(&repository);
    let id = new.id;
    stage.create(new).await;
    assert_eq!(stage.until_run_ends(id).await.status, RunStatus::Failed);
    worker.stop().await;
    let task = &tasks(&stage, id).await[1];
    let error = task.error.clone().unwrap();
    assert_eq!((task.attempt, error.code), (4, FailureCode::InvalidOutput));
    assert_eq!(task.usage.requests, 4, "what it cost counts all the same");
    assert_eq!(repository.head(&branch_of(id)), None);
});

on_both_stores!(a_repository_that_is_not_there_fails_the_run_at_once, |db: TestStore| async move {
    let stage = Stage::on(db).await;
    let worker = stage.start(config(), Script::answering());
    let mut new = grow(&repository(&stage));
    new.repository = Some("/nowhere/at/all".to_owned());
    let id = new.id;
    stage.create(new).await;
    assert_eq!(stage.until_run_ends(id).await.status, RunStatus::Failed);
    worker.stop().await;
    let task = &tasks(&stage, id).await[0];
    assert_eq!((task.attempt, task.error.clone().unwrap().code), (1, FailureCode::InvalidInput));
});

on_both_stores!(what_an_earlier_attempt_has_pushed_is_taken_over, |db: TestStore| async move {
    let stage = Stage::on(db).await;
    let repository = repository(&stage);
    let plan: Plan = serde_json::from_value(plan()).unwrap();
    let mut task = NewTask::new(Role::Implementer, TaskKind::Implement, "Greet the whole world.");
    task.payload = json!(ImplementInput { plan, round: 1, feedback: Vec::new() });
    let task_id = task.id;
    let run = NewRun { tasks: vec![task], ..grow(&repository) };
    let id = run.id;

    // A worker crashed after its push and before it could tell anybody.
    let request = OpenRequest {
        repository: repository.path().parse().unwrap(),
        base_ref: None,
        base_commit: None,
        branch: branch_of(id),
    };
    let checkout = stage.workspaces.open(request, &CancellationToken::new()).await.unwrap();
    let action = Action::Write { content: "Hello world\n".to_owned() };
    checkout.apply(&[Change { path: "src/greet.txt".to_owned(), action }]).await.unwrap();
    let author = Author {
        name: "Earlier".to_owned(),
        email: "e@example.org".to_owned(),
        unix_seconds: None,
    };
    let trailers = [("Orchestrator-Task", task_id.to_string())];
    let pushed =
        checkout.commit("Greet the world\n\nWell.", &trailers, &author).await.unwrap().unwrap();
    checkout.push().await.unwrap();

    let agent = Script::new(|assignment| async move {
        match assignment.answer {
            AnswerForm::Review => answer(review("approve", &json!([]))),
            AnswerForm::Decision => decide(),
            form @ (AnswerForm::Plan
            | AnswerForm::ChangeSet
            | AnswerForm::TestReport
            | AnswerForm::Free) => {
                panic!("nobody asks for {form}")
            }
        }
    });
    let worker = stage.start(config(), agent);
    stage.create(run).await;
    assert_eq!(stage.until_run_ends(id).await.status, RunStatus::Completed);
    worker.stop().await;
    let result = stage.task(task_id).await.result.unwrap();
    assert_eq!(
        result,
        json!({
            "commit": pushed.as_str(),
            "branch": branch_of(id),
            "summary": "Greet the world\n\nWell.",
            "files": ["src/greet.txt"],
            "notes": ["an earlier attempt had pushed this commit"]
        })
    );
    assert_eq!(repository.head(&branch_of(id)).as_deref(), Some(pushed.as_str()));
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_has_lost_its_lease_does_not_push() {
    let stage = Stage::on(TestStore::postgres().await).await;
    let repository = repository(&stage);
    let gate = Arc::new(Semaphore::new(0));
    let agent = Script::new({
        let gate = gate.clone();
        move |assignment| {
            let gate = gate.clone();
            async move {
                if assignment.answer == AnswerForm::Plan {
                    return answer(plan());
                }
                gate.acquire().await.unwrap().forget();
                answer(change("src/greet.txt", "Hello world\n"))
            }
        }
    });
    let worker = stage.start(config(), agent.clone());
    let run = grow(&repository);
    let id = run.id;
    stage.create(run).await;
    until("the implementer works", || agent.seen().len() == 2 && agent.at_work() == 1).await;
    let implement = tasks(&stage, id).await[1].id;
    expire(&stage, implement).await;

    gate.add_permits(1);
    until("the attempt has ended", || worker.health.running() == 0).await;
    assert_eq!(repository.head(&branch_of(id)), None);
    worker.stop().await;
}
