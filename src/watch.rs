//! Who in this process wants to know when a session ends.

use std::{
    collections::HashMap,
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use tokio::{
    sync::{Notify, watch},
    task::{AbortHandle, yield_now},
};

use crate::{change::Seen, clock::Timestamp, id::Handle, meter, sync::Mutex};

/// Why a [`LiveSession`](crate::LiveSession) has ended.
///
/// ```
/// use tenure::Ended;
///
/// fn words(ended: Ended) -> &'static str {
///     match ended {
///         Ended::Expired => "you were away for too long",
///         Ended::PrivilegeChanged => "reconnect", // with the id that the browser has by now
///         _ => "you have been signed out",
///     }
/// }
/// assert_eq!(words(Ended::Gone), "you have been signed out");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ended {
    /// Nobody has used it for too long, or it was as old as it may become.
    Expired,
    /// It was logged out, revoked, evicted or destroyed.
    Gone,
    /// Somebody signed in, gained rights or changed his credential in it: its id is another one, and whoever holds the
    /// connection need not be who holds that id.
    PrivilegeChanged,
}

/// A session that a live connection is bound to: a handle, and the generation it had.
pub(crate) struct Watched {
    handle: Handle,
    generation: u64,
    /// When it ends if nothing else happens, as the store said last.
    deadline: Mutex<Deadline>,
    ended: watch::Sender<Option<Ended>>,
}

/// When a session ends, and when that was looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) at: Timestamp,
    pub(crate) seen: Seen,
}

impl Watched {
    pub(crate) fn new(handle: Handle, generation: u64, deadline: Deadline) -> Arc<Self> {
        Arc::new(Self {
            handle,
            generation,
            deadline: Mutex::new(deadline),
            ended: watch::Sender::new(None),
        })
    }

    pub(crate) const fn handle(&self) -> Handle {
        self.handle
    }

    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) fn deadline(&self) -> Deadline {
        *self.deadline.lock()
    }

    pub(crate) fn put_off(&self, deadline: Deadline) {
        *self.deadline.lock() = deadline;
    }

    /// Says that it has ended; the first reason counts.
    pub(crate) fn end(&self, why: Ended) {
        self.ended.send_if_modified(|ended| {
            let is_news = ended.is_none();
            ended.get_or_insert(why);
            is_news
        });
    }

    pub(crate) fn ended(&self) -> Option<Ended> {
        *self.ended.borrow()
    }

    /// Waits until somebody says that it has ended.
    pub(crate) async fn wait(&self) -> Ended {
        let mut ended = self.ended.subscribe();
        let ended = ended.wait_for(Option::is_some).await;
        // The sender is `self`, which is not dropped while this waits.
        ended.ok().and_then(|ended| *ended).unwrap_or(Ended::Gone)
    }
}

/// The sessions that live connections of this process are bound to, and the task that asks the store for them.
#[derive(Default)]
pub(crate) struct Watchers {
    state: Mutex<State>,
    /// Told when a poller is no more, so that those who wait begin another.
    poller_ended: Notify,
}

#[derive(Default)]
struct State {
    watched: HashMap<Handle, Vec<Arc<Watched>>>,
    poller: Option<AbortHandle>,
    is_starting: bool,
    /// How many pollers there have been.
    pollers: u64,
}

impl Watchers {
    pub(crate) fn add(&self, watched: Arc<Watched>) {
        meter::connection_opened();
        let mut state = self.state.lock();
        let same = state.watched.entry(watched.handle).or_default();
        same.push(watched);
    }

    /// Forgets one; with the last one the poller ends.
    pub(crate) fn remove(&self, watched: &Arc<Watched>) {
        meter::connection_closed();
        let mut state = self.state.lock();
        if let Some(same) = state.watched.get_mut(&watched.handle) {
            same.retain(|other| !Arc::ptr_eq(other, watched));
            if same.is_empty() {
                state.watched.remove(&watched.handle);
            }
        }
        if state.watched.is_empty()
            && let Some(poller) = state.poller.take()
        {
            poller.abort();
        }
    }

    /// Starts a poller and tells it its number, unless there is one at work or nothing to watch.
    pub(crate) fn poll_by(&self, start: impl FnOnce(u64) -> AbortHandle) {
        let mut state = self.state.lock();
        if state.watched.is_empty() || state.has_poller() {
            return;
        }
        state.pollers += 1;
        state.is_starting = true;
        let number = state.pollers;
        // A runtime that shuts down drops what it is given, which is told here.
        drop(state);
        let poller = start(number);
        let mut state = self.state.lock();
        state.is_starting = false;
        match state.watched.is_empty() {
            true => poller.abort(),
            false => state.poller = Some(poller),
        }
    }

    /// Waits until somebody says that a session has ended, and sees to it all the while that there is a poller.
    pub(crate) async fn wait(&self, watched: &Watched, start: impl Fn()) -> Ended {
        let mut ended = pin!(watched.wait());
        loop {
            let mut poller_ended = pin!(self.poller_ended.notified());
            poller_ended.as_mut().enable();
            start();
            let why = poll_fn(|task| match ended.as_mut().poll(task) {
                Poll::Ready(why) => Poll::Ready(Some(why)),
                Poll::Pending => poller_ended.as_mut().poll(task).map(|()| None),
            });
            if let Some(why) = why.await {
                return why;
            }
            yield_now().await;
        }
    }

    /// Says that a poller is no more, whatever has ended it: its runtime, perhaps.
    pub(crate) fn poller_ended(&self, number: u64) {
        let mut state = self.state.lock();
        if state.pollers == number {
            state.poller = None;
        }
        drop(state);
        self.poller_ended.notify_waiters();
    }

    /// Lists all, by their handles.
    pub(crate) fn all(&self) -> Vec<(Handle, Vec<Arc<Watched>>)> {
        let state = self.state.lock();
        let all = state.watched.iter();
        all.map(|(handle, same)| (*handle, same.clone())).collect()
    }

    /// Says that there is no such session any more.
    pub(crate) fn gone(&self, handle: Handle) {
        for watched in self.of(handle) {
            watched.end(Ended::Gone);
        }
    }

    /// Says that a session has another generation now.
    pub(crate) fn has_generation(&self, handle: Handle, generation: u64) {
        for watched in self.of(handle) {
            if watched.generation != generation {
                watched.end(Ended::PrivilegeChanged);
            }
        }
    }

    fn of(&self, handle: Handle) -> Vec<Arc<Watched>> {
        let state = self.state.lock();
        state.watched.get(&handle).cloned().unwrap_or_default()
    }
}

impl State {
    fn has_poller(&self) -> bool {
        let poller = self.poller.as_ref();
        self.is_starting || poller.is_some_and(|poller| !poller.is_finished())
    }
}

impl fmt::Debug for Watchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watchers")
    }
}
