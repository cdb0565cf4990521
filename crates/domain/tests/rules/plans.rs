//! Plans: what is left of their dependencies is an order of work.

use domain::{
    outputs::{Plan, Subtask},
    task::Priority,
};
use proptest::{collection::vec, prelude::*};

fn plan(wishes: &[Vec<u32>]) -> Plan {
    let subtask = |depends_on: &Vec<u32>| Subtask {
        title: String::new(),
        description: String::new(),
        scope_paths: Vec::new(),
        depends_on: depends_on.clone(),
        acceptance: Vec::new(),
    };
    Plan {
        summary: String::new(),
        subtasks: wishes.iter().map(subtask).collect(),
        risks: Vec::new(),
        needs_human: false,
    }
}

/// Whether some order of work honours every dependency.
fn has_an_order(plan: &Plan) -> bool {
    let mut left: Vec<u32> = (0..).take(plan.subtasks.len()).collect();
    loop {
        let free = |it: &u32| {
            let on = &plan.subtasks[usize::try_from(*it).unwrap()].depends_on;
            !on.iter().any(|on| left.contains(on))
        };
        let rest: Vec<u32> = left.iter().copied().filter(|it| !free(it)).collect();
        if rest.len() == left.len() {
            return rest.is_empty();
        }
        left = rest;
    }
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn a_plan_can_be_worked_off(wishes in vec(vec(0..9_u32, 0..5), 0..8)) {
        let mut plan = plan(&wishes);
        let removed = plan.drop_impossible_dependencies();
        prop_assert!(has_an_order(&plan));
        let mut gone = 0;
        for (kept, wished) in plan.subtasks.iter().zip(&wishes) {
            let mut once = kept.depends_on.clone();
            once.dedup();
            prop_assert_eq!(&once, &kept.depends_on, "one is there twice");
            prop_assert!(kept.depends_on.iter().all(|on| wished.contains(on)));
            let distinct: std::collections::BTreeSet<_> = wished.iter().collect();
            gone += distinct.len() - kept.depends_on.len();
        }
        prop_assert!(removed.len() >= gone, "{} are gone, {:?} are told", gone, removed);
        // What could be honoured from the start is left as it was.
        let mut again = plan.clone();
        prop_assert_eq!(again.drop_impossible_dependencies(), Vec::<String>::new());
        prop_assert_eq!(again, plan);
    }

    #[test]
    fn a_priority_is_from_0_to_9(number in prop_oneof![-20..20_i64, any::<i64>()]) {
        let priority = Priority::try_from(number);
        prop_assert_eq!(priority.is_ok(), (0..=9).contains(&number));
        if let Ok(priority) = priority {
            prop_assert_eq!(i64::from(priority.get()), number);
            let text = serde_json::to_string(&priority).unwrap();
            prop_assert_eq!(serde_json::from_str::<Priority>(&text).unwrap(), priority);
        }
    }
}
