//! Whether something grows: the first third of a soak against the last, after a warm-up.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::looks::{Key, Look, What, by_owner};
use crate::figures::rounded;

/// What part of the time does not count: caches fill, pools open their connections.
const WARM_UP: f64 = 0.2;
/// How many times the first third the last one may be, whatever is counted.
const TIMES: f64 = 1.1;

/// Every figure's means.
pub(crate) type Compared = BTreeMap<Key, Thirds>;

/// The means of a figure over the first and the last third of the time that counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Thirds {
    first: f64,
    last: f64,
}

/// What growth is too small to mean anything, beside a part of what there was.
#[derive(Clone, Copy, Debug)]
struct Limit {
    /// The last third has so much more than the first, at most ...
    more: f64,
    /// ... or is not above this.
    high: f64,
}

impl Thirds {
    /// Whether the last is more than all limits allow.
    fn grows(self, limit: Limit) -> bool {
        self.last > self.first * TIMES
            && self.last > self.first + limit.more
            && self.last > limit.high
    }

    fn value(self) -> Value {
        let ratio = if self.first > 0.0 { rounded(self.last / self.first, 3) } else { Value::Null };
        json!({
            "first_third": rounded(self.first, 3),
            "last_third": rounded(self.last, 3),
            "ratio": ratio,
        })
    }
}

/// What a figure is held to; none where it may grow, since nothing is deleted, or says the same as another.
fn limit(what: What) -> Option<Limit> {
    match what {
        What::Rss | What::Private => Some(Limit { more: 8.0, high: 0.0 }),
        What::Descriptors | What::Backends => Some(Limit { more: 5.0, high: 0.0 }),
        // Dead rows come and go with each vacuum; where these keep up, they stay few or do not become more.
        What::DeadPerLive => Some(Limit { more: 0.1, high: 0.5 }),
        // PostgreSQL's buffers are among it, which fill until they have the size that is set; `Private` is without them.
        What::Pss => None,
        // Those for blocking work come and go.
        What::Threads => None,
        What::TableBytes | What::IndexBytes | What::LiveRows | What::DeadRows => None,
        What::TableBytesPerRow | What::IndexBytesPerRow => None,
        What::Created | What::Completed | What::Backlog => None,
    }
}

/// Compares what was seen; nothing, while a third has no look yet.
pub(crate) fn compare(looks: &[Look]) -> Compared {
    let end = looks.last().map_or(0.0, |it| it.at_s);
    let third = end * (1.0 - WARM_UP) / 3.0;
    let early = |it: &&Look| it.at_s >= end * WARM_UP && it.at_s < end - 2.0 * third;
    let first = means(looks.iter().filter(early));
    let last = means(looks.iter().filter(|it| it.at_s > end - third));
    let both = first.into_iter().filter_map(|(key, first)| {
        let last = *last.get(&key)?;
        Some((key, Thirds { first, last }))
    });
    both.collect()
}

fn means<'a>(looks: impl Iterator<Item = &'a Look>) -> BTreeMap<Key, f64> {
    let mut sums: BTreeMap<Key, (f64, f64)> = BTreeMap::new();
    for (key, value) in looks.flat_map(|it| &it.figures) {
        let (sum, count) = sums.entry(*key).or_default();
        *sum += value;
        *count += 1.0;
    }
    sums.into_iter().map(|(key, (sum, count))| (key, sum / count)).collect()
}

/// The names of what grows and should not.
pub(crate) fn not_flat(compared: &Compared) -> Vec<String> {
    let grown = compared
        .iter()
        .filter(|((_, what), thirds)| limit(*what).is_some_and(|limit| thirds.grows(limit)));
    grown.map(|((whose, what), _)| format!("{whose}.{}", what.name())).collect()
}

/// All of it as it is shown and kept.
pub(crate) fn table(compared: &Compared) -> Value {
    Value::Object(by_owner(compared.iter().map(|(key, thirds)| (*key, thirds.value()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half an hour with a look every ten seconds; the value is a function of the part of the time that is over.
    fn soak(what: What, value: impl Fn(f64) -> f64) -> Vec<Look> {
        let look = |index: u32| {
            let figures = BTreeMap::from([(("worker", what), value(f64::from(index) / 180.0))]);
            Look { at_s: f64::from(index) * 10.0, figures }
        };
        (0..=180).map(look).collect()
    }

    #[track_caller]
    fn check(what: What, value: impl Fn(f64) -> f64, flat: bool) {
        let compared = compare(&soak(what, value));
        assert_eq!(not_flat(&compared).is_empty(), flat, "{compared:?}");
    }

    #[test]
    fn memory_grows_where_it_is_more_by_a_tenth_and_by_eight_mib() {
        check(What::Rss, |_| 100.0, true);
        check(What::Rss, |part| 100.0 + 40.0 * part, false);
        check(What::Rss, |part| 10.0 + 12.0 * part, true);
        check(What::Rss, |part| 1000.0 + 100.0 * part, true);
        check(What::Rss, |part| 100.0 - 40.0 * part, true);
        check(What::Private, |part| 40.0 + 40.0 * part, false);
    }

    #[test]
    fn what_happens_while_it_warms_up_does_not_count() {
        check(What::Rss, |part| if part < 0.19 { 20.0 } else { 200.0 }, true);
        check(What::Rss, |part| if part < 0.5 { 20.0 } else { 200.0 }, false);
    }

    #[test]
    fn a_wave_is_no_growth() {
        let wave = |part: f64| 100.0 + 50.0 * (part * 180.0).sin();
        check(What::Rss, wave, true);
        check(What::Rss, |part| wave(part) + 60.0 * part, false);
    }

    #[test]
    fn descriptors_and_connections_grow_by_more_than_five() {
        for what in [What::Descriptors, What::Backends] {
            check(what, |part| 20.0 + 6.0 * part, true);
            check(what, |part| 20.0 + 20.0 * part, false);
            check(what, |part| 400.0 + 30.0 * part, true);
        }
    }

    #[test]
    fn dead_rows_count_when_they_are_many_and_become_more() {
        check(What::DeadPerLive, |part| 0.4 * part, true);
        check(What::DeadPerLive, |_| 0.9, true);
        check(What::DeadPerLive, |part| 0.4 + 0.4 * part, false);
    }

    #[test]
    fn what_may_grow_is_compared_and_not_judged() {
        check(What::TableBytes, |part| 1e9 * part, true);
        check(What::Pss, |part| 2000.0 * part, true);
        check(What::Created, |part| 1e6 * part, true);
    }

    #[test]
    fn a_figure_has_the_means_of_its_thirds_and_their_ratio() {
        let value = |part: f64| match part {
            it if it < 0.2 => 7.0,
            it if it < 0.48 => 10.0,
            it if it < 0.72 => 99.0,
            _ => 15.0,
        };
        let looks = soak(What::Descriptors, value);
        let compared = compare(&looks);
        let expected = json!({ "worker": { "descriptors": {
            "first_third": 10.0, "last_third": 15.0, "ratio": 1.5
        } } });
        assert_eq!(table(&compared), expected);
        assert_eq!(not_flat(&compared), Vec::<String>::new());
    }

    #[test]
    fn what_was_not_seen_long_enough_is_not_compared() {
        assert_eq!(compare(&[]), Compared::new());
        assert_eq!(compare(&soak(What::Rss, |_| 1.0)[..1]), Compared::new());
    }

    #[test]
    fn a_minute_has_a_look_in_each_third() {
        let compared = compare(&soak(What::Rss, |_| 1.0)[..6]);
        assert_eq!(compared[&("worker", What::Rss)], Thirds { first: 1.0, last: 1.0 });
    }
}
