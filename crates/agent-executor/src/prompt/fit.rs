//! Cuts data to what a model can take in: the largest pieces first, the goal last.

use domain::transcript::shortened;

use crate::{ContextPart, Origin};

/// Bytes that the marks around a piece take, without its title.
const MARKS: usize = 80;
/// The least that is shown of a piece; below this it is left out.
const LEAST: usize = 160;

/// The pieces in about `room` bytes, and a sentence for each that is not whole.
pub(super) fn fit(parts: Vec<ContextPart>, room: usize) -> (Vec<ContextPart>, Vec<String>) {
    let mut notes = Vec::new();
    let (mut kept, mut left_out) = (parts, Vec::new());
    // As many as can show the least; the first are the most important.
    let places = (room / (MARKS + LEAST)).max(1);
    if kept.len() > places {
        left_out = kept.split_off(places);
    }
    let marks: usize = kept.iter().map(|it| MARKS + it.title.len()).sum();
    let room = room.saturating_sub(marks);
    let sizes: Vec<_> = kept.iter().map(|it| (it.origin == Origin::Goal, it.text.len())).collect();
    let longest = longest_piece(&sizes, room);
    for part in &mut kept {
        let limit =
            if part.origin == Origin::Goal { goal_limit(room).max(longest) } else { longest };
        if part.text.len() > limit {
            notes.push(format!(
                "context: {} {} was cut from {} to {limit} bytes",
                part.origin,
                part.title,
                part.text.len()
            ));
            part.text = shortened(&part.text, limit);
        }
    }
    notes.extend(
        left_out.iter().map(|it| format!("context: {} {} was left out", it.origin, it.title)),
    );
    (kept, notes)
}

/// What the goal may take however much else there is.
const fn goal_limit(room: usize) -> usize {
    room / 2
}

/// The largest limit on a piece with which all of them fit, by bisection.
fn longest_piece(sizes: &[(bool, usize)], room: usize) -> usize {
    let fits = |limit: usize| {
        let taken = |&(goal, size): &(bool, usize)| {
            size.min(if goal { goal_limit(room).max(limit) } else { limit })
        };
        sizes.iter().map(taken).sum::<usize>() <= room
    };
    let (mut fitting, mut over) = (0, room + 1);
    while over - fitting > 1 {
        let middle = fitting.midpoint(over);
        if fits(middle) {
            fitting = middle;
        } else {
            over = middle;
        }
    }
    fitting
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(sizes: &[usize]) -> Vec<ContextPart> {
        let part = |(index, size): (usize, &usize)| ContextPart {
            origin: if index == 0 { Origin::Goal } else { Origin::RepositoryFile },
            title: index.to_string(),
            text: "x".repeat(*size),
        };
        sizes.iter().enumerate().map(part).collect()
    }

    #[test]
    fn the_largest_pieces_are_cut_first_and_the_goal_last() {
        check(&[100, 200, 300], 2_000, &[100, 200, 300], 0);
        check(&[100, 200, 9_000], 2_000, &[100, 200, 1_457], 1);
        check(&[100, 9_000, 9_000], 2_000, &[100, 828, 828], 2);
        check(&[9_000, 9_000], 2_000, &[919, 919], 2);
        check(&[9_000], 2_000, &[1_919], 1);
        check(&[100, 9_000, 9_000, 9_000], 600, &[100, 338], 3);
        check(&[9_000], 10, &[0], 1);
    }

    #[track_caller]
    fn check(sizes: &[usize], room: usize, expected: &[usize], notes: usize) {
        let (kept, said) = fit(parts(sizes), room);
        assert_eq!(kept.len(), expected.len(), "{said:?}");
        for (part, most) in kept.iter().zip(expected) {
            let size = part.text.len();
            // What was cut may be a little shorter than its limit; no limit is below the note that says so.
            assert!(
                size <= (*most).max(40) && size + 40 >= *most,
                "{}: {size} of {most}",
                part.title
            );
        }
        assert_eq!(said.len(), notes, "{said:?}");
    }
}
