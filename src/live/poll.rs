//! The task that asks the store, for all live sessions of a layer at once.

use std::{collections::HashMap, sync::Arc};

use tokio::runtime;

use super::look::{is_over, look};
use crate::{
    context::{Context, sleep, within},
    id::Handle,
    observe::{Event, EventKind},
    revocation::{Found, load_each},
    store::{Loaded, StoreError, jittered},
    watch::{Ended, Watched},
};

/// Sees to it that the store is asked. Without a runtime there is no task, and no store that is elsewhere.
pub(super) fn start(context: &Arc<Context>) {
    if let Ok(runtime) = runtime::Handle::try_current() {
        context.watchers.poll_by(|number| {
            let poller = Poller(context.clone(), number);
            runtime.spawn(poll(poller)).abort_handle()
        });
    }
}

async fn poll(poller: Poller) {
    let context = &poller.0;
    loop {
        sleep(jittered(context.watch_interval)).await;
        // Tasks of their own: what panics in a store or an observer must not leave everybody waiting for ever.
        let looking = tokio::spawn(look_at_all(context.clone()));
        if let Err(panic) = looking.await {
            let context = context.clone();
            let telling = async move {
                context.observe(Event::new(EventKind::StoreFailed).because(&panic));
            };
            drop(tokio::spawn(telling).await);
        }
    }
}

/// Tells those who wait for an end when nobody asks for them any more.
struct Poller(Arc<Context>, u64);

impl Drop for Poller {
    fn drop(&mut self) {
        self.0.watchers.poller_ended(self.1);
    }
}

async fn look_at_all(context: Arc<Context>) {
    let mut is_answering = true;
    for some in context.watchers.all().chunks(LOADED_AT_ONCE) {
        let handles: Vec<_> = some.iter().map(|(handle, _)| *handle).collect();
        let found = match is_answering {
            true => load_all(&context, &handles).await,
            // Nobody is to outlive his session because many others wait for an answer before him.
            false => HashMap::new(),
        };
        is_answering = !found.is_empty();
        for (handle, same) in some {
            for watched in same {
                settle(&context, watched, found.get(handle));
            }
        }
    }
}

/// Takes in what the store says of a session; what it does not say, or what cannot be read, ends it at the deadline
/// that was known last.
fn settle(context: &Context, watched: &Watched, found: Option<&Option<Loaded>>) {
    let looked = found.map(|loaded| look(context, watched, loaded.clone()));
    let is_unknown = looked.is_none_or(|looked| looked.is_err());
    if is_unknown && is_over(context, watched) {
        watched.end(Ended::Expired);
    }
}

/// Loads what the store answers for.
async fn load_all(context: &Context, handles: &[Handle]) -> HashMap<Handle, Option<Loaded>> {
    let Some(index) = context.store.index() else {
        return one_by_one(context, handles).await;
    };
    match within(context.load_timeout, index.load_all(handles)).await {
        Ok(found) => handles.iter().copied().zip(found).collect(),
        Err(error) => {
            report(context, &error);
            // One record, or one server of several, may be all that is wrong.
            one_by_one(context, handles).await
        }
    }
}

async fn one_by_one(context: &Context, handles: &[Handle]) -> HashMap<Handle, Option<Loaded>> {
    let mut answered = HashMap::with_capacity(handles.len());
    let mut failure = None;
    for (handle, found) in handles.iter().zip(load_each(context, handles).await) {
        match found {
            Ok(Found::Nothing) => drop(answered.insert(*handle, None)),
            Ok(Found::Record(loaded)) => drop(answered.insert(*handle, Some(*loaded))),
            Ok(Found::Unreadable) => {}
            Err(error) => failure = Some(error),
        }
    }
    if let Some(error) = failure {
        report(context, &error);
    }
    answered
}

fn report(context: &Context, error: &StoreError) {
    context.observe(Event::new(EventKind::StoreFailed).because(error));
}

/// A batch is one statement on engines that can.
const LOADED_AT_ONCE: usize = 500;
