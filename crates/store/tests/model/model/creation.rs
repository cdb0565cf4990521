//! Creation, and what makes it happen once.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    history::EventKind,
    ids::{RunId, TaskId},
    run::{NewRun, RunStatus},
    task::{NewTask, TaskStatus},
};
use store::runs::{Creation, Guard};

use super::{Deadline, Model, Run, Task};
use crate::request::sorted;

impl Model {
    pub(super) fn create(&mut self, creation: &Creation) -> String {
        let ids = made(creation);
        if let Guard::Idempotency { principal, key, fingerprint } = &creation.guard
            && let Some((known, answer)) = self.keys.get(&(principal.clone(), key.clone()))
        {
            // Whatever has become of it since.
            let same = known == fingerprint;
            return if same { format!("replayed {answer}") } else { "key reused".to_owned() };
        }
        if let Some(obstacle) = self.obstacle(creation) {
            return obstacle;
        }
        if let Guard::Delivery(delivery) = &creation.guard
            && self.deliveries.contains(&delivery.id)
        {
            return "duplicate".to_owned();
        }
        let run_there = |run: &NewRun| self.runs.contains_key(&run.id);
        if creation.runs.iter().any(run_there)
            || tasks_of(creation).any(|(_, task)| self.tasks.contains_key(&task.id))
        {
            return "conflict".to_owned();
        }
        match &creation.guard {
            Guard::Idempotency { principal, key, fingerprint } => {
                let answer = (fingerprint.clone(), ids.clone());
                self.keys.insert((principal.clone(), key.clone()), answer);
            }
            Guard::Delivery(delivery) => drop(self.deliveries.insert(delivery.id.clone())),
            Guard::None | Guard::Redelivery { .. } | Guard::Slot { .. } => {}
        }
        self.make(creation);
        format!("new {ids}")
    }

    fn make(&mut self, creation: &Creation) {
        for run in &creation.runs {
            let deadline = match run.budget.max_minutes {
                None => Deadline::None,
                Some(0) => Deadline::AtOnce,
                Some(_) => Deadline::InHours,
            };
            let status = RunStatus::Queued;
            let row = Run { status, started: false, deadline, outcome: false, requests: 0 };
            self.runs.insert(run.id, row);
            self.tell_of_run(run.id, EventKind::RunCreated);
        }
        let all: Vec<(RunId, NewTask)> =
            tasks_of(creation).map(|(run, task)| (run, task.clone())).collect();
        let queued: Vec<TaskId> =
            all.iter().filter_map(|(run, task)| self.insert(*run, task)).collect();
        for id in queued {
            self.announce(id);
        }
        for (_, task) in all {
            if !task.depends_on.is_empty() && self.is_ready(task.id) {
                // All that it depends on had completed before.
                self.queue_and_announce(task.id);
            }
        }
    }

    /// Makes a task; gives back its id if it is queued at once.
    pub(super) fn insert(&mut self, run: RunId, new: &NewTask) -> Option<TaskId> {
        let free = new.dispatch && new.depends_on.is_empty() && !self.is_paused(run);
        let task = Task {
            run,
            needs: new.depends_on.iter().copied().collect(),
            status: if free { TaskStatus::Queued } else { TaskStatus::Pending },
            role: new.role,
            priority: new.priority.get(),
            dispatched: new.dispatch,
            attempt: 0,
            max_attempts: new.max_attempts,
            fence: 0,
            lease: None,
            due: false,
            error: None,
            reason: None,
            letter: false,
            requests: 0,
            metadata: None,
            created: self.tick,
            queued: self.tick,
        };
        self.tasks.insert(new.id, task);
        self.tell(new.id, EventKind::TaskCreated, 0);
        free.then_some(new.id)
    }

    fn obstacle(&self, creation: &Creation) -> Option<String> {
        for added in &creation.tasks {
            match self.runs.get(&added.run_id).map(|run| run.status) {
                None => return Some("run missing".to_owned()),
                Some(status) if status.is_final() => return Some(format!("run {status}")),
                Some(_) => {}
            }
        }
        let bad = Some("bad dependency".to_owned());
        let new: BTreeMap<TaskId, (RunId, &NewTask)> =
            tasks_of(creation).map(|(run, task)| (task.id, (run, task))).collect();
        for (run, task) in new.values() {
            for on in &task.depends_on {
                let old = self.tasks.get(on).filter(|_| !new.contains_key(on));
                let hopeless = old.is_some_and(|it| {
                    matches!(it.status, TaskStatus::Failed | TaskStatus::Cancelled)
                });
                let place = new.get(on).map(|(run, _)| *run).or(old.map(|it| it.run));
                if *on == task.id || place != Some(*run) || hopeless {
                    return bad;
                }
            }
        }
        // Take away what waits for nothing new until nothing is left; what stays is a circle.
        let mut left: BTreeSet<TaskId> = new.keys().copied().collect();
        loop {
            let free = |id: &TaskId| !new[id].1.depends_on.iter().any(|on| left.contains(on));
            let gone: Vec<TaskId> = left.iter().copied().filter(free).collect();
            if gone.is_empty() {
                return if left.is_empty() { None } else { bad };
            }
            left.retain(|id| !gone.contains(id));
        }
    }
}

fn tasks_of(creation: &Creation) -> impl Iterator<Item = (RunId, &NewTask)> {
    let own = creation.runs.iter().flat_map(|run| run.tasks.iter().map(|task| (run.id, task)));
    own.chain(creation.tasks.iter().map(|added| (added.run_id, &added.task)))
}

fn made(creation: &Creation) -> String {
    let runs = sorted(creation.runs.iter().map(|run| run.id));
    format!("{runs}: {}", sorted(tasks_of(creation).map(|(_, task)| task.id)))
}
