//! Which deliveries of a channel are unsettled, and the fewest commands to settle some of them.

use std::collections::BTreeSet;

use crate::Disposition;

/// The tags of unsettled deliveries. The broker numbers the deliveries of a channel from 1 upwards.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    tags: BTreeSet<u64>,
}

/// One `basic.ack` or `basic.nack`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) tag: u64,
    /// Whether it is meant for all unsettled deliveries up to this tag.
    pub(super) multiple: bool,
    pub(super) disposition: Disposition,
    /// How many deliveries it settles.
    pub(super) count: usize,
}

impl Outstanding {
    pub(super) fn add(&mut self, tag: u64) {
        self.tags.insert(tag);
    }

    /// Settles deliveries and returns how to say so. What is not outstanding is left out.
    ///
    /// As long as the lowest unsettled deliveries are among them, one command settles a whole run of the same
    /// disposition; the others need one each, since a command for many would settle also those in between.
    pub(super) fn settle(&mut self, mut settled: Vec<(u64, Disposition)>) -> Vec<Command> {
        settled.sort_unstable_by_key(|(tag, _)| *tag);
        let mut commands: Vec<Command> = Vec::new();
        let mut lowest_gone = true;
        for (tag, disposition) in settled {
            lowest_gone = lowest_gone && self.tags.first() == Some(&tag);
            if !self.tags.remove(&tag) {
                continue;
            }
            match commands.last_mut() {
                Some(last) if lowest_gone && last.disposition == disposition => {
                    *last = Command { tag, multiple: true, disposition, count: last.count + 1 };
                }
                _ => commands.push(Command { tag, multiple: false, disposition, count: 1 }),
            }
        }
        commands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(outstanding: &[u64], settled: &[(u64, char)], expected: &str) {
        let mut tags = Outstanding { tags: outstanding.iter().copied().collect() };
        let disposition = |name: char| match name {
            'a' => Disposition::Ack,
            'r' => Disposition::Requeue,
            _ => Disposition::DeadLetter,
        };
        let settled = settled.iter().map(|(tag, name)| (*tag, disposition(*name))).collect();
        let commands: Vec<_> = tags
            .settle(settled)
            .into_iter()
            .map(|it| {
                let up_to = if it.multiple { "..=" } else { "" };
                format!("{:?}{up_to}{}×{}", it.disposition, it.tag, it.count)
            })
            .collect();
        let left: Vec<_> = tags.tags.iter().map(u64::to_string).collect();
        assert_eq!(format!("{} | {}", commands.join(" "), left.join(" ")), expected);
    }

    #[test]
    fn runs_from_the_lowest_are_one_command_and_the_rest_one_each() {
        check(&[1], &[(1, 'a')], "Ack1×1 | ");
        check(&[1, 2, 3], &[(3, 'a'), (1, 'a'), (2, 'a')], "Ack..=3×3 | ");
        check(&[1, 2, 3, 4], &[(1, 'a'), (2, 'a')], "Ack..=2×2 | 3 4");
        check(&[5, 9, 12], &[(5, 'a'), (9, 'a')], "Ack..=9×2 | 12");
        check(&[1, 2, 3, 4], &[(2, 'a'), (3, 'a')], "Ack2×1 Ack3×1 | 1 4");
        check(&[1, 2, 3, 4], &[(1, 'a'), (3, 'a'), (4, 'a')], "Ack1×1 Ack3×1 Ack4×1 | 2");
        check(
            &[1, 2, 3, 4],
            &[(1, 'a'), (2, 'r'), (3, 'r'), (4, 'd')],
            "Ack1×1 Requeue..=3×2 DeadLetter4×1 | ",
        );
    }

    #[test]
    fn what_is_not_outstanding_is_left_out() {
        check(&[2, 3], &[(1, 'a')], " | 2 3");
        check(&[2, 3], &[(2, 'a'), (2, 'a'), (3, 'a')], "Ack2×1 Ack3×1 | ");
    }
}
