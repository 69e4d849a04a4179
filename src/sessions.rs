//! Who is signed in where: the sessions of a principal, listed and ended.

use std::{
    collections::{
        HashMap, HashSet,
        hash_map::Entry::{Occupied, Vacant},
    },
    fmt,
    future::Future,
    sync::Arc,
};

use crate::{
    clock::{Clock, Timestamp},
    context::{Context, Whole, within},
    error::{Error, ErrorKind},
    id::Handle,
    lifetime::{Lifetime, Stamps},
    observe::EndReason,
    principal::{CredentialStamp, PrincipalId, Realm},
    record::Header,
    revocation::{self, Found, PAGE, Standing, distinct, standings, standings_known},
    slot::{Commit, Slot},
    store::{Cursor, Entry, Loaded, PrincipalIndex, StoreError, StoreErrorKind, Walked},
};

/// The sessions of principals: listed, counted, ended.
///
/// [`SessionLayer::sessions`](crate::SessionLayer::sessions) makes it; a clone is cheap, so put it into the state of a
/// router. It needs a store that keeps an index ([`SessionStore::index`](crate::store::SessionStore::index)), as all of
/// this crate do. A session is named by its handle, which is no secret and opens nothing.
///
/// ```
/// use tenure::{CredentialStamp, SessionLayer, store::MemoryStore, testing::signed_in};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let layer = SessionLayer::new(MemoryStore::new());
/// let sessions = layer.sessions();
/// for _ in 0..2 {
///     signed_in(&layer, "ada").await;
/// }
/// let listed = sessions.list("ada").await?;
/// assert_eq!(listed.len(), 2);
/// assert!(sessions.revoke("ada", listed[0].handle()).await?);
/// assert!(!sessions.revoke("grace", listed[1].handle()).await?, "it is not hers");
/// assert_eq!(sessions.revoke_all("ada").await?, 1);
/// assert_eq!(sessions.count("ada").await?, 0);
///
/// // An operator, who asks nobody's leave.
/// signed_in(&layer, "grace").await;
/// assert_eq!(sessions.count_everyone().await?, Some(1));
/// let handle = sessions.list("grace").await?[0].handle();
/// assert!(sessions.revoke_of_anybody(handle).await?);
///
/// // After a reset by mail: what checked another password is refused, and ends.
/// sessions.credentials_changed("ada", CredentialStamp::of("the new hash")).await?;
/// // After an engine has lost its index; and after a break-in.
/// sessions.repair().await?;
/// sessions.revoke_everyone().await?;
/// # Ok::<_, tenure::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Sessions {
    context: Arc<Context>,
}

impl Sessions {
    pub(crate) const fn new(context: Arc<Context>) -> Self {
        Self { context }
    }

    /// Lists the live sessions of a principal, the one that signed in first first.
    ///
    /// # Errors
    ///
    /// [`NoIndex`](ErrorKind::NoIndex) if the store keeps none, [`Store`](ErrorKind::Store) if it does not answer.
    pub async fn list(&self, principal: impl Into<PrincipalId>) -> Result<Vec<SessionInfo>, Error> {
        let principal = self.realm().enter(principal.into());
        let index = self.index()?;
        let entries = within(self.context.load_timeout, index.entries(&principal)).await;
        let entries = entries.map_err(failed)?;
        let (mut listed, mut gone) = (Vec::new(), Vec::new());
        for some in distinct(&entries).chunks(PAGE) {
            let standings = standings(&self.context, index, &principal, some).await;
            for (handle, standing) in standings.map_err(failed)? {
                match standing {
                    Standing::Bound(loaded) => {
                        listed.extend(SessionInfo::of(&self.context, handle, &loaded));
                    }
                    Standing::Foreign | Standing::Gone => gone.push(handle),
                    Standing::Expired | Standing::Pending | Standing::Unreadable => {}
                }
            }
        }
        revocation::forget(&self.context, index, &principal, &entries, &gone).await;
        Ok(listed)
    }

    /// Counts the live sessions of a principal.
    ///
    /// # Errors
    ///
    /// As for [`list`](Self::list).
    pub async fn count(&self, principal: impl Into<PrincipalId>) -> Result<usize, Error> {
        Ok(self.list(principal).await?.len())
    }

    /// Counts the live sessions of everybody in the store, anonymous ones and those of other layers too, for an operator to see: about, as some begin and end
    /// meanwhile.
    ///
    /// `None` if the store could count them only by reading all of them, as Redis would.
    ///
    /// # Errors
    ///
    /// As for [`list`](Self::list).
    pub async fn count_everyone(&self) -> Result<Option<u64>, Error> {
        let counted = within(self.context.load_timeout, self.index()?.count()).await;
        counted.map_err(failed)
    }

    /// Ends one session of a principal, and tells whether he had it.
    ///
    /// The principal is named so that a form's field cannot end somebody else's session.
    ///
    /// # Errors
    ///
    /// As for [`list`](Self::list), or [`OutcomeUnknown`](ErrorKind::OutcomeUnknown) if the store did not say whether
    /// it has ended: then try again.
    pub async fn revoke(
        &self,
        principal: impl Into<PrincipalId>,
        handle: Handle,
    ) -> Result<bool, Error> {
        let principal = self.realm().enter(principal.into());
        self.whole(async move |sessions| {
            let index = sessions.index()?;
            let found = standings(&sessions.context, index, &principal, &[handle]).await;
            let found = found.map_err(failed)?;
            if !matches!(found[..], [(_, Standing::Bound(_))]) {
                return Ok(false);
            }
            sessions.end(handle, Some(&principal)).await
        })
        .await
    }

    /// Ends a session, whoever it belongs to, and tells whether there was one.
    ///
    /// For operators, who have a handle from a log or a list. What a visitor sends is [`revoke`](Self::revoke)'s, which asks
    /// whose it is.
    ///
    /// # Errors
    ///
    /// [`Store`](ErrorKind::Store), or [`OutcomeUnknown`](ErrorKind::OutcomeUnknown): then try again.
    pub async fn revoke_of_anybody(&self, handle: Handle) -> Result<bool, Error> {
        self.end(handle, None).await
    }

    /// Ends all sessions of a principal, and returns how many there were.
    ///
    /// When it returns, no session of his is alive that existed or was being made: a login is refused whose commit had told the
    /// index of it by then. One that has checked a password and is committed later is a new session; whoever changes a
    /// password uses [`credentials_changed`](Self::credentials_changed). A login that is
    /// [half finished](crate::Session::begin_login) is not his yet.
    ///
    /// It is carried out whole once it has begun, also if its caller goes away. Sessions that cannot be reached, on a server
    /// that is down, live on, which is an error: all others end.
    ///
    /// # Errors
    ///
    /// As for [`revoke`](Self::revoke); some may have ended.
    pub async fn revoke_all(&self, principal: impl Into<PrincipalId>) -> Result<usize, Error> {
        let principal = self.realm().enter(principal.into());
        self.revoke_all_but(principal, None).await
    }

    /// Does what [`credentials_changed`](Self::credentials_changed) does but for one session, which is given a new id at
    /// once: a copy of the old one is worth nothing from then on. Where somebody else has given it another meanwhile, it ends.
    pub(crate) async fn credentials_changed_in(
        &self,
        slot: Arc<Slot>,
        handle: Option<Handle>,
        principal: PrincipalId,
        stamp: CredentialStamp,
    ) -> Result<usize, Error> {
        self.whole(async move |sessions| {
            let ended = sessions.restamp(&principal, &stamp, handle).await;
            let Err(error) = Commit::new(slot, None).await else {
                return ended;
            };
            let is_taken_over =
                matches!(error.kind(), ErrorKind::Superseded | ErrorKind::Contended);
            if let Some(handle) = handle.filter(|_| is_taken_over) {
                sessions.end(handle, Some(&principal)).await?;
            }
            Err(error)
        })
        .await
    }

    /// Ends all sessions of a principal but one.
    pub(crate) async fn revoke_all_but(
        &self,
        principal: PrincipalId,
        kept: Option<Handle>,
    ) -> Result<usize, Error> {
        self.whole(async move |sessions| {
            let entries = sessions.index()?.entries(&principal);
            let entries = within(sessions.context.load_timeout, entries).await;
            let entries = entries.map_err(failed)?;
            sessions.end_all(&principal, entries, kept).await
        })
        .await
    }

    /// Ends all sessions of a principal whose credential was changed, and refuses logins that checked another one, for
    /// a day: also one that verified the old password and is committed later.
    ///
    /// For a reset by mail or by an operator. Where somebody changes his password from a session, use
    /// [`Session::credentials_changed`](crate::Session::credentials_changed), which keeps that session. It works if logins
    /// say what they checked: [`login_with`](crate::Session::login_with).
    ///
    /// # Errors
    ///
    /// As for [`revoke_all`](Self::revoke_all).
    pub async fn credentials_changed(
        &self,
        principal: impl Into<PrincipalId>,
        stamp: CredentialStamp,
    ) -> Result<usize, Error> {
        let principal = self.realm().enter(principal.into());
        self.whole(async move |sessions| sessions.restamp(&principal, &stamp, None).await)
            .await
    }

    pub(crate) async fn restamp(
        &self,
        principal: &PrincipalId,
        stamp: &CredentialStamp,
        kept: Option<Handle>,
    ) -> Result<usize, Error> {
        let entries = self.index()?.restamp(principal, stamp);
        let entries = within(self.context.commit_timeout, entries).await;
        self.end_all(principal, entries.map_err(failed)?, kept)
            .await
    }

    /// Ends every session of the store, anonymous ones too, and returns how many there were.
    ///
    /// A session that begins meanwhile may be among them or not. Where a store of several servers cannot be gone through
    /// because one is down, those that come after it live on, which is an error: call it again.
    ///
    /// # Errors
    ///
    /// As for [`revoke_all`](Self::revoke_all).
    pub async fn revoke_everyone(&self) -> Result<usize, Error> {
        self.whole(async |sessions| sessions.end_everyone().await)
            .await
    }

    async fn end_everyone(&self) -> Result<usize, Error> {
        let (mut from, mut ended, mut trouble) = (None, 0, None);
        loop {
            let step = self.walk(from.as_ref()).await?;
            for outcome in self.end_each(&step.handles, None).await {
                match outcome {
                    Ok(was_there) => ended += usize::from(was_there),
                    Err(error) => trouble = Some(error),
                }
            }
            from = step.next;
            if from.is_none() {
                return trouble.map_or(Ok(ended), Err);
            }
        }
    }

    /// Enters every session that is bound into the index again, and returns how many were looked at.
    ///
    /// For an engine that has lost a part of its data, or a store that had no index before.
    ///
    /// # Errors
    ///
    /// As for [`list`](Self::list).
    pub async fn repair(&self) -> Result<usize, Error> {
        let (mut from, mut bound) = (None, 0);
        loop {
            let step = self.walk(from.as_ref()).await?;
            bound += self.enter_missing(&step.handles).await?;
            from = step.next;
            if from.is_none() {
                return Ok(bound);
            }
        }
    }

    /// Enters those sessions that are bound and not in the index, and returns how many are bound. Those that are in it keep
    /// their place: it says who signed in first.
    async fn enter_missing(&self, handles: &[Handle]) -> Result<usize, Error> {
        let (index, mut entered, mut bound) = (self.index()?, HashMap::new(), 0);
        let found = revocation::load_all(&self.context, index, handles).await;
        for (handle, found) in handles.iter().zip(found.map_err(failed)?) {
            if let Found::Record(loaded) = found
                && let Some(principal) = loaded.record.principal()
                && PrincipalId::from(principal).is_valid()
            {
                let known = match entered.entry(PrincipalId::from(principal)) {
                    Occupied(known) => known.into_mut(),
                    Vacant(place) => place.insert(self.known(principal).await?),
                };
                if known.insert(*handle) {
                    let entry = Entry::new(*handle, loaded.record.version());
                    let entering = index.enter(&principal.into(), entry, None, 0);
                    let entering = within(self.context.commit_timeout, entering).await;
                    entering.map_err(failed)?;
                }
                bound += 1;
            }
        }
        Ok(bound)
    }

    /// Returns which sessions of a principal are in the index.
    async fn known(&self, principal: &str) -> Result<HashSet<Handle>, Error> {
        let entries = self.index()?.entries(&principal.into());
        let entries = within(self.context.load_timeout, entries).await;
        let entries = entries.map_err(failed)?;
        Ok(entries.into_iter().map(|entry| entry.handle).collect())
    }

    async fn walk(&self, from: Option<&Cursor>) -> Result<Walked, Error> {
        let walked = self.index()?.walk(from, WALKED_AT_ONCE);
        let walked = within(self.context.commit_timeout, walked).await;
        walked.map_err(failed)
    }

    async fn end_all(
        &self,
        principal: &PrincipalId,
        entries: Vec<Entry>,
        kept: Option<Handle>,
    ) -> Result<usize, Error> {
        let mut handles = distinct(&entries);
        handles.retain(|handle| Some(*handle) != kept);
        let mut ending = Ending::default();
        for some in handles.chunks(PAGE) {
            self.end_page(principal, some, &mut ending).await?;
        }
        revocation::forget(
            &self.context,
            self.index()?,
            principal,
            &entries,
            &ending.gone,
        )
        .await;
        ending.trouble.map_or(Ok(ending.ended), Err)
    }

    async fn end_page(
        &self,
        principal: &PrincipalId,
        handles: &[Handle],
        ending: &mut Ending,
    ) -> Result<(), Error> {
        let standings = standings_known(&self.context, self.index()?, principal, handles).await;
        let mut there = Vec::new();
        for (handle, standing) in standings {
            match standing {
                Ok(Standing::Foreign | Standing::Gone) => ending.gone.push(handle),
                Ok(Standing::Bound(_)) => there.push((handle, 1)),
                // A login on its way finds nothing to bind, and is refused.
                Ok(Standing::Expired | Standing::Pending | Standing::Unreadable) => {
                    there.push((handle, 0));
                }
                // Whose it is by now is not known; the others end all the same.
                Err(error) => ending.trouble = Some(failed(error)),
            }
        }
        let handles: Vec<_> = there.iter().map(|(handle, _)| *handle).collect();
        for ((handle, count), outcome) in there
            .into_iter()
            .zip(self.end_each(&handles, Some(principal)).await)
        {
            match outcome {
                Ok(_) => {
                    ending.ended += count;
                    ending.gone.push(handle);
                }
                Err(error) => ending.trouble = Some(error),
            }
        }
        Ok(())
    }

    /// Carries out what ends sessions, also if nobody waits for it any more.
    fn whole<T: Send + 'static, F>(&self, verb: impl FnOnce(Self) -> F) -> Whole<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let verb = Box::pin(verb(self.clone()));
        self.context.background.whole(verb)
    }

    async fn end_each(
        &self,
        handles: &[Handle],
        principal: Option<&PrincipalId>,
    ) -> Vec<Result<bool, Error>> {
        let ended =
            revocation::end_each(&self.context, handles, principal, EndReason::Revoked).await;
        ended
            .into_iter()
            .map(|ended| ended.map_err(failed))
            .collect()
    }

    async fn end(&self, handle: Handle, principal: Option<&PrincipalId>) -> Result<bool, Error> {
        let ended = revocation::end(&self.context, handle, principal, EndReason::Revoked).await;
        ended.map_err(failed)
    }

    /// Tells the time by the store's clock, if it can be read without a round trip.
    pub(crate) fn now(&self) -> Timestamp {
        let now = self.context.store.now();
        now.unwrap_or_else(|| Clock::system().now())
    }

    fn realm(&self) -> &Realm {
        &self.context.realm
    }

    fn index(&self) -> Result<&dyn PrincipalIndex, Error> {
        let index = self.context.store.index();
        index.ok_or_else(|| Error::new(ErrorKind::NoIndex))
    }
}

/// What has come so far of ending the sessions of a principal.
#[derive(Default)]
struct Ending {
    ended: usize,
    gone: Vec<Handle>,
    /// Why one could not be ended.
    trouble: Option<Error>,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

fn failed(error: StoreError) -> Error {
    let kind = match error.kind() {
        StoreErrorKind::Unknown => ErrorKind::OutcomeUnknown,
        StoreErrorKind::Corrupt | StoreErrorKind::Full | StoreErrorKind::Unavailable => {
            ErrorKind::Store
        }
    };
    Error::new(kind).with_source(error)
}

/// A live session, as a list of devices shows it.
///
/// Its times are those of the store's clock.
///
/// ```
/// use tenure::{SessionLayer, store::MemoryStore, testing::signed_in};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let layer = SessionLayer::new(MemoryStore::new());
/// signed_in(&layer, "ada").await;
/// let session = &layer.sessions().list("ada").await.unwrap()[0];
/// assert!(session.created_at() <= session.authenticated_at());
/// assert!(session.last_seen_at() < session.idle_expires_at());
/// assert!(session.idle_expires_at() <= session.expires_at());
/// assert!(!session.was_shown(), "nobody has come with its cookie");
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    handle: Handle,
    label: Option<Box<str>>,
    stamps: Stamps,
    lifetime: Lifetime,
    was_shown: bool,
}

impl SessionInfo {
    /// Reads what a list shows from a record; one that does not decode cannot be shown.
    fn of(context: &Context, handle: Handle, loaded: &Loaded) -> Option<Self> {
        let header = Header::decode(loaded.record.header()).ok()?;
        Some(Self {
            handle,
            label: header.label().map(Box::from),
            stamps: header.stamps(loaded.created, loaded.last_seen),
            lifetime: header.lifetime.unwrap_or(context.lifetime),
            was_shown: !header.is_unshown,
        })
    }

    /// Returns the session's public name, for [`Sessions::revoke`], and to tell which one is
    /// [this one](crate::Session::handle).
    #[must_use]
    pub const fn handle(&self) -> Handle {
        self.handle
    }

    /// Returns what the application calls the session, such as the browser's name: see
    /// [`Session::set_label`](crate::Session::set_label).
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// Returns when the session began, perhaps before its user signed in.
    #[must_use]
    pub const fn created_at(&self) -> Timestamp {
        self.stamps.created
    }

    /// Returns when its user signed in last.
    #[must_use]
    pub fn authenticated_at(&self) -> Timestamp {
        self.stamps.authenticated.unwrap_or(self.stamps.created)
    }

    /// Returns when it was used last, as exactly as [touches](Lifetime::touch_every) are made.
    #[must_use]
    pub const fn last_seen_at(&self) -> Timestamp {
        self.stamps.last_seen
    }

    /// Tells whether a request has come with the cookie of its login. Until then the response may have been lost, or be on
    /// its way; beyond a [limit](crate::SessionLimit) such a session ends first. The first request that comes with it is written
    /// down when its handler has returned, so there the answer is no.
    #[must_use]
    pub const fn was_shown(&self) -> bool {
        self.was_shown
    }

    /// Returns when it ends if nobody uses it.
    #[must_use]
    pub fn idle_expires_at(&self) -> Timestamp {
        self.lifetime
            .idle_deadline(self.stamps)
            .min(self.expires_at())
    }

    /// Returns when it ends in any case.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.lifetime.absolute_deadline(self.stamps)
    }
}

/// How many handles a walk over all sessions asks for at once.
const WALKED_AT_ONCE: usize = 500;
