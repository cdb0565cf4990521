//! Schedules: a time zone, a line, and a cron expression or a number of milliseconds.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    ids::ScheduleId,
    limits::CATCH_UP_RUNS,
    role::Role,
    schedule::{Cadence, CatchUp, Schedule, ScheduleTarget},
};

use crate::line;

/// Instants, in seconds, at which something is special: the epoch, both changes of clocks in Europe and America, a leap
/// day, and what is far away.
const INSTANTS: [i64; 9] = [
    0,
    1_774_745_940,
    1_792_889_940,
    1_772_953_140,
    1_793_511_540,
    1_709_164_799,
    1_763_800_000,
    4_102_444_799,
    32_503_679_999,
];

/// Slots lie in the future and in order; what is due is bounded, past, and not due again.
pub(super) fn check(input: &[u8]) {
    let (timezone, expression) = line(input);
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let expression = text(expression);
    let cadence = match expression.trim().parse() {
        Ok(every_ms) => Cadence::Interval { every_ms },
        Err(_not_a_number) => Cadence::Cron { expression, timezone: text(timezone) },
    };
    if let Err(refused) = cadence.validate() {
        assert!(refused.to_string().contains('`'), "it names a field: {refused}");
        return;
    }
    let written = serde_json::to_string(&cadence).expect("it can be written");
    assert_eq!(serde_json::from_str::<Cadence>(&written).expect("and read"), cadence);
    for seconds in INSTANTS {
        let instant = DateTime::from_timestamp(seconds, 0).expect("an instant");
        let Some(first) = slot_after(&cadence, instant) else { continue };
        slot_after(&cadence, first);
        for catch_up in [CatchUp::Skip, CatchUp::Latest, CatchUp::All] {
            check_due(&cadence, catch_up, first, first + TimeDelta::minutes(3));
        }
    }
}

fn slot_after(cadence: &Cadence, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let slot = cadence.next_after(instant).expect("it was validated")?;
    assert!(slot > instant, "{cadence:?}: {slot} is not after {instant}");
    Some(slot)
}

fn check_due(cadence: &Cadence, catch_up: CatchUp, first: DateTime<Utc>, now: DateTime<Utc>) {
    let schedule = schedule(cadence.clone(), catch_up, first);
    let due = schedule.due(now).expect("it was validated");
    let most = if catch_up == CatchUp::Latest { 1 } else { CATCH_UP_RUNS };
    assert!(due.slots.len() <= most, "{cadence:?}: {} slots", due.slots.len());
    assert!(due.slots.is_sorted_by(|one, next| one < next), "{cadence:?}: {:?}", due.slots);
    assert!(due.slots.iter().all(|slot| (first..=now).contains(slot)), "{cadence:?}");
    assert!(due.next_at.is_none_or(|next| next > now), "{cadence:?}: {:?}", due.next_at);
}

fn schedule(cadence: Cadence, catch_up: CatchUp, first: DateTime<Utc>) -> Schedule {
    Schedule {
        id: ScheduleId::new(),
        name: "a schedule".to_owned(),
        cadence,
        catch_up,
        target: ScheduleTarget::Roles { roles: vec![Role::Tester], description: "x".to_owned() },
        repository: None,
        base_ref: None,
        enabled: true,
        next_at: Some(first),
        last_slot: None,
        created_at: first,
        updated_at: first,
    }
}
