//! Which point is tried when: from the page that lists them.

use std::{collections::BTreeMap, fs, path::Path};

use e2e::stack::Program;

/// The page.
const PAGE: &str = "docs/fault-points.md";

/// Points that each service is given in one round.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) orders: BTreeMap<&'static str, Vec<String>>,
}

impl Round {
    /// Whether one of a program's points is among these.
    pub(crate) fn tries(&self, program: Program, points: &[&str]) -> bool {
        let orders = self.orders.get(program.name());
        orders.is_some_and(|it| it.iter().any(|point| points.contains(&point.as_str())))
    }
}

/// How many points a program is crashed at in one round: both sides of the same commit at least where it can be started again
/// quickly. The worker costs a lease each time.
const fn at_once(program: Program) -> usize {
    match program {
        Program::ApiGateway => 3,
        Program::Worker | Program::Scheduler => 2,
        Program::WebhookIngest => 1,
    }
}

/// Every point of the page with the programs that it is tried in, in the page's order.
pub(crate) fn points() -> Vec<(String, Vec<String>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = fs::read_to_string(root.join(PAGE)).unwrap();
    let mut points = Vec::new();
    for line in page.lines() {
        let mut cells = line.split('|').skip(1).map(quoted);
        let (Some(names), Some(programs)) = (cells.next(), cells.next()) else { continue };
        for name in names.into_iter().filter(|it| it.contains('.')) {
            assert!(!programs.is_empty(), "{PAGE} does not say where {name} is tried");
            points.push((name, programs.clone()));
        }
    }
    points
}

/// What stands in backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// All points of the services in as few rounds as may be. `only` is a part of a point's name, to try fewer.
pub(crate) fn rounds(only: Option<&str>) -> Vec<Round> {
    let points = points();
    let mut rounds: Vec<Round> = Vec::new();
    for program in Program::ALL {
        let own: Vec<String> = points
            .iter()
            .filter(|(_, programs)| programs.iter().any(|it| it == program.name()))
            .map(|(name, _)| name.clone())
            .filter(|name| only.is_none_or(|only| name.contains(only)))
            .collect();
        for (index, orders) in own.chunks(at_once(program)).enumerate() {
            if rounds.len() == index {
                rounds.push(Round { orders: BTreeMap::new() });
            }
            rounds[index].orders.insert(program.name(), orders.to_vec());
        }
    }
    rounds
}

#[test]
fn every_point_is_in_one_round_of_each_of_its_programs() {
    let services: usize = points()
        .iter()
        .map(|(_, programs)| {
            programs.iter().filter(|it| !["orch", "nobody"].contains(&it.as_str())).count()
        })
        .sum();
    let tried: usize = rounds(None).iter().flat_map(|it| it.orders.values()).map(Vec::len).sum();
    assert_eq!(services, tried);
    assert!(points().len() >= 40, "there are only {} points", points().len());
}
