//! What all requests of a layer share.

use std::{
    any::{TypeId, type_name},
    collections::HashMap,
    fmt,
    future::{Future, pending},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task,
    time::Duration,
};

use http::{HeaderName, HeaderValue};
use tokio::{
    runtime,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};

use crate::{
    change::{Live, Opener, Seen},
    clock::{Stopwatch, Timestamp},
    cookie::{HeaderTransport, SameSite, Writer},
    guard::{DataKey, Distrust, Guard, Opened, Unreadable},
    id::{Handle, Random, SecretHash, Token},
    label::LabelSource,
    lifetime::Lifetime,
    limit::SessionLimit,
    observe::{Event, EventKind, Observer, PeerOf},
    principal::Realm,
    record::{Header, Record},
    renewal::{self, Renewal, Upkeep},
    store::{Loaded, SessionStore, StoreError},
    sync::Mutex,
    watch::Watchers,
};

/// A layer's settings, its store, and what goes on in it beside the requests.
pub(crate) struct Context {
    pub(crate) marker: Marker,
    pub(crate) realm: Realm,
    pub(crate) store: Arc<dyn SessionStore>,
    /// The store's clock can be read without a round trip.
    pub(crate) tells_the_time: bool,
    /// The layer's name too.
    pub(crate) cookie_name: Arc<str>,
    pub(crate) same_site: SameSite,
    /// Where clients without cookies bring their ids, if they may.
    pub(crate) header: Option<HeaderTransport>,
    pub(crate) writer: Writer,
    /// What a browser is told to clear at the end of a session, as a header.
    pub(crate) clear_site_data: Option<HeaderValue>,
    pub(crate) guard: Guard,
    pub(crate) random: Random,
    pub(crate) lifetime: Lifetime,
    pub(crate) limit: Option<SessionLimit>,
    pub(crate) label_source: Option<LabelSource>,
    pub(crate) renewal: Option<Renewal>,
    pub(crate) load_timeout: Duration,
    pub(crate) commit_timeout: Duration,
    pub(crate) on_failure: OnFailure,
    pub(crate) observer: Observer,
    pub(crate) peer_of: Option<PeerOf>,
    pub(crate) queues: Arc<Queues>,
    pub(crate) background: Background,
    pub(crate) watchers: Watchers,
    /// How often the store is asked for sessions that live connections are bound to.
    pub(crate) watch_interval: Duration,
}

impl Context {
    pub(crate) fn observe(&self, event: Event<'_>) {
        self.observer.observe(event);
    }

    /// Returns the name under which both layers would find an id, or tell of one.
    pub(crate) fn shares<'a>(&'a self, other: &Self) -> Option<&'a str> {
        if self.cookie_name == other.cookie_name {
            return Some(&self.cookie_name);
        }
        let header = self.header.as_ref()?.shared_with(other.header.as_ref()?);
        header.map(HeaderName::as_str)
    }

    /// Starts to measure how old a look at the engine's clock is, unless the engine can be asked at any time.
    pub(crate) fn stopwatch(&self) -> Option<Stopwatch> {
        (!self.tells_the_time).then(Stopwatch::start)
    }

    /// Returns for how long an id opens the session after its successor was shown.
    pub(crate) fn grace(&self) -> Duration {
        self.renewal
            .map_or(renewal::DEFAULT_GRACE, |renewal| renewal.grace())
    }

    /// Says what a session needs besides what its request does to it.
    pub(crate) fn upkeep(&self, live: &Live) -> Upkeep {
        let Opener { secret, came_as } = live.opener;
        if came_as.is_none() {
            return Upkeep::NONE;
        }
        let (header, now) = (live.header(), self.now(&live.seen));
        let key = header.key(&secret, now, self.grace());
        header.upkeep((&secret, key), live.created, now, self.renewal.as_ref())
    }

    /// Reads the header of a record that the store has answered with, and tells those who watch of one that is not trusted.
    #[inline]
    pub(crate) fn read<'a>(
        &self,
        handle: Handle,
        loaded: &'a Loaded,
    ) -> Result<Header<'a>, Unreadable> {
        let read = self.guard.read(handle, &loaded.record, loaded.now);
        if let Err(Unreadable::Untrusted(distrust)) = read {
            self.observe_distrust(handle, distrust);
        }
        read
    }

    /// Opens the values of a record for the id that it belongs to.
    #[inline]
    pub(crate) fn open(
        &self,
        header: &Header<'_>,
        record: &Record,
        (secret, token): (&SecretHash, &Token),
    ) -> Result<Option<Opened>, Distrust> {
        let handle = token.handle();
        let opened = self.guard.open(handle, header, record, (secret, token));
        opened.inspect_err(|distrust| self.observe_distrust(handle, *distrust))
    }

    /// Opens the values of a record with the key that opened them before.
    pub(crate) fn reopen(
        &self,
        handle: Handle,
        header: &Header<'_>,
        record: &Record,
        key: Option<&DataKey>,
    ) -> Result<Option<Opened>, Distrust> {
        let opened = self.guard.reopen(handle, header, record, key);
        opened.inspect_err(|distrust| self.observe_distrust(handle, *distrust))
    }

    fn observe_distrust(&self, handle: Handle, distrust: Distrust) {
        let kind = EventKind::Rejected(distrust.into());
        self.observe(Event::new(kind).of(handle));
    }

    /// Tells what the engine's clock says by now.
    pub(crate) fn now(&self, seen: &Seen) -> Timestamp {
        self.store
            .now()
            .unwrap_or_else(|| seen.at() + seen.elapsed())
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("marker", &self.marker)
            .field("cookie_name", &self.cookie_name)
            .field("same_site", &self.same_site)
            .field("header", &self.header)
            .field("lifetime", &self.lifetime)
            .field("load_timeout", &self.load_timeout)
            .field("commit_timeout", &self.commit_timeout)
            .field("on_failure", &self.on_failure)
            .finish_non_exhaustive()
    }
}

/// The type by which a layer is told from others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marker {
    pub(crate) id: TypeId,
    /// For messages.
    pub(crate) name: &'static str,
}

impl Marker {
    pub(crate) fn of<L: 'static>() -> Self {
        Self {
            id: TypeId::of::<L>(),
            name: type_name::<L>(),
        }
    }
}

/// What becomes of the changes of a handler that answers 5xx or 408, or fails.
///
/// ```
/// use axum::{Router, body::Body, http::{Request, StatusCode}, routing::get};
/// use tenure::{OnFailure, Session, SessionLayer, store::MemoryStore};
/// use tower::ServiceExt;
///
/// async fn fails(session: Session) -> StatusCode {
///     session.insert("attempts", 1).unwrap();
///     StatusCode::INTERNAL_SERVER_ERROR
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// for (on_failure, kept) in [(OnFailure::Discard, 0), (OnFailure::Commit, 1)] {
///     let store = MemoryStore::new();
///     let layer = SessionLayer::builder(store.clone()).with_on_failure(on_failure).build().unwrap();
///     let app: Router = Router::new().route("/", get(fails)).layer(layer);
///     app.oneshot(Request::new(Body::empty())).await.unwrap();
///     assert_eq!(store.len(), kept);
/// }
/// # });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnFailure {
    /// They are committed like those of any other.
    Commit,
    /// They are dropped; what was to be ended is ended all the same. The default.
    #[default]
    Discard,
}

/// Waits for an answer for a limited time. One that is too late may or may not have been carried out.
pub(crate) async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, StoreError>> + Unpin,
) -> Result<T, StoreError> {
    before(pin!(sleep(limit)), answer).await
}

/// Waits for an answer until a timer has run down, which is then not to be asked again.
///
/// It is no `async fn`, whose future would keep the answer twice.
pub(crate) fn before<T>(
    mut timer: Pin<&mut impl Future<Output = ()>>,
    mut answer: impl Future<Output = Result<T, StoreError>> + Unpin,
) -> impl Future<Output = Result<T, StoreError>> {
    std::future::poll_fn(move |context| match Pin::new(&mut answer).poll(context) {
        task::Poll::Pending => timer
            .as_mut()
            .poll(context)
            .map(|()| Err(StoreError::unknown("the store did not answer in time"))),
        answered @ task::Poll::Ready(_) => answered,
    })
}

/// Waits for a while; for ever without a runtime, where there is no timer and a store that needs one would have failed
/// by itself.
pub(crate) async fn sleep(duration: Duration) {
    match runtime::Handle::try_current() {
        _ if duration.is_zero() => {}
        Ok(_) => tokio::time::sleep(duration).await,
        Err(_) => pending().await,
    }
}

/// Waits for several futures at once, and returns what they return in their order.
pub(crate) async fn together<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, output) in &mut waiting {
            if output.is_none()
                && let task::Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *output = Some(ready);
            }
        }
        match waiting.iter().all(|(_, output)| output.is_some()) {
            true => task::Poll::Ready(()),
            false => task::Poll::Pending,
        }
    })
    .await;
    waiting
        .into_iter()
        .filter_map(|(_, output)| output)
        .collect()
}

/// Lines up the commits of a handle that keep getting into each other's way.
///
/// This is a queue and not a lock: nothing is read or written under it that is not checked again by the store.
#[derive(Debug, Default)]
pub(crate) struct Queues(Mutex<HashMap<Handle, Arc<Semaphore>>>);

impl Queues {
    /// Waits for this commit's turn, which lasts until what is returned is dropped.
    pub(crate) fn turn(
        self: &Arc<Self>,
        handle: Handle,
    ) -> impl Future<Output = Turn> + Send + use<> {
        let semaphore = self.semaphore(handle);
        // Made before it waits, so that one who gives up leaves no queue behind.
        let mut turn = Turn {
            queues: self.clone(),
            handle,
            permit: None,
        };
        async move {
            turn.permit = semaphore.acquire_owned().await.ok();
            turn
        }
    }

    fn semaphore(&self, handle: Handle) -> Arc<Semaphore> {
        let mut queues = self.0.lock();
        let queue = queues
            .entry(handle)
            .or_insert_with(|| Arc::new(Semaphore::new(1)));
        queue.clone()
    }
}

/// A commit's turn among those of its handle.
#[derive(Debug)]
pub(crate) struct Turn {
    queues: Arc<Queues>,
    handle: Handle,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut queues = self.queues.0.lock();
        self.permit = None;
        // Whoever waits holds a clone; without one the queue is empty.
        if queues
            .get(&self.handle)
            .is_some_and(|queue| Arc::strong_count(queue) == 1)
        {
            queues.remove(&self.handle);
        }
    }
}

/// A future that owns all it needs, so that it can go on without its request.
pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Carries on what must be finished when its request is gone.
#[derive(Clone, Debug)]
pub(crate) struct Background(Arc<watch::Sender<usize>>);

impl Background {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    /// Finishes a future: at once if it needs no waiting, else by a task.
    pub(crate) fn finish<T>(
        &self,
        runtime: Option<runtime::Handle>,
        mut future: impl Future<Output = T> + Send + Unpin + 'static,
    ) {
        let runtime = runtime.or_else(|| runtime::Handle::try_current().ok());
        let entered = runtime.as_ref().map(runtime::Handle::enter);
        // Destructors call this, perhaps while a panic unwinds: a second one that got out would end the process.
        let poll = catch_unwind(AssertUnwindSafe(|| {
            Pin::new(&mut future).poll(&mut task::Context::from_waker(task::Waker::noop()))
        }));
        drop(entered);
        if let (Ok(task::Poll::Pending), Some(runtime)) = (poll, runtime) {
            let running = Running::begin(self);
            runtime.spawn(async move {
                drop(future.await);
                drop(running);
            });
        }
    }

    /// Finishes a future for whoever waits for it, and without him from when he does not.
    pub(crate) fn whole<T: Send + 'static>(&self, future: Boxed<T>) -> Whole<T> {
        Whole {
            future: Some(future),
            runtime: None,
            background: self.clone(),
        }
    }

    /// Waits until nothing is left to finish.
    pub(crate) async fn drained(&self) {
        let mut running = self.0.subscribe();
        // The sender is `self`, which is not dropped while this waits.
        drop(running.wait_for(|running| *running == 0).await);
    }
}

/// What is finished once it has begun.
pub(crate) struct Whole<T: Send + 'static> {
    /// Taken out while it is polled, so that one that panics is not polled again.
    future: Option<Boxed<T>>,
    runtime: Option<runtime::Handle>,
    background: Background,
}

impl<T: Send + 'static> Future for Whole<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> task::Poll<T> {
        let future = self.future.take();
        let mut future = future.expect("it is polled until it is done");
        let poll = future.as_mut().poll(context);
        if poll.is_pending() {
            self.future = Some(future);
            self.runtime = runtime::Handle::try_current().ok();
        }
        poll
    }
}

impl<T: Send + 'static> Drop for Whole<T> {
    fn drop(&mut self) {
        if let Some(future) = self.future.take() {
            self.background.finish(self.runtime.take(), future);
        }
    }
}

struct Running(Background);

impl Running {
    fn begin(background: &Background) -> Self {
        background.0.send_modify(|running| *running += 1);
        Self(background.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.send_modify(|running| *running -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_come_in_time_is_unknown() {
        use crate::store::StoreErrorKind;
        let late = within(Duration::from_secs(2), pending::<Result<(), StoreError>>()).await;
        assert_eq!(late.unwrap_err().kind(), StoreErrorKind::Unknown);
        assert!(within(Duration::from_secs(2), ready(Ok(()))).await.is_ok());
    }

    #[tokio::test]
    async fn one_commit_of_a_handle_has_its_turn_at_a_time_and_no_queue_is_left_behind() {
        let queues = Arc::new(Queues::default());
        let handle = Handle::from_bytes([1; 16]);
        let first = queues.turn(handle).await;
        let _other = queues.turn(Handle::from_bytes([2; 16])).await;
        let mut second = by_hand(queues.turn(handle));
        assert!(second.poll_once().is_none());
        drop(first);
        let second = second.poll_once().expect("the first is done");
        assert_eq!(queues.0.lock().len(), 2);
        let mut impatient = by_hand(queues.turn(handle));
        assert!(impatient.poll_once().is_none());
        drop(second);
        drop(impatient);
        assert_eq!(
            queues.0.lock().len(),
            1,
            "neither who is done nor who gave up leaves a queue"
        );
    }

    #[tokio::test]
    async fn drained_waits_for_what_is_being_finished() {
        let background = Background::new();
        let (gate, opened) = tokio::sync::oneshot::channel::<()>();
        background.finish(None, Box::pin(async { drop(opened.await) }));
        let mut drained = by_hand(background.drained());
        assert!(drained.poll_once().is_none());
        gate.send(()).unwrap();
        background.drained().await;
    }

    #[test]
    fn what_needs_no_waiting_is_finished_without_a_runtime() {
        let (sender, receiver) = std::sync::mpsc::channel();
        Background::new().finish(None, Box::pin(async move { sender.send(()).unwrap() }));
        assert_eq!(receiver.try_recv(), Ok(()));
    }

    struct ByHand<F>(Pin<Box<F>>);

    fn by_hand<F: Future>(future: F) -> ByHand<F> {
        ByHand(Box::pin(future))
    }

    impl<F: Future> ByHand<F> {
        fn poll_once(&mut self) -> Option<F::Output> {
            match self
                .0
                .as_mut()
                .poll(&mut task::Context::from_waker(task::Waker::noop()))
            {
                task::Poll::Ready(output) => Some(output),
                task::Poll::Pending => None,
            }
        }
    }
}
