use super::*;

fn config(arguments: &[&str]) -> Result<Config, clap::Error> {
    Config::try_parse_from([&["scheduler"], arguments].concat())
}

fn settings(arguments: &[&str]) -> Settings {
    let config = config(arguments).unwrap();
    config.scheduler.settings(config.retries.policy())
}

#[test]
fn there_is_a_default_schedule_only_where_one_is_asked_for() {
    let check = |arguments: &[&str], expected: Option<(i64, &[Role])>| {
        let schedule = settings(arguments).default_schedule;
        let actual = schedule.as_ref().map(|it| match (&it.cadence, &it.target) {
            (Cadence::Interval { every_ms }, ScheduleTarget::Roles { roles, .. }) => {
                (*every_ms, roles.as_slice())
            }
            other => panic!("{other:?}"),
        });
        assert_eq!(actual, expected, "{arguments:?}");
    };
    let usual: &[Role] = &[Role::Architect, Role::Implementer, Role::Reviewer];
    check(&[], None);
    check(&["--schedule-description", "alone it asks for nothing"], None);
    check(&["--schedule-interval-ms", "5000"], Some((5_000, usual)));
    check(
        &["--schedule-roles", "tester, tester,reviewer"],
        Some((60_000, &[Role::Tester, Role::Reviewer])),
    );
    check(
        &["--schedule-roles", "tester", "--schedule-interval-ms", "1000"],
        Some((1_000, &[Role::Tester])),
    );
}

#[test]
fn a_wrong_value_is_refused_with_what_is_allowed() {
    let check = |arguments: &[&str], expected: &str| {
        let error = config(arguments).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(&["--schedule-interval-ms", "999"], "1000..=31622400000");
    check(
        &["--schedule-roles", "boss"],
        "use one of architect, implementer, reviewer, tester, maintainer",
    );
    check(&["--retention-days", "0"], "1..=36500");
    check(&["--scheduler-sweep-ms", "9"], "10..=3600000");
}

#[test]
fn what_cannot_work_beside_other_services_is_refused() {
    let alone = config(&["--task-store", "sqlite", "--task-queue", "in-process"]).unwrap().check();
    assert_eq!(alone.len(), 2, "{alone:?}");
    let beside = config(&["--task-store", "postgres", "--task-queue", "rabbitmq"]).unwrap().check();
    assert_eq!(beside, Vec::<String>::new());
}

#[test]
fn zero_minutes_is_no_time_limit() {
    assert_eq!(settings(&["--run-timeout-minutes", "0"]).longest_run, None);
    assert_eq!(
        settings(&["--run-timeout-minutes", "2"]).longest_run,
        Some(Duration::from_secs(120))
    );
}
