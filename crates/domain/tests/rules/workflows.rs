//! Workflows: whatever the agents say, a run comes to an end.

use chrono::DateTime;
use domain::{
    ids::{RunId, TaskId},
    limits::MAX_ROUNDS,
    outputs::{Decision, Disposal, Plan, Review, Subtask, Verdict},
    role::Role,
    run::{Budget, RunFacts, RunStatus},
    task::{ClaimedTask, Priority, TaskKind, Usage},
    workflow::{
        StepOutput, Workflow, after,
        grow::{Implemented, Refusal},
    },
};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

/// A task that a worker holds.
pub(crate) fn claimed(
    workflow: Workflow,
    kind: TaskKind,
    payload: Value,
    max_rounds: Option<i32>,
) -> ClaimedTask {
    ClaimedTask {
        id: TaskId::new(),
        run_id: RunId::new(),
        role: Role::Architect,
        kind,
        description: "greet".to_owned(),
        payload,
        priority: Priority::BUG,
        attempt: 1,
        max_attempts: 4,
        fence: 1,
        created_at: DateTime::UNIX_EPOCH,
        queued_at: DateTime::UNIX_EPOCH,
        claimed_at: DateTime::UNIX_EPOCH,
        run: RunFacts {
            workflow,
            goal: "greet".to_owned(),
            repository: Some("o/r".to_owned()),
            base_ref: None,
            base_commit: None,
            branch: None,
            head_commit: None,
            budget: Budget { max_rounds, ..Budget::default() },
            usage: Usage::default(),
        },
    }
}

/// What the agents are about to say, whichever of them is asked.
#[derive(Clone, Debug)]
struct Mood {
    subtasks: usize,
    refused: bool,
    verdict: Verdict,
    disposal: Disposal,
}

fn mood() -> impl Strategy<Value = Mood> {
    (0..4_usize, any::<bool>(), select(Verdict::ALL), select(Disposal::ALL)).prop_map(
        |(subtasks, refused, verdict, disposal)| Mood { subtasks, refused, verdict, disposal },
    )
}

fn plan(subtasks: usize) -> Plan {
    let subtask = Subtask {
        title: "say hello".to_owned(),
        description: "write hello.txt".to_owned(),
        scope_paths: Vec::new(),
        depends_on: Vec::new(),
        acceptance: Vec::new(),
    };
    Plan {
        summary: "greet".to_owned(),
        subtasks: vec![subtask; subtasks],
        risks: Vec::new(),
        needs_human: false,
    }
}

fn answer(kind: TaskKind, mood: &Mood) -> StepOutput {
    match kind {
        TaskKind::Single => StepOutput::Single,
        TaskKind::Test => StepOutput::Test,
        TaskKind::Plan => StepOutput::Plan(plan(mood.subtasks)),
        TaskKind::Implement if mood.refused => StepOutput::Refused(vec![Refusal {
            path: "../x".to_owned(),
            reason: "leaves the repository".to_owned(),
        }]),
        TaskKind::Implement => StepOutput::Implement(Implemented {
            commit: "c0ffee".to_owned(),
            branch: "orchestrator/x".to_owned(),
            summary: "hello".to_owned(),
            files: Vec::new(),
        }),
        TaskKind::Review => StepOutput::Review(Review {
            verdict: mood.verdict,
            summary: "hm".to_owned(),
            comments: Vec::new(),
        }),
        TaskKind::Decide => {
            StepOutput::Decide(Decision { decision: mood.disposal, reasons: Vec::new() })
        }
    }
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn a_run_of_the_team_ends(moods in vec(mood(), 20), rounds in prop::option::of(-3..9_i32)) {
        let allowed = rounds.map_or(MAX_ROUNDS, |it| it.clamp(1, MAX_ROUNDS));
        let mut task = claimed(Workflow::Grow, TaskKind::Plan, json!({}), rounds);
        let (mut implemented, mut last) = (0, 0);
        for mood in &moods {
            let output = answer(task.kind, mood);
            let next = after(&task, &output).unwrap();
            // One task follows, or the run ends: never neither, never both.
            prop_assert_eq!(next.follow_ups.len() + usize::from(next.end.is_some()), 1);
            if let Some(end) = next.end {
                let good = match task.kind {
                    TaskKind::Plan => mood.subtasks == 0,
                    TaskKind::Decide => mood.disposal != Disposal::Reject,
                    TaskKind::Single | TaskKind::Implement | TaskKind::Review | TaskKind::Test => false,
                };
                let expected = if good { RunStatus::Completed } else { RunStatus::Failed };
                prop_assert_eq!(end.status, expected);
                prop_assert!(implemented <= allowed);
                return Ok(());
            }
            let follow_up = next.follow_ups.into_iter().next().unwrap();
            let expected = match (task.kind, mood) {
                (TaskKind::Plan, _) => TaskKind::Implement,
                (TaskKind::Implement, Mood { refused: true, .. }) => TaskKind::Implement,
                (TaskKind::Implement, _) => TaskKind::Review,
                (TaskKind::Review, Mood { verdict: Verdict::Approve, .. }) => TaskKind::Decide,
                (TaskKind::Review, _) => TaskKind::Implement,
                (kind @ (TaskKind::Single | TaskKind::Test | TaskKind::Decide), _) => panic!("after {kind}"),
            };
            prop_assert_eq!(follow_up.kind, expected);
            prop_assert_eq!(follow_up.priority, task.priority);
            prop_assert!(follow_up.dispatch && follow_up.depends_on.is_empty());
            if follow_up.kind == TaskKind::Implement {
                implemented += 1;
                let round = follow_up.payload["round"].as_i64().unwrap();
                prop_assert_eq!(round, last + 1, "rounds are counted one by one");
                last = round;
            }
            let facts = ClaimedTask { role: follow_up.role, ..task };
            task = ClaimedTask { kind: follow_up.kind, payload: follow_up.payload, ..facts };
        }
        prop_assert!(false, "after twenty steps it has not ended");
    }

    #[test]
    fn nothing_follows_a_task_by_itself(mood in mood(), kind in select(TaskKind::ALL)) {
        let task = claimed(Workflow::Single, kind, json!({}), None);
        let next = after(&task, &answer(kind, &mood)).unwrap();
        prop_assert!(next.follow_ups.is_empty() && next.end.is_none());
    }
}
