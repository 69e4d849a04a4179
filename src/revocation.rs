//! What became of the sessions that an index names, and the end of them.

use std::{sync::Arc, time::Duration};

use crate::{
    context::{Context, sleep, together, within},
    error::{Error, ErrorKind},
    guard::Unreadable,
    id::Handle,
    lifetime::Stamps,
    observe::{EndReason, Event, EventKind},
    principal::PrincipalId,
    record::Header,
    store::{Entry, Loaded, PrincipalIndex, StoreError, StoreErrorKind},
};

/// What became of a session that was to be a principal's.
#[derive(Debug)]
pub(crate) enum Standing {
    /// It is his.
    Bound(Box<Loaded>),
    /// It is his, and it is over, though the store has not noticed yet.
    Expired,
    /// It is another's: its login has failed, and another one has not.
    Foreign,
    /// There is no record, and there never will be.
    Gone,
    /// Its login is on its way, or has failed.
    Pending,
    /// There is a record, and it cannot be read: its browser gets an error. Or it is not trusted: its browser has no session.
    Unreadable,
}

impl Standing {
    fn of(context: &Context, principal: &PrincipalId, handle: Handle, found: Found) -> Self {
        let loaded = match found {
            Found::Nothing => return Self::Gone,
            Found::Record(loaded) => loaded,
            Found::Unreadable => return Self::Unreadable,
        };
        let is_over = match context.read(handle, &loaded) {
            // What it says of itself does not count. It stays in the index: a key may come back, and so may what was there.
            Err(Unreadable::Untrusted(_)) => return Self::Unreadable,
            // It is kept for a later release.
            Err(Unreadable::Undecodable(_)) => false,
            Ok(header) => is_over(context, &header, &loaded),
        };
        match loaded.record.principal() {
            None => Self::Pending,
            Some(other) if other != principal.as_str() => Self::Foreign,
            Some(_) if is_over => Self::Expired,
            Some(_) => Self::Bound(loaded),
        }
    }
}

/// Tells whether a record has expired by its lifetime.
fn is_over(context: &Context, header: &Header<'_>, loaded: &Loaded) -> bool {
    let lifetime = header.lifetime.unwrap_or(context.lifetime);
    let stamps: Stamps = header.stamps(loaded.created, loaded.last_seen);
    !lifetime.is_live(stamps, loaded.now)
}

/// Tells whether a request has come with the cookie of a login.
pub(crate) fn was_shown(loaded: &Loaded) -> bool {
    Header::decode(loaded.record.header()).is_ok_and(|header| !header.is_unshown)
}

/// Finds out what became of sessions.
pub(crate) async fn standings(
    context: &Context,
    index: &dyn PrincipalIndex,
    principal: &PrincipalId,
    handles: &[Handle],
) -> Result<Vec<(Handle, Standing)>, StoreError> {
    let mut standings = Vec::with_capacity(handles.len());
    for some in handles.chunks(PAGE) {
        let found = some.iter().zip(load_all(context, index, some).await?);
        standings.extend(found.map(|(handle, found)| {
            let standing = Standing::of(context, principal, *handle, found);
            (*handle, standing)
        }));
    }
    Ok(standings)
}

/// Finds out what became of a page of sessions, as far as the store says.
pub(crate) async fn standings_known(
    context: &Context,
    index: &dyn PrincipalIndex,
    principal: &PrincipalId,
    handles: &[Handle],
) -> Vec<(Handle, Result<Standing, StoreError>)> {
    let found = match load_all(context, index, handles).await {
        Ok(found) => found.into_iter().map(Ok).collect(),
        Err(_) => load_each(context, handles).await,
    };
    let standings = handles.iter().zip(found).map(|(handle, found)| {
        let standing = found.map(|found| Standing::of(context, principal, *handle, found));
        (*handle, standing)
    });
    standings.collect()
}

/// What the store has under a handle.
pub(crate) enum Found {
    Nothing,
    Record(Box<Loaded>),
    Unreadable,
}

/// Loads many records. One that cannot be read hides none of the others.
pub(crate) async fn load_all(
    context: &Context,
    index: &dyn PrincipalIndex,
    handles: &[Handle],
) -> Result<Vec<Found>, StoreError> {
    match within(context.load_timeout, index.load_all(handles)).await {
        Ok(loaded) => Ok(loaded.into_iter().map(Found::of).collect()),
        Err(error) if error.kind() == StoreErrorKind::Corrupt => {
            load_each(context, handles).await.into_iter().collect()
        }
        Err(error) => Err(error),
    }
}

/// Loads records one by one, all at once: one server of several may be all that does not answer.
pub(crate) async fn load_each(
    context: &Context,
    handles: &[Handle],
) -> Vec<Result<Found, StoreError>> {
    together(handles.iter().map(|handle| load(context, handle))).await
}

async fn load(context: &Context, handle: &Handle) -> Result<Found, StoreError> {
    match within(context.load_timeout, context.store.load(handle)).await {
        Ok(loaded) => Ok(Found::of(loaded)),
        Err(error) if error.kind() == StoreErrorKind::Corrupt => {
            let event = Event::new(EventKind::Undecodable).of(*handle);
            context.observe(event.because(&error));
            Ok(Found::Unreadable)
        }
        Err(error) => Err(error),
    }
}

impl Found {
    fn of(loaded: Option<Loaded>) -> Self {
        loaded.map_or(Self::Nothing, |loaded| Self::Record(Box::new(loaded)))
    }
}

/// Returns the sessions that entries name, each once, in the order of their last entries.
pub(crate) fn distinct(entries: &[Entry]) -> Vec<Handle> {
    let mut handles: Vec<Handle> = Vec::with_capacity(entries.len());
    let mut known = std::collections::HashSet::with_capacity(entries.len());
    for entry in entries.iter().rev() {
        if known.insert(entry.handle) {
            handles.push(entry.handle);
        }
    }
    handles.reverse();
    handles
}

/// Ends a session, whatever is being done to it, and tells whether there was one. Whose it was is told where it is known.
pub(crate) async fn end(
    context: &Context,
    handle: Handle,
    principal: Option<&PrincipalId>,
    reason: EndReason,
) -> Result<bool, StoreError> {
    let delete = || within(context.commit_timeout, context.store.delete(&handle));
    let deleted = match delete().await {
        Err(error) if error.kind() == StoreErrorKind::Unknown => delete().await,
        answered => answered,
    };
    let existed = deleted?;
    context.watchers.gone(handle);
    if existed {
        let event = Event::new(EventKind::Destroyed(reason)).of(handle);
        context.observe(event.by(principal));
    }
    Ok(existed)
}

/// Ends many, some at a time, and says of each whether there was one.
pub(crate) async fn end_each(
    context: &Context,
    handles: &[Handle],
    principal: Option<&PrincipalId>,
    reason: EndReason,
) -> Vec<Result<bool, StoreError>> {
    let mut ended = Vec::with_capacity(handles.len());
    for some in handles.chunks(AT_ONCE) {
        let each = some
            .iter()
            .map(|handle| end(context, *handle, principal, reason));
        ended.extend(together(each).await);
    }
    ended
}

/// Sees to it that a session ends that could not be ended at once: a task goes on trying. Where a generation is what
/// counts, a session that has another by then lives on.
pub(crate) fn keep_ending(
    context: &Arc<Context>,
    handle: Handle,
    generation: Option<u64>,
    reason: EndReason,
) {
    let deletion = keep_deleting(context.clone(), handle, generation, reason);
    context.background.finish(None, Box::pin(deletion));
}

/// Tells whether a record is of another generation; one that is not read is of none.
pub(crate) fn is_of_another(
    context: &Context,
    handle: Handle,
    generation: u64,
    loaded: &Loaded,
) -> bool {
    let header = context.guard.read(handle, &loaded.record, loaded.now);
    header.is_ok_and(|header| header.generation != generation)
}

/// Goes on trying to delete a session that nobody may find alive.
async fn keep_deleting(
    context: Arc<Context>,
    handle: Handle,
    generation: Option<u64>,
    reason: EndReason,
) {
    for pause in pauses() {
        sleep(pause).await;
        match delete_unless_another(&context, handle, generation).await {
            Ok(true) => {
                return context.observe(Event::new(EventKind::Destroyed(reason)).of(handle));
            }
            Ok(false) => return,
            Err(_) => {}
        }
    }
    let error = Error::new(ErrorKind::Store)
        .with_source("a session that was to be ended could not be deleted");
    context.observe(
        Event::new(EventKind::StoreFailed)
            .of(handle)
            .because(&error),
    );
}

async fn delete_unless_another(
    context: &Context,
    handle: Handle,
    generation: Option<u64>,
) -> Result<bool, StoreError> {
    if let Some(generation) = generation {
        let loaded = within(context.commit_timeout, context.store.load(&handle)).await?;
        if loaded.is_some_and(|loaded| is_of_another(context, handle, generation, &loaded)) {
            return Ok(false);
        }
    }
    within(context.commit_timeout, context.store.delete(&handle)).await
}

/// Removes the entries of sessions that are known to be gone. If it fails they stay until somebody looks again.
pub(crate) async fn forget(
    context: &Context,
    index: &dyn PrincipalIndex,
    principal: &PrincipalId,
    entries: &[Entry],
    gone: &[Handle],
) {
    let gone: std::collections::HashSet<_> = gone.iter().collect();
    let left = entries.iter().filter(|entry| gone.contains(&entry.handle));
    let left: Vec<_> = left.copied().collect();
    if !left.is_empty() {
        let _ = within(context.load_timeout, index.leave(principal, &left)).await;
    }
}

/// How many are loaded at once: it is one statement on engines that can, and 32 MB if they are as large as they may be.
pub(crate) const PAGE: usize = 500;

/// How many are ended at once.
const AT_ONCE: usize = 100;

/// How long to wait before each try of what must not be left undone: at once, after half a second, and twice as long each
/// time, for about a minute.
pub(crate) fn pauses() -> impl Iterator<Item = Duration> {
    let pauses = (0..7).map(|doubled| Duration::from_millis(500 << doubled));
    std::iter::once(Duration::ZERO).chain(pauses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_not_be_left_undone_is_tried_for_a_minute_and_nobody_waits_after_the_last_try() {
        let pauses: Vec<_> = pauses().collect();
        assert_eq!(pauses[..3], [0, 500, 1_000].map(Duration::from_millis));
        let all = pauses.iter().sum::<Duration>();
        assert_eq!((pauses.len(), all.as_millis()), (8, 63_500));
    }
}
