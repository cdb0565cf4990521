//! The statuses of tasks and runs.

use domain::{
    role::Role,
    run::{RunStatus, TaskCounts},
    task::{NewTask, TaskKind, TaskStatus},
};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};

fn status() -> impl Strategy<Value = TaskStatus> {
    select(TaskStatus::ALL)
}

fn counts(tasks: &[TaskStatus]) -> TaskCounts {
    let mut counts = TaskCounts::default();
    for status in tasks {
        counts.add(*status, 1);
    }
    counts
}

proptest! {
    #![proptest_config(crate::cases())]

    /// A walk along the allowed steps, wherever they lead.
    #[test]
    fn a_task_lives_by_the_rules(choices in vec(any::<Index>(), 1..30)) {
        let mut at = TaskStatus::Pending;
        let mut ended = false;
        for choice in choices {
            let next: Vec<_> = TaskStatus::ALL.iter().filter(|it| at.may_become(**it)).collect();
            prop_assert_eq!(next.is_empty(), at == TaskStatus::Completed, "only that is the end: {}", at);
            if next.is_empty() {
                break;
            }
            let to = *next[choice.index(next.len())];
            // Nothing runs that was not queued, and nothing completes that did not run or wait.
            prop_assert!(to != TaskStatus::Running || at == TaskStatus::Queued);
            let worked_on = matches!(at, TaskStatus::Running | TaskStatus::Waiting);
            prop_assert!(!matches!(to, TaskStatus::Completed | TaskStatus::Failed) || worked_on);
            // What has ended begins anew from the start, and only by itself.
            prop_assert!(!at.is_final() || matches!(to, TaskStatus::Pending | TaskStatus::Queued));
            // Whatever is live may be cancelled.
            prop_assert!(at.is_final() || at.may_become(TaskStatus::Cancelled));
            ended |= at.is_final();
            at = to;
        }
        prop_assert!(TaskStatus::LIVE.contains(&at) != at.is_final() || ended);
    }

    #[test]
    fn a_status_is_live_or_final_and_never_becomes_itself(status in status()) {
        prop_assert_ne!(TaskStatus::LIVE.contains(&status), status.is_final());
        prop_assert!(!status.may_become(status));
        prop_assert_eq!(status.name().parse(), Ok(status));
    }

    /// As a table of questions, each asked only where those before it were answered with no.
    #[test]
    fn a_run_is_what_its_tasks_make_of_it(tasks in vec(status(), 0..12)) {
        let has = |wanted: &[TaskStatus]| tasks.iter().any(|it| wanted.contains(it));
        let expected = if has(&[TaskStatus::Running, TaskStatus::Retrying]) {
            RunStatus::Running
        } else if has(&[TaskStatus::Queued, TaskStatus::Pending]) {
            if has(&[TaskStatus::Completed, TaskStatus::Waiting]) { RunStatus::Running } else { RunStatus::Queued }
        } else if has(&[TaskStatus::Waiting]) {
            RunStatus::Waiting
        } else if has(&[TaskStatus::Failed]) {
            RunStatus::Failed
        } else if tasks.is_empty() || has(&[TaskStatus::Completed]) {
            RunStatus::Completed
        } else {
            RunStatus::Cancelled
        };
        prop_assert_eq!(RunStatus::derive(&counts(&tasks)), expected);
    }

    #[test]
    fn a_run_has_ended_when_none_of_its_tasks_lives(tasks in vec(status(), 0..12)) {
        let counts = counts(&tasks);
        let status = RunStatus::derive(&counts);
        prop_assert_eq!(status.is_final(), counts.live() == 0);
        prop_assert_eq!(RunStatus::LIVE.contains(&status), counts.live() > 0);
        // Nobody but a person pauses a run.
        prop_assert_ne!(status, RunStatus::Paused);
    }

    /// Neither their order nor how many of a kind there are makes a difference.
    #[test]
    fn a_run_does_not_count(tasks in vec(status(), 1..8), times in 1..5_i64) {
        let mut many = TaskCounts::default();
        for status in tasks.iter().rev() {
            many.add(*status, times);
        }
        prop_assert_eq!(RunStatus::derive(&many), RunStatus::derive(&counts(&tasks)));
    }

    /// A step of one task never makes a run that lives end, unless that task ends.
    #[test]
    fn only_an_end_ends_a_run(mut tasks in vec(status(), 1..8), which: Index, choice: Index) {
        let index = which.index(tasks.len());
        let next: Vec<_> = TaskStatus::ALL.iter().filter(|it| tasks[index].may_become(**it)).collect();
        if next.is_empty() {
            return Ok(());
        }
        let to = *next[choice.index(next.len())];
        let before = RunStatus::derive(&counts(&tasks));
        tasks[index] = to;
        let after = RunStatus::derive(&counts(&tasks));
        prop_assert!(before.is_final() || !after.is_final() || to.is_final());
        prop_assert!(!after.is_final() || to.is_final(), "a live task in a run that has ended");
    }

    #[test]
    fn a_task_waits_for_a_dispatch_and_for_others(dispatch: bool, others in 0..4_usize) {
        let mut task = NewTask::new(Role::Tester, TaskKind::Single, "look");
        task.dispatch = dispatch;
        task.depends_on = (0..others).map(|_| domain::ids::TaskId::new()).collect();
        let free = dispatch && others == 0;
        let expected = if free { TaskStatus::Queued } else { TaskStatus::Pending };
        prop_assert_eq!(task.first_status(), expected);
    }
}
