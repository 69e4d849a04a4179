//! Sessions of what outlives its request: a socket, a stream, a task in the background.

mod look;
mod poll;

use std::{fmt, future::Future, marker::PhantomData, sync::Arc};

use crate::{
    change::{Draft, Live},
    context::{Context, within},
    error::{Error, ErrorKind},
    guard::DataKey,
    id::Handle,
    load::failed,
    observe::{Event, EventKind},
    session::{Main, Session},
    slot::Slot,
    watch::{Ended, Watched},
};

/// A session that has left its request, for a WebSocket, a stream of events or a task in the background.
///
/// [`Session::detach`] makes it. It is bound to the session's [handle](Session::handle) and
/// [generation](Session::generation), not to an id: it can do nothing once the session has ended or somebody has signed in to
/// it, and [`ended`](Self::ended) tells when that is. Clones are the same live session.
///
/// ```
/// use tenure::{Ended, Error, LiveSession, Session};
///
/// /// Adds up what comes in, until the session ends.
/// async fn serve(live: LiveSession, mut incoming: tokio::sync::mpsc::Receiver<u32>) -> Result<Ended, Error> {
///     loop {
///         tokio::select! {
///             ended = live.ended() => return Ok(ended),
///             Some(points) = incoming.recv() => {
///                 let session = live.reload().await?;
///                 session.update_with("points", points, |sum: &mut u32, points| *sum += points)?;
///                 session.commit().await?; // there is no response that would
///             }
///         }
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # let session: Session = Session::for_test([("points", 3)]);
/// session.commit().await?; // what is not in the store cannot be detached
/// let live = session.detach()?;
/// assert_eq!((Some(live.handle()), live.generation()), (session.handle(), session.generation()));
/// let (sender, incoming) = tokio::sync::mpsc::channel(1);
/// let serving = tokio::spawn(serve(live.clone(), incoming));
/// sender.send(4).await.unwrap();
/// while live.reload().await?.get::<u32>("points")? != Some(7) {
///     tokio::task::yield_now().await;
/// }
/// session.logout()?;
/// session.commit().await?;
/// assert_eq!(serving.await.unwrap()?, Ended::Gone);
/// assert!(live.reload().await.is_err());
/// # Ok::<_, Error>(())
/// # }).unwrap();
/// ```
pub struct LiveSession<L = Main> {
    attached: Arc<Attached>,
    layer: PhantomData<fn() -> L>,
}

/// # Live connections
impl<L> Session<L> {
    /// Gives what outlives this request a session of its own; see [`LiveSession`].
    ///
    /// Call it in the handler, and move what it returns into the stream or the task; it does not keep the session alive.
    ///
    /// # Errors
    ///
    /// [`Uncommitted`](ErrorKind::Uncommitted) if there is no record yet, or if an end or a change of rights is pending:
    /// [`commit`](Self::commit) first. [`Superseded`](ErrorKind::Superseded) if the request came with an id that was
    /// replaced a moment ago.
    pub fn detach(&self) -> Result<LiveSession<L>, Error> {
        let live = self.slot().ask(|draft| draft.detachable().cloned())?;
        Ok(LiveSession {
            attached: Attached::new(self.slot().context().clone(), &live),
            layer: PhantomData,
        })
    }
}

impl<L> LiveSession<L> {
    /// Waits until the session has ended, and says why.
    ///
    /// At once if it is ended by this layer in this process. If it is ended elsewhere, or expires, within
    /// [an interval](crate::SessionLayerBuilder::with_watch_interval) and the time that the store takes to answer: all live
    /// sessions of a layer share one question per interval, from the first that somebody waits for until the last is dropped.
    ///
    /// A store that does not answer ends nothing. But nothing prolongs a session either while it is away: it ends, as
    /// [`Expired`](Ended::Expired), when it would have ended by what the store said last.
    ///
    /// The future borrows nothing, so a stream can be cut by it.
    pub fn ended(&self) -> impl Future<Output = Ended> + Send + use<L> {
        let attached = self.attached.clone();
        async move {
            let (context, watched) = (&attached.context, &attached.watched);
            context
                .watchers
                .wait(watched, || poll::start(context))
                .await
        }
    }

    /// Returns the session as it is now.
    ///
    /// Its changes are committed by [`commit`](Session::commit), [`update_now`](Session::update_now) and
    /// [`claim`](Session::claim) alone: there is no response that would, and what is not committed is lost with it, which is an
    /// [event](crate::EventKind::Uncommitted). It can end
    /// the session, but not give it a new id, which no browser would learn. To reload does not prolong a session; a
    /// commit does.
    ///
    /// # Errors
    ///
    /// [`Gone`](ErrorKind::Gone) if it has ended, [`Superseded`](ErrorKind::Superseded) if somebody has signed in to it or
    /// gained rights, [`Store`](ErrorKind::Store) if the store does not answer.
    pub async fn reload(&self) -> Result<Session<L>, Error> {
        let live = self.attached.load().await?;
        let slot = Slot::detached(self.attached.context.clone(), Draft::detached(live));
        Ok(Session::of(Arc::new(slot)))
    }

    /// Lets the session live on as if its user had sent a request, because he uses the connection.
    ///
    /// Otherwise a socket that stays open does not keep a session from expiring. The stamp is renewed as seldom as
    /// [requests](crate::Lifetime::touch_every) do, so it may be called for every message.
    ///
    /// ```
    /// # use tenure::Session;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let session: Session = Session::for_test([("visits", 3)]);
    /// session.commit().await?;
    /// let live = session.detach()?;
    /// live.keep_alive().await?;
    /// # Ok::<_, tenure::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`reload`](Self::reload).
    pub async fn keep_alive(&self) -> Result<(), Error> {
        self.attached.keep_alive().await
    }

    /// Returns the public name of the session.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.attached.watched.handle()
    }

    /// Returns how many changes of rights the session had when this left its request. It can do nothing after another.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.attached.watched.generation()
    }
}

impl<L> Clone for LiveSession<L> {
    fn clone(&self) -> Self {
        Self {
            attached: self.attached.clone(),
            layer: PhantomData,
        }
    }
}

impl<L> fmt::Debug for LiveSession<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveSession")
            .field("handle", &self.handle())
            .field("generation", &self.generation())
            .field("ended", &self.attached.watched.ended())
            .finish_non_exhaustive()
    }
}

/// A place among those who want to know when a session ends.
struct Attached {
    context: Arc<Context>,
    watched: Arc<Watched>,
    /// Of the values, if they are sealed: no browser is there to bring its secret.
    key: Option<DataKey>,
}

impl Attached {
    fn new(context: Arc<Context>, live: &Live) -> Arc<Self> {
        let deadline = look::deadline(&context, live);
        let watched = Watched::new(live.handle, live.header().generation, deadline);
        context.watchers.add(watched.clone());
        Arc::new(Self {
            context,
            watched,
            key: live.data_key().cloned(),
        })
    }

    async fn load(&self) -> Result<Live, Error> {
        let (context, watched) = (&self.context, &self.watched);
        if let Some(ended) = watched.ended() {
            return Err(refused(ended));
        }
        let handle = watched.handle();
        let loaded = within(context.load_timeout, context.store.load(&handle)).await;
        let loaded = loaded.map_err(|error| failed(context, handle, error))?;
        let looked = look::look(context, watched, loaded).map_err(|cause| {
            let error = Error::new(ErrorKind::UndecodableRecord).with_source(cause);
            let event = Event::new(EventKind::Undecodable).of(handle);
            context.observe(event.because(&error));
            error
        })?;
        let mut live = looked.map_err(refused)?;
        let header = live.header();
        let opened = context.reopen(handle, &header, &live.record, self.key.as_ref());
        live.opened = opened.map_err(|_| Error::new(ErrorKind::Gone))?;
        Ok(live)
    }

    async fn keep_alive(&self) -> Result<(), Error> {
        let context = &self.context;
        for _ in 0..TOUCHES {
            let mut live = self.load().await?;
            let lifetime = live.header().lifetime.unwrap_or(context.lifetime);
            let due = lifetime.touch(live.stamps(), context.now(&live.seen));
            let Some(expires_in) = due else {
                return Ok(());
            };
            let (handle, version) = (live.handle, live.record.version());
            let touched = context.store.touch(&handle, version, expires_in);
            let touched = within(context.load_timeout, touched).await;
            if touched.map_err(|error| failed(context, handle, error))? {
                live.touched();
                self.watched.put_off(look::deadline(context, &live));
                return Ok(());
            }
        }
        // Whoever is changing it again and again keeps it alive as well.
        Ok(())
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.context.watchers.remove(&self.watched);
    }
}

const fn refused(ended: Ended) -> Error {
    Error::new(match ended {
        Ended::Expired | Ended::Gone => ErrorKind::Gone,
        Ended::PrivilegeChanged => ErrorKind::Superseded,
    })
}

/// A touch fails when the record has just been changed, which renews its stamp too.
const TOUCHES: usize = 3;
