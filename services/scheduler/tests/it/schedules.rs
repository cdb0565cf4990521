//! Schedules: each slot fires once, however many schedulers there are.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    ids::ScheduleId,
    role::Role,
    schedule::{Cadence, CatchUp, NewSchedule, Schedule, ScheduleTarget},
    trigger::Source,
};
use store::{PageRequest, Store, runs::RunFilter, schedules::ScheduleWritten};
use testkit::{TestStore, eventually, on_both_stores};

use crate::bench::{Bench, config, hasty, heard};

fn every_second(name: String) -> NewSchedule {
    NewSchedule {
        name,
        cadence: Cadence::Interval { every_ms: 1_000 },
        catch_up: CatchUp::All,
        target: ScheduleTarget::Roles { roles: vec![Role::Tester], description: "look".to_owned() },
        repository: None,
        base_ref: None,
        enabled: true,
    }
}

async fn make(store: &Store, schedule: NewSchedule) -> Schedule {
    let written = store.create_schedule(schedule).await.unwrap();
    let ScheduleWritten::Done(schedule) = written else { panic!("{written:?}") };
    *schedule
}

/// The slots of every schedule that fired, in their order, repeated ones included.
async fn fired(store: &Store) -> BTreeMap<ScheduleId, Vec<DateTime<Utc>>> {
    let mut slots: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut page = PageRequest { after: None, limit: 200 };
    loop {
        let runs = store.list_runs(RunFilter::default(), page.clone()).await.unwrap();
        for run in runs.items {
            let Source::Schedule { schedule_id, slot } = run.source else {
                panic!("{:?}", run.source)
            };
            slots.entry(schedule_id).or_default().push(slot);
        }
        let Some(next) = runs.next else { break };
        page.after = Some(next);
    }
    slots.values_mut().for_each(|slots| slots.sort_unstable());
    slots
}

/// Asserts that no slot fired twice and that none was left out.
fn assert_once_each(slots: &[DateTime<Utc>]) {
    for pair in slots.windows(2) {
        assert_eq!(pair[1] - pair[0], TimeDelta::milliseconds(1_000), "{slots:?}");
    }
}

on_both_stores!(two_schedulers_fire_each_slot_once, |test: TestStore| async move {
    for number in 0..40 {
        make(&test.store, every_second(format!("schedule {number}"))).await;
    }
    let _both =
        [Bench::start(&test.store, hasty()).await, Bench::start(&test.store, hasty()).await];
    let slots = eventually("every schedule has fired twice", || async {
        let slots = fired(&test.store).await;
        (slots.len() == 40 && slots.values().all(|it| it.len() >= 2)).then_some(slots)
    })
    .await;
    slots.values().for_each(|slots| assert_once_each(slots));
});

/// A thousand slots that passed while nobody looked.
#[tokio::test(flavor = "multi_thread")]
async fn three_schedulers_catch_up_a_thousand_slots_once_each() {
    let test = TestStore::postgres().await;
    for number in 0..20 {
        make(&test.store, every_second(format!("schedule {number}"))).await;
    }
    test.sql("UPDATE schedules SET next_at = now() - interval '50 seconds'").await;
    let mut benches = Vec::new();
    for _ in 0..3 {
        benches.push(Bench::start(&test.store, hasty()).await);
    }
    eventually("every schedule has caught up", || async {
        let schedules = test.store.list_schedules().await.unwrap();
        let now = Utc::now();
        schedules.iter().all(|it| it.next_at.is_some_and(|next| next > now)).then_some(())
    })
    .await;
    let slots = fired(&test.store).await;
    assert_eq!(slots.len(), 20);
    assert!(slots.values().map(Vec::len).sum::<usize>() >= 1_000, "{slots:?}");
    slots.values().for_each(|slots| assert_once_each(slots));
}

on_both_stores!(
    the_schedule_of_the_settings_is_made_once_and_its_tasks_are_announced,
    |test: TestStore| async move {
        let asked = config(&[
            "--schedule-interval-ms=1000",
            "--schedule-roles=tester",
            "--schedule-description=look",
        ]);
        let mut settings = hasty();
        settings.default_schedule =
            asked.scheduler.settings(asked.retries.policy()).default_schedule;
        let both = [
            Bench::start(&test.store, settings.clone()).await,
            Bench::start(&test.store, settings).await,
        ];
        let schedule = eventually("the schedule is there", || async {
            let mut schedules = test.store.list_schedules().await.unwrap();
            assert!(schedules.len() <= 1, "{schedules:?}");
            schedules.pop()
        })
        .await;
        assert_eq!(
            (schedule.name.as_str(), schedule.cadence),
            ("default", Cadence::Interval { every_ms: 1_000 })
        );

        // One of the two fires the first slot and announces its task.
        let (mut one, mut other) = (both[0].listen().await, both[1].listen().await);
        let id = tokio::select! {
            id = heard(&mut one) => id,
            id = heard(&mut other) => id,
        };
        let task = test.store.find_task(id).await.unwrap().unwrap();
        assert_eq!((task.role, task.description.as_str()), (Role::Tester, "look"));
    }
);

on_both_stores!(without_a_wish_there_is_no_default_schedule, |test: TestStore| async move {
    let bench = Bench::start(&test.store, hasty()).await;
    make(&test.store, every_second("mine".to_owned())).await;
    // When the other loops have worked for a second, the default schedule would be there.
    heard(&mut bench.listen().await).await;
    let names: Vec<_> =
        test.store.list_schedules().await.unwrap().into_iter().map(|it| it.name).collect();
    assert_eq!(names, ["mine"]);
});
