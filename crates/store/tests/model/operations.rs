//! Steps of a random sequence. They name tasks and runs by small numbers, so that a sequence keeps its sense when others of its
//! steps are taken out: the numbers are taken modulo what there is.

use proptest::{collection::vec, option, prelude::*};

/// One step.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Create { tasks: Vec<Draft>, minutes: Option<i64>, key: Option<u8> },
    Add { run: u8, tasks: Vec<Draft> },
    Claim { tasks: Vec<u8>, by: Lease },
    ClaimNext { role: Option<u8>, limit: u8, by: Lease },
    Renew { held: Vec<u8>, by: Lease },
    Settle { ends: Vec<(Held, End)>, claims: Vec<u8>, by: Option<u8>, free_slots: u8 },
    Promote { limit: u8 },
    Rescue { limit: u8 },
    TimeOut { no_longer: bool },
    CancelTask(u8),
    CancelRun(u8),
    Pause(u8),
    Resume(u8),
    Update { task: u8, role: Option<u8>, priority: Option<u8>, attempts: Option<u8> },
    Metadata { task: u8, value: Option<u8> },
    Delete(u8),
    Dispatch(u8),
    DispatchNext { role: Option<u8>, limit: u8 },
    RetryTask(u8),
    RetryRun(u8),
    Replay(Letters),
    Purge(Letters),
    AnnounceAgain,
    Publish,
    RemoveOld,
}

/// A task to be made.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) needs: Vec<u8>,
    /// Its dependencies may be any task: itself, a later one, one of another run.
    pub(crate) wild: bool,
    pub(crate) dispatch: bool,
    pub(crate) role: u8,
    pub(crate) priority: u8,
    pub(crate) attempts: Option<u8>,
}

impl Draft {
    /// One that nothing holds back.
    pub(crate) const fn plain() -> Self {
        Self {
            needs: Vec::new(),
            wild: false,
            dispatch: true,
            role: 0,
            priority: 0,
            attempts: None,
        }
    }
}

/// Who claims, for how long, and with how many attempts for tasks that do not say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    pub(crate) worker: u8,
    /// One that does not last has run out when the next step begins: its worker has crashed, or is late.
    pub(crate) lasts: bool,
    pub(crate) attempts: u8,
}

/// Which claim a settlement is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Held {
    /// One that is still good, where there is one.
    Good(u8),
    /// Any that ever was.
    Any(u8),
}

/// How an attempt ends.
#[derive(Clone, Debug)]
pub(crate) enum End {
    Complete {
        follow_ups: Vec<Draft>,
        /// Whether its run ends with it, as completed or failed.
        end: Option<bool>,
    },
    Fail(Again),
    HandBack,
}

/// When another attempt may begin.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Again {
    AtOnce,
    InAnHour,
    Never,
}

#[derive(Clone, Debug)]
pub(crate) enum Letters {
    These(Vec<u8>),
    Oldest { role: Option<u8>, limit: u8 },
}

/// Sequences of the length in which most of what can go wrong has gone wrong.
pub(crate) fn sequences() -> BoxedStrategy<Vec<Step>> {
    (create(), vec(step(), 8..22))
        .prop_map(|(first, mut rest)| {
            rest.insert(0, first);
            rest
        })
        .boxed()
}

/// What somebody asks while others ask as well.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    Step(Step),
    /// A run that must be made once.
    Once(Vec<Draft>, Once),
    /// An earlier creation of this crowd, once more.
    Again(u8),
    /// A task that depends on one which somebody else of this crowd makes in the same run.
    Behind(u8),
}

/// What makes a creation happen once: each of them meets others of its crowd.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Once {
    Delivery(u8),
    Key { key: u8, fingerprint: u8 },
}

/// What a crowd asks, each with the number of the batch that it goes with.
pub(crate) type Crowd = Vec<(Asked, u8)>;

/// Some steps, and then crowds.
pub(crate) fn crowds() -> BoxedStrategy<(Vec<Step>, Vec<Crowd>)> {
    let one = prop_oneof![
        2 => create().prop_map(Asked::Step),
        4 => add().prop_map(Asked::Step),
        3 => (vec(draft(), 1..3), once()).prop_map(|(tasks, once)| Asked::Once(tasks, once)),
        2 => small().prop_map(Asked::Again),
        2 => small().prop_map(Asked::Behind),
        6 => small().prop_map(|task| Asked::Step(Step::Claim { tasks: vec![task], by: ALIKE })),
        9 => (held(), end()).prop_map(|it| Asked::Step(Step::Settle { ends: vec![it], claims: Vec::new(), by: None, free_slots: 0 })),
        4 => on_task_or_run().prop_map(Asked::Step),
    ];
    (openings(), vec(vec((one, 0..2_u8), 2..=5), 1..4)).boxed()
}

fn once() -> BoxedStrategy<Once> {
    prop_oneof![
        (0..2_u8).prop_map(Once::Delivery),
        (0..2_u8, 0..2_u8).prop_map(|(key, fingerprint)| Once::Key { key, fingerprint }),
    ]
    .boxed()
}

/// A few steps that lead to a state worth asking something of.
fn openings() -> BoxedStrategy<Vec<Step>> {
    (create(), vec(step(), 2..9))
        .prop_map(|(first, mut rest)| {
            rest.insert(0, first);
            rest
        })
        .boxed()
}

/// The terms of claims in a crowd, which batches share.
const ALIKE: Lease = Lease { worker: 0, lasts: true, attempts: 2 };

fn step() -> BoxedStrategy<Step> {
    prop_oneof![
        4 => create(),
        6 => add(),
        14 => (vec(small(), 1..4), lease()).prop_map(|(tasks, by)| Step::Claim { tasks, by }),
        8 => (option::weighted(0.3, small()), 1..4_u8, lease())
            .prop_map(|(role, limit, by)| Step::ClaimNext { role, limit, by }),
        3 => (vec(small(), 1..3), lease()).prop_map(|(held, by)| Step::Renew { held, by }),
        24 => (
            vec((held(), end()), 1..4),
            prop_oneof![2 => Just(Vec::new()), 1 => vec(small(), 1..4)],
            option::weighted(0.05, small()),
            prop_oneof![3 => Just(0_u8), 1 => 1..4_u8],
        )
            .prop_map(|(ends, claims, by, free_slots)| Step::Settle { ends, claims, by, free_slots }),
        6 => limit().prop_map(|limit| Step::Promote { limit }),
        7 => limit().prop_map(|limit| Step::Rescue { limit }),
        2 => any::<bool>().prop_map(|no_longer| Step::TimeOut { no_longer }),
        24 => on_task_or_run(),
        3 => (option::of(small()), 1..3_u8).prop_map(|(role, limit)| Step::DispatchNext { role, limit }),
        4 => letters().prop_map(Step::Replay),
        2 => letters().prop_map(Step::Purge),
        1 => Just(Step::AnnounceAgain),
        1 => Just(Step::Publish),
        1 => Just(Step::RemoveOld),
    ]
    .boxed()
}

fn on_task_or_run() -> BoxedStrategy<Step> {
    prop_oneof![
        3 => small().prop_map(Step::CancelTask),
        2 => small().prop_map(Step::CancelRun),
        3 => small().prop_map(Step::Pause),
        4 => small().prop_map(Step::Resume),
        2 => (small(), option::of(small()), option::of(small()), option::of(1..4_u8))
            .prop_map(|(task, role, priority, attempts)| Step::Update { task, role, priority, attempts }),
        1 => (small(), option::of(small())).prop_map(|(task, value)| Step::Metadata { task, value }),
        2 => small().prop_map(Step::Delete),
        3 => small().prop_map(Step::Dispatch),
        4 => small().prop_map(Step::RetryTask),
        3 => small().prop_map(Step::RetryRun),
    ]
    .boxed()
}

fn create() -> BoxedStrategy<Step> {
    let minutes = prop_oneof![6 => Just(None), 1 => Just(Some(0)), 1 => Just(Some(600))];
    (vec(draft(), 1..5), minutes, option::weighted(0.1, 0..2_u8))
        .prop_map(|(tasks, minutes, key)| Step::Create { tasks, minutes, key })
        .boxed()
}

fn add() -> BoxedStrategy<Step> {
    (small(), vec(draft(), 1..3)).prop_map(|(run, tasks)| Step::Add { run, tasks }).boxed()
}

fn draft() -> BoxedStrategy<Draft> {
    (
        prop_oneof![2 => Just(Vec::new()), 3 => vec(small(), 1..3)],
        proptest::bool::weighted(0.03),
        proptest::bool::weighted(0.85),
        small(),
        small(),
        option::weighted(0.3, 1..4_u8),
    )
        .prop_map(|(needs, wild, dispatch, role, priority, attempts)| Draft {
            needs,
            wild,
            dispatch,
            role,
            priority,
            attempts,
        })
        .boxed()
}

fn lease() -> BoxedStrategy<Lease> {
    (0..2_u8, proptest::bool::weighted(0.6), 1..4_u8)
        .prop_map(|(worker, lasts, attempts)| Lease { worker, lasts, attempts })
        .boxed()
}

fn held() -> BoxedStrategy<Held> {
    prop_oneof![4 => small().prop_map(Held::Good), 1 => small().prop_map(Held::Any)].boxed()
}

fn end() -> BoxedStrategy<End> {
    let again =
        prop_oneof![3 => Just(Again::AtOnce), 1 => Just(Again::InAnHour), 2 => Just(Again::Never)];
    prop_oneof![
        5 => Just(End::Complete { follow_ups: Vec::new(), end: None }),
        3 => (vec(draft(), 0..3), option::weighted(0.4, any::<bool>()))
            .prop_map(|(follow_ups, end)| End::Complete { follow_ups, end }),
        5 => again.prop_map(End::Fail),
        2 => Just(End::HandBack),
    ]
    .boxed()
}

fn letters() -> BoxedStrategy<Letters> {
    prop_oneof![
        1 => vec(small(), 1..3).prop_map(Letters::These),
        2 => (option::weighted(0.3, small()), limit()).prop_map(|(role, limit)| Letters::Oldest { role, limit }),
    ]
    .boxed()
}

/// Mostly more than there is, sometimes fewer.
fn limit() -> BoxedStrategy<u8> {
    prop_oneof![3 => Just(100_u8), 1 => Just(1_u8)].boxed()
}

fn small() -> BoxedStrategy<u8> {
    (0..12_u8).boxed()
}
