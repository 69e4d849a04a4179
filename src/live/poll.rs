//! The task that asks the store, for all live sessions of a layer at once.

use std::{collections::HashMap, sync::Arc};

use tokio::runtime;

use super::look::{is_over, look};
use crate::{
    context::{Context, sleep, together, within},
    id::Handle,
    observe::{Event, EventKind},
    store::{Loaded, StoreError, jittered},
    watch::{Ended, Watched},
};

/// Sees to it that the store is asked. Without a runtime there is no task, and no store that is elsewhere.
pub(super) fn start(context: &Arc<Context>) {
    if let Ok(runtime) = runtime::Handle::try_current() {
        context
            .watchers
            .poll_by(|| runtime.spawn(poll(context.clone())).abort_handle());
    }
}

async fn poll(context: Arc<Context>) {
    loop {
        sleep(jittered(context.watch_interval)).await;
        // A task of its own: a store that panics must not leave everybody waiting for ever.
        let looking = tokio::spawn(look_at_all(context.clone()));
        if let Err(panic) = looking.await {
            context.observe(Event::new(EventKind::StoreFailed).because(&panic));
        }
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

/// Loads some at a time, and gives up when none of them is answered.
async fn one_by_one(context: &Context, handles: &[Handle]) -> HashMap<Handle, Option<Loaded>> {
    let mut found = HashMap::with_capacity(handles.len());
    for some in handles.chunks(LOADS_AT_ONCE) {
        let load = |handle| within(context.load_timeout, context.store.load(handle));
        let before = found.len();
        for (handle, answer) in some.iter().zip(together(some.iter().map(load)).await) {
            match answer {
                Ok(loaded) => drop(found.insert(*handle, loaded)),
                Err(error) => report(context, &error),
            }
        }
        if found.len() == before {
            break;
        }
    }
    found
}

fn report(context: &Context, error: &StoreError) {
    context.observe(Event::new(EventKind::StoreFailed).because(error));
}

/// A batch is one statement on engines that can.
const LOADED_AT_ONCE: usize = 500;
/// As many as an application's requests load at a busy moment.
const LOADS_AT_ONCE: usize = 16;
