//! Schedules: what is due, whenever somebody looks.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    ids::ScheduleId,
    limits::CATCH_UP_RUNS,
    role::Role,
    schedule::{Cadence, CatchUp, Schedule, ScheduleTarget},
};
use proptest::{prelude::*, sample::select};

fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    // 2001 to 2065, in milliseconds.
    (1_000_000_000_000..3_000_000_000_000_i64)
        .prop_map(|ms| DateTime::from_timestamp_millis(ms).unwrap())
}

fn cadence() -> impl Strategy<Value = Cadence> {
    let cron = select(vec![
        ("* * * * *", "UTC"),
        ("*/7 * * * *", "Asia/Kathmandu"),
        ("30 2 * * *", "Europe/Berlin"),
        ("0 9 * * 1-5", "America/New_York"),
        ("15 3 1 * *", "Australia/Lord_Howe"),
    ]);
    prop_oneof![
        // Most are intervals: looking for the slots of a cron expression is slow.
        30 => (1_000..200_000_000_i64).prop_map(|every_ms| Cadence::Interval { every_ms }),
        1 => cron.prop_map(|(expression, timezone)| Cadence::Cron {
            expression: expression.to_owned(),
            timezone: timezone.to_owned(),
        }),
    ]
}

fn schedule(cadence: Cadence, catch_up: CatchUp, next_at: DateTime<Utc>) -> Schedule {
    Schedule {
        id: ScheduleId::new(),
        name: "nightly".to_owned(),
        cadence,
        catch_up,
        target: ScheduleTarget::Roles { roles: vec![Role::Tester], description: "look".to_owned() },
        repository: None,
        base_ref: None,
        enabled: true,
        next_at: Some(next_at),
        last_slot: None,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    }
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn the_next_slot_lies_ahead(cadence in cadence(), now in instant()) {
        let next = cadence.next_after(now).unwrap().unwrap();
        prop_assert!(next > now);
        cadence.validate().unwrap();
        if let Cadence::Interval { every_ms } = cadence {
            prop_assert_eq!(next - now, TimeDelta::milliseconds(every_ms));
        } else {
            // Nothing lies between: who looks again a moment before it finds the same.
            prop_assert_eq!(cadence.next_after(next - TimeDelta::milliseconds(1)).unwrap(), Some(next));
        }
    }

    #[test]
    fn what_is_due_is_past_and_what_comes_next_is_not(
        cadence in cadence(), catch_up in select(CatchUp::ALL), first in instant(), late_ms in -100_000..400_000_000_i64,
    ) {
        let now = first + TimeDelta::milliseconds(late_ms);
        // The first slot is one that the cadence gives.
        let first = match &cadence {
            Cadence::Interval { .. } => first,
            Cadence::Cron { .. } => cadence.next_after(first).unwrap().unwrap(),
        };
        let schedule = schedule(cadence, catch_up, first);
        let due = schedule.due(now).unwrap();
        if first > now {
            prop_assert_eq!((due.slots, due.next_at), (Vec::new(), Some(first)));
            return Ok(());
        }
        prop_assert!(due.slots.iter().all(|slot| first <= *slot && *slot <= now));
        prop_assert!(due.slots.is_sorted_by(|a, b| a < b), "in order, each once");
        prop_assert!(due.slots.len() <= CATCH_UP_RUNS);
        prop_assert!(due.next_at.unwrap() > now);
        // Between the newest slot and the next there is none.
        let newest = match due.slots.last() {
            Some(newest) => *newest,
            None => {
                prop_assert_eq!(catch_up, CatchUp::Skip);
                return Ok(());
            }
        };
        prop_assert_eq!(schedule.cadence.next_after(newest).unwrap(), due.next_at);
        match catch_up {
            CatchUp::Latest => prop_assert_eq!(due.slots.len(), 1),
            CatchUp::Skip => prop_assert!(due.slots.iter().all(|slot| now - *slot <= TimeDelta::seconds(60))),
            CatchUp::All => {
                let all = due.slots.len() == CATCH_UP_RUNS || due.slots[0] == first;
                prop_assert!(all, "one is left out");
            }
        }
    }

    /// However often somebody looks, a slot fires once, and with `All` none is left out.
    #[test]
    fn looking_often_is_looking_once(
        every_ms in 1_000..10_000_i64, first in instant(), looks in prop::collection::vec(0..30_000_i64, 1..12),
    ) {
        let mut schedule = schedule(Cadence::Interval { every_ms }, CatchUp::All, first);
        let (mut now, mut fired) = (first, Vec::new());
        for step in looks {
            now += TimeDelta::milliseconds(step);
            let due = schedule.due(now).unwrap();
            fired.extend(due.slots);
            schedule.next_at = due.next_at;
        }
        let passed = (now - first).num_milliseconds() / every_ms;
        let expected: Vec<_> = (0..=passed).map(|it| first + TimeDelta::milliseconds(it * every_ms)).collect();
        prop_assert_eq!(fired, expected);
    }

    #[test]
    fn a_cadence_that_cannot_be_is_refused(every_ms in prop_oneof![any::<i64>(), 0..2_000_i64]) {
        let cadence = Cadence::Interval { every_ms };
        let can_be = (Cadence::SHORTEST_MS..=Cadence::LONGEST_MS).contains(&every_ms);
        prop_assert_eq!(cadence.validate().is_ok(), can_be);
    }
}
