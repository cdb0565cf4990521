//! Batches that run at once: their outcome is that of the single requests in some order.
//!
//! The order is searched among all with the model: it must give every requester the answer that he got, and leave runs, tasks,
//! history and dead letters as they are.

use std::collections::{BTreeMap, BTreeSet};

use domain::{delivery::NewDelivery, ids::TaskId, settlement::Change, task::ClaimedTask};
use futures_util::{
    FutureExt,
    future::{BoxFuture, try_join_all},
};
use store::{
    Store, StoreKind,
    runs::{Creation, Guard},
    tasks::{ClaimTerms, SettleRequest},
};

use crate::{
    ask::{ask, created, settled},
    campaign::Campaign,
    model::Model,
    observe,
    operations::{Asked, Crowd, Draft, Once, Step, crowds},
    play::Play,
    request::{Answer, Request, claim_text},
};

/// What each requester was told, by its place in the crowd, and what was claimed.
type Heard = (Vec<(usize, String)>, Vec<(ClaimedTask, ClaimTerms)>);

async fn crowd(play: &mut Play<'_>, crowd: &Crowd) -> Result<(), String> {
    let requests = resolve(play, crowd);
    let batches = batched(&requests);
    let answers = batches.iter().map(|batch| send(play.store, &requests, batch));
    let mut said = vec![String::new(); requests.len()];
    for (answers, claims) in try_join_all(answers).await.map_err(|it| format!("{it:#?}"))? {
        for (index, answer) in answers {
            said[index] = answer;
        }
        play.claims.extend(claims);
    }
    let made = creations(&requests).filter_map(Creation::run_id);
    let runs: BTreeSet<_> = play.model.runs.keys().copied().chain(made).collect();
    let observed = observe::observe(play.store, runs.into_iter()).await?;
    let search = Search { requests: &requests, said: &said, observed: &observed };
    let all: Vec<usize> = (0..requests.len()).collect();
    let mut nearest = (0, String::from("no order gives the first answer"));
    if let Some(model) = search.order(&play.model, &all, &mut nearest) {
        play.model = model;
        return Ok(());
    }
    let told: Vec<_> = requests.iter().zip(&said).map(|((it, _), said)| (it, said)).collect();
    let text =
        format!("no order of {told:#?}\nin {batches:?} leads there; the nearest: {}", nearest.1);
    Err(play.name(&text))
}

/// The requests of a crowd, each with the number of its batch.
fn resolve(play: &Play<'_>, crowd: &Crowd) -> Vec<(Request, u8)> {
    let mut requests: Vec<(Request, u8)> = Vec::new();
    for (asked, batch) in crowd {
        let request = match asked {
            Asked::Step(step) => play.resolve(step),
            Asked::Once(tasks, once) => Some(guarded(play, tasks, *once)),
            Asked::Again(number) => {
                let earlier: Vec<_> = creations(&requests).cloned().collect();
                let index = usize::from(*number).checked_rem(earlier.len());
                index.map(|index| Request::Create(Box::new(earlier[index].clone())))
            }
            Asked::Behind(number) => behind(play, &requests, *number),
        };
        requests.extend(request.map(|it| (it, *batch)));
    }
    one_end_for_each_run(&mut requests);
    requests
}

/// Takes from settlements of one batch all ends of a run but the first: a workflow has one step that decides.
fn one_end_for_each_run(requests: &mut [(Request, u8)]) {
    let mut ended = BTreeSet::new();
    for (request, batch) in requests {
        let Request::Settle(settlements, ..) = request else { continue };
        for settlement in settlements {
            if let Change::Completed { end: end @ Some(_), .. } = &mut settlement.change
                && !ended.insert((settlement.run_id, *batch))
            {
                *end = None;
            }
        }
    }
}

fn creations(requests: &[(Request, u8)]) -> impl Iterator<Item = &Creation> {
    requests.iter().filter_map(|(request, _)| request.creation())
}

fn guarded(play: &Play<'_>, tasks: &[Draft], once: Once) -> Request {
    let step = Step::Create { tasks: tasks.to_vec(), minutes: None, key: None };
    let Some(Request::Create(mut creation)) = play.resolve(&step) else {
        panic!("a run can always be asked for");
    };
    creation.guard = match once {
        Once::Delivery(number) => Guard::Delivery(NewDelivery {
            id: format!("{} {number}", play.principal),
            event: "issues".to_owned(),
            action: None,
            repository: None,
            sender: None,
            installation_id: None,
            payload: b"{}".to_vec(),
            skip_reason: None,
        }),
        Once::Key { key, fingerprint } => Guard::Idempotency {
            principal: play.principal.clone(),
            key: format!("crowd {key}"),
            fingerprint: vec![fingerprint],
        },
    };
    Request::Create(creation)
}

/// A task behind one that is added to the same run by somebody else of the crowd.
fn behind(play: &Play<'_>, requests: &[(Request, u8)], number: u8) -> Option<Request> {
    let added: Vec<_> = creations(requests).flat_map(|it| it.tasks.iter()).cloned().collect();
    let mut added = added.get(usize::from(number).checked_rem(added.len())?)?.clone();
    let on = added.task.id;
    let fresh = Step::Create { tasks: vec![Draft::plain()], minutes: None, key: None };
    let Some(Request::Create(mut creation)) = play.resolve(&fresh) else { return None };
    added.task = creation.runs.pop()?.tasks.pop()?;
    added.task.depends_on = vec![on];
    creation.tasks.push(added);
    Some(Request::Create(creation))
}

/// Places of requests that share a transaction: of one kind, of one worker, of one number.
fn batched(requests: &[(Request, u8)]) -> Vec<Vec<usize>> {
    let mut batches: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, (request, batch)) in requests.iter().enumerate() {
        let name = if request.creation().is_some() {
            format!("create {batch}")
        } else if let Request::Claim(_, terms) = request {
            format!("claim {batch} {}", terms.worker)
        } else if let Request::Settle(_, _, terms, _) = request {
            format!("settle {batch} {}", terms.worker)
        } else {
            format!("alone {index}")
        };
        batches.entry(name).or_default().push(index);
    }
    batches.into_values().collect()
}

/// Sends requests of one kind as one batch.
async fn send(store: &Store, requests: &[(Request, u8)], batch: &[usize]) -> store::Result<Heard> {
    let first = &requests[batch[0]].0;
    let all = batch.iter().map(|index| &requests[*index].0);
    let (said, claimed) = if first.creation().is_some() {
        let creations = all.filter_map(Request::creation).cloned().collect();
        let answers = store.create(creations).await?;
        (answers.into_iter().map(|answer| created(answer).said).collect(), Vec::new())
    } else if let Request::Claim(_, terms) = first {
        claim(store, all.flat_map(Request::to_claim).collect(), *terms).await?
    } else if let Request::Settle(_, _, terms, _) = first {
        let request = SettleRequest {
            settlements: all.flat_map(Request::to_settle).cloned().collect(),
            claims: Vec::new(),
            terms: *terms,
            roles: Vec::new(),
            free_slots: 0,
        };
        let report = store.settle_tasks(request).await?;
        let said =
            report.results.iter().map(|it| format!("{}, claimed ; claimed ", settled(&[*it])));
        (said.collect(), Vec::new())
    } else {
        let (answer, claimed) = ask(store, first).await?;
        assert_eq!(claimed, [], "only claims claim");
        (vec![answer.said], Vec::new())
    };
    Ok((batch.iter().copied().zip(said).collect(), claimed))
}

/// Claims these tasks at once; says to each who asked whether he got his. Who asks twice for a task gets it once.
async fn claim(
    store: &Store,
    ids: Vec<TaskId>,
    terms: ClaimTerms,
) -> store::Result<(Vec<String>, Vec<(ClaimedTask, ClaimTerms)>)> {
    let claimed = store.claim_tasks(ids.clone(), terms).await?;
    let mut left: BTreeMap<_, _> = claimed.iter().map(|task| (task.id, task)).collect();
    let text = |it: &ClaimedTask| claim_text(it.id, it.attempt, it.max_attempts, it.fence);
    let said =
        ids.iter().map(|id| format!("claimed {}", left.remove(id).map(text).unwrap_or_default()));
    let said = said.collect();
    Ok((said, claimed.into_iter().map(|task| (task, terms)).collect()))
}

/// Looks for an order of singles.
struct Search<'a> {
    requests: &'a [(Request, u8)],
    said: &'a [String],
    observed: &'a observe::Observed,
}

impl Search<'_> {
    /// The model after an order of the requests `left` that leads to what was observed. `nearest` is how far the best order
    /// came, and where it parted.
    fn order(&self, model: &Model, left: &[usize], nearest: &mut (usize, String)) -> Option<Model> {
        let depth = self.requests.len() - left.len() + 1;
        if left.is_empty() {
            let agreed = observe::agree(self.observed, model).and_then(|()| {
                if observe::needed(self.observed, model) {
                    Ok(())
                } else {
                    Err("outbox".to_owned())
                }
            });
            let Err(error) = agreed else { return Some(model.clone()) };
            *nearest = (depth, error);
            return None;
        }
        for index in left {
            let mut next = model.clone();
            let answer = next.apply(&self.requests[*index].0, &Answer::default());
            if answer.as_ref().map(|it| &it.said) == Ok(&self.said[*index]) {
                let rest: Vec<usize> = left.iter().copied().filter(|it| it != index).collect();
                if let Some(found) = self.order(&next, &rest, nearest) {
                    return Some(found);
                }
            } else if depth > nearest.0 {
                *nearest = (depth, format!("request {index} would be answered {answer:?}"));
            }
        }
        None
    }
}

fn case<'a>(
    store: &'a Store,
    (opening, crowds): &'a (Vec<Step>, Vec<Crowd>),
    closely: bool,
) -> BoxFuture<'a, Result<(), String>> {
    async move {
        let mut play = Play::new(store);
        play.sequence(opening, closely).await?;
        for some in crowds {
            crowd(&mut play, some).await?;
        }
        play.leave().await.map_err(|error| play.name(&error))
    }
    .boxed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_on_postgres_are_singles_in_some_order() {
    let campaign = Campaign { kind: StoreKind::Postgres, cases: 2_000, arenas: 3, connections: 5 };
    campaign.run(crowds(), case).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_on_sqlite_are_singles_in_some_order() {
    let campaign = Campaign { kind: StoreKind::Sqlite, cases: 2_000, arenas: 3, connections: 5 };
    campaign.run(crowds(), case).await;
}
