use domain::{
    role::Role,
    schedule::{Cadence, CatchUp, NewSchedule, ScheduleTarget},
};
use testkit::{TestStore, on_both_stores};

use store::{
    PageRequest,
    runs::RunFilter,
    schedules::{Firings, ScheduleWritten},
};

fn every_second(name: &str) -> NewSchedule {
    NewSchedule {
        name: name.to_owned(),
        cadence: Cadence::Interval { every_ms: 1_000 },
        catch_up: CatchUp::All,
        target: ScheduleTarget::Roles {
            roles: vec![Role::Architect, Role::Tester],
            description: "look around".to_owned(),
        },
        repository: None,
        base_ref: None,
        enabled: true,
    }
}

on_both_stores!(a_slot_fires_once_however_many_look, |test: TestStore| async move {
    let store = &test.store;
    store.create_schedule(every_second("often")).await.unwrap();
    let mut fired = Vec::new();
    testkit::eventually("two slots fire", || {
        let looks: Vec<_> = (0..4)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.fire_due_schedules(10).await.unwrap() })
            })
            .collect();
        async move {
            let mut all = Vec::new();
            for look in looks {
                let Firings { fired, announce, .. } = look.await.unwrap();
                assert_eq!(announce.len(), fired.len() * 2);
                all.extend(fired);
            }
            Some(all).filter(|fired| !fired.is_empty())
        }
    })
    .await
    .into_iter()
    .for_each(|firing| fired.push(firing.slot));
    let runs = store
        .list_runs(RunFilter::default(), PageRequest { after: None, limit: 50 })
        .await
        .unwrap()
        .items;
    assert_eq!(runs.len(), fired.len());
    assert_eq!(store.tasks_of_run(runs[0].id).await.unwrap().len(), 2);
});

on_both_stores!(a_schedule_is_written_changed_and_removed, |test: TestStore| async move {
    let store = &test.store;
    let ScheduleWritten::Done(schedule) = store.create_schedule(every_second("a")).await.unwrap()
    else {
        panic!("the name is free");
    };
    assert_eq!(store.create_schedule(every_second("a")).await.unwrap(), ScheduleWritten::NameTaken);
    store.create_schedule(every_second("b")).await.unwrap();
    assert_eq!(
        store.update_schedule(schedule.id, every_second("b")).await.unwrap(),
        ScheduleWritten::NameTaken
    );
    let mut off = every_second("c");
    off.enabled = false;
    let ScheduleWritten::Done(changed) = store.update_schedule(schedule.id, off).await.unwrap()
    else {
        panic!("the schedule is there");
    };
    assert_eq!((changed.name.as_str(), changed.next_at), ("c", None));
    assert_eq!(store.list_schedules().await.unwrap().len(), 2);
    let triggered = store.trigger_schedule(schedule.id).await.unwrap().unwrap();
    assert_eq!((triggered.fired.len(), triggered.announce.len()), (1, 2));
    assert!(store.delete_schedule(schedule.id).await.unwrap());
    assert!(!store.delete_schedule(schedule.id).await.unwrap());
    assert_eq!(store.trigger_schedule(schedule.id).await.unwrap().map(|it| it.fired.len()), None);
});

on_both_stores!(the_default_schedule_keeps_its_next_slot, |test: TestStore| async move {
    let ScheduleWritten::Done(first) =
        test.store.ensure_schedule(every_second("default")).await.unwrap()
    else {
        panic!("it is written");
    };
    let again = test.store.ensure_schedule(every_second("default")).await.unwrap();
    assert_eq!(again, ScheduleWritten::Done(first.clone()));
    let mut hourly = every_second("default");
    hourly.cadence = Cadence::Interval { every_ms: 3_600_000 };
    let ScheduleWritten::Done(changed) = test.store.ensure_schedule(hourly).await.unwrap() else {
        panic!("it is written");
    };
    assert_eq!(changed.id, first.id);
    assert!(changed.next_at > first.next_at);
});
