use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn schedule(cadence: Cadence, catch_up: CatchUp, next_at: &str) -> Schedule {
    Schedule {
        id: ScheduleId::new(),
        name: "nightly".to_owned(),
        cadence,
        catch_up,
        target: ScheduleTarget::Roles { roles: vec![Role::Tester], description: "look".to_owned() },
        repository: None,
        base_ref: None,
        enabled: true,
        next_at: Some(at(next_at)),
        last_slot: None,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    }
}

#[track_caller]
fn check(catch_up: CatchUp, now: &str, slots: &[&str], next: &str) {
    let hourly = Cadence::Interval { every_ms: 3_600_000 };
    let due = schedule(hourly, catch_up, "2026-01-01T00:00:00Z").due(at(now)).unwrap();
    let expected =
        Due { slots: slots.iter().map(|slot| at(slot)).collect(), next_at: Some(at(next)) };
    assert_eq!(due, expected);
}

#[test]
fn nothing_is_due_before_its_slot() {
    check(CatchUp::All, "2025-12-31T23:59:59Z", &[], "2026-01-01T00:00:00Z");
}

#[test]
fn missed_slots_follow_the_policy() {
    let now = "2026-01-01T02:30:00Z";
    let all = ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z"];
    check(CatchUp::All, now, &all, "2026-01-01T03:00:00Z");
    check(CatchUp::Latest, now, &all[2..], "2026-01-01T03:00:00Z");
    check(CatchUp::Skip, now, &[], "2026-01-01T03:00:00Z");
    check(CatchUp::Skip, "2026-01-01T02:00:30Z", &all[2..], "2026-01-01T03:00:00Z");
}

#[test]
fn a_long_gap_is_jumped_over_and_bounded() {
    let every_second = Cadence::Interval { every_ms: 1_000 };
    let stale = schedule(every_second, CatchUp::All, "2020-01-01T00:00:00Z");
    let due = stale.due(at("2026-01-01T00:00:00Z")).unwrap();
    assert_eq!(due.slots.len(), CATCH_UP_RUNS);
    assert_eq!(due.slots.last(), Some(&at("2026-01-01T00:00:00Z")));
    assert_eq!(due.next_at, Some(at("2026-01-01T00:00:01Z")));
}

#[test]
fn cron_keeps_local_time_over_a_clock_change() {
    let cadence =
        Cadence::Cron { expression: "30 9 * * *".to_owned(), timezone: "Europe/Berlin".to_owned() };
    let before = cadence.next_after(at("2026-03-28T00:00:00Z")).unwrap();
    let after = cadence.next_after(at("2026-03-29T00:00:00Z")).unwrap();
    assert_eq!(before, Some(at("2026-03-28T08:30:00Z")));
    assert_eq!(after, Some(at("2026-03-29T07:30:00Z")));
}

#[test]
fn a_bad_cadence_says_what_is_wrong() {
    let cases = [
        (Cadence::Interval { every_ms: 0 }, "`everyMs` is 0: use at least 1000"),
        (
            Cadence::Cron { expression: "* * * * *".to_owned(), timezone: "Mars/Base".to_owned() },
            "`timezone` `Mars/Base` is not an IANA time zone, such as `Europe/Berlin`",
        ),
    ];
    for (cadence, expected) in cases {
        assert_eq!(cadence.validate().unwrap_err().to_string(), expected);
    }
    let nonsense = Cadence::Cron { expression: "soon".to_owned(), timezone: "UTC".to_owned() };
    let never = Cadence::Cron { expression: "0 0 30 2 *".to_owned(), timezone: "UTC".to_owned() };
    let told = never.validate().unwrap_err().to_string();
    assert_eq!(told, "`expression` `0 0 30 2 *` names a day that never comes");
    assert!(nonsense.validate().unwrap_err().to_string().starts_with("`expression` `soon`"));
}

#[test]
fn a_cron_that_was_missed_for_a_year_is_looked_at_in_no_time() {
    let every_second =
        Cadence::Cron { expression: "* * * * * *".to_owned(), timezone: "UTC".to_owned() };
    let now = at("2026-01-01T00:00:00.5Z");
    for (catch_up, count) in
        [(CatchUp::All, CATCH_UP_RUNS), (CatchUp::Latest, 1), (CatchUp::Skip, 60)]
    {
        let stale = schedule(every_second.clone(), catch_up, "2025-01-01T00:00:00Z");
        let due = stale.due(now).unwrap();
        assert_eq!(due.slots.len(), count, "{catch_up}");
        assert_eq!(due.slots.last(), Some(&at("2026-01-01T00:00:00Z")), "{catch_up}");
        assert_eq!(due.next_at, Some(at("2026-01-01T00:00:01Z")), "{catch_up}");
    }
}
