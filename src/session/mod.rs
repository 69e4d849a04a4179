//! What a handler does with its session: plain methods on memory, and three that go to the store at once.

mod place;

use std::{any, fmt, marker::PhantomData, str::FromStr, sync::Arc, time::Duration};

pub(crate) use place::Slots;
pub use place::{LoadFuture, SessionSlot};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    change::{Deed, Draft, Edits, Live, Look, Operation, Origin, Update},
    clock::Timestamp,
    cookie::Transport,
    error::{Error, ErrorKind},
    id::Handle,
    json,
    key::{Key, KeyName, Undecodable, is_valid_name},
    label::Label,
    lifetime::{Lifetime, Stamps},
    observe::EndReason,
    principal::{CredentialStamp, PrincipalId, Realm},
    sessions::Sessions,
    slot::{Commit, Slot},
};

/// The marker of a layer that has no other.
///
/// ```
/// use tenure::{Main, Session};
///
/// let session: Session<Main> = Session::for_test([("visits", 3)]);
/// let same: Session = session;
/// assert_eq!(same.get::<u32>("visits").unwrap(), Some(3));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Main;

/// A visitor's session, loaded.
///
/// Under axum it is an extractor, and it is loaded before the handler's body runs; elsewhere
/// [`SessionSlot::session`] loads it. All methods but three are plain calls on memory. What they change is committed
/// when the handler has returned, before the response is released, and it is committed as *changes*: two requests that
/// change different keys both win, and an [`update`](Self::update) is made again on the outcome of whoever was faster.
///
/// Clones are the same session. `L` is the marker of the layer it belongs to, [`Main`] unless you have several.
///
/// ```
/// use axum::{Router, body::Body, http::{Request, StatusCode}, routing::get};
/// use tenure::{Session, SessionLayer, store::MemoryStore};
/// use tower::ServiceExt;
///
/// async fn visits(session: Session) -> Result<String, tenure::Error> {
///     session.update("visits", |visits: &mut u32| *visits += 1)?;
///     Ok(format!("{} visits", session.get::<u32>("visits")?.unwrap_or_default()))
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let app: Router = Router::new().route("/", get(visits)).layer(SessionLayer::new(MemoryStore::new()));
/// let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
/// assert_eq!(response.status(), StatusCode::OK);
/// assert!(response.headers()["set-cookie"].to_str().unwrap().starts_with("__Host-Http-id="));
/// # });
/// ```
pub struct Session<L = Main> {
    slot: Arc<Slot>,
    layer: PhantomData<fn() -> L>,
}

/// # Values
impl<L> Session<L> {
    /// Returns a value; `None` if there is none.
    ///
    /// What a request has read and another has changed meanwhile it cannot [`insert`](Self::insert) any more: use
    /// [`update`](Self::update) for what depends on what there was.
    ///
    /// ```
    /// use tenure::{Session, SessionKey};
    ///
    /// const VISITS: SessionKey<u32> = SessionKey::new("visits");
    ///
    /// # fn main() -> Result<(), tenure::Error> {
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// assert_eq!(session.get(&VISITS)?, Some(3));
    /// assert_eq!(session.get::<u32>("visits")?, Some(3));
    /// assert_eq!(session.get::<String>("name")?, None);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`UndecodableValue`](ErrorKind::UndecodableValue) if the value is of another type. Other keys are not affected.
    pub fn get<T: DeserializeOwned>(&self, key: impl Key<T>) -> Result<Option<T>, Error> {
        let name = key.name();
        let value = self.slot.ask(|draft| draft.read(name))?;
        let decoded = json::decode_or_missing(name, key.undecodable(), value.as_deref());
        decoded.inspect_err(|error| self.slot.observe_refusal(error))
    }

    /// Tells whether there is a value, without decoding it.
    ///
    /// ```
    /// # use tenure::Session;
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// assert!(session.contains("visits").unwrap());
    /// assert!(!session.contains("name").unwrap());
    /// ```
    ///
    /// # Errors
    ///
    /// [`UndecodableValue`](ErrorKind::UndecodableValue) if the stored values cannot be read at all.
    pub fn contains(&self, key: impl KeyName) -> Result<bool, Error> {
        let name = key.name();
        Ok(self.slot.ask(|draft| draft.read(name))?.is_some())
    }

    /// Lists the names of the values.
    ///
    /// ```
    /// # use tenure::Session;
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// assert_eq!(session.keys().unwrap(), ["visits"]);
    /// ```
    ///
    /// # Errors
    ///
    /// [`UndecodableValue`](ErrorKind::UndecodableValue) if the stored values cannot be read at all.
    pub fn keys(&self) -> Result<Vec<String>, Error> {
        self.slot.ask(|draft| draft.keys())
    }

    /// Writes a value, whatever there was.
    ///
    /// An equal value is no change. Where this request has read the key before, the value is written only if it is
    /// still the one that was read; otherwise the commit fails with
    /// [`ChangedSinceRead`](ErrorKind::ChangedSinceRead).
    ///
    /// ```
    /// # use tenure::Session;
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// session.insert("visits", 4).unwrap();
    /// assert_eq!(session.get::<u32>("visits").unwrap(), Some(4));
    /// ```
    ///
    /// # Errors
    ///
    /// [`TooLarge`](ErrorKind::TooLarge), [`Unserializable`](ErrorKind::Unserializable),
    /// [`InvalidKey`](ErrorKind::InvalidKey), or one of those [every change](ErrorKind) may have: the old state is
    /// intact.
    pub fn insert<T: Serialize>(&self, key: impl Key<T>, value: T) -> Result<(), Error> {
        let name = checked(key.name())?;
        let value = json::encode(name, &value)?;
        self.slot.change(|draft| draft.write(name, Some(value)))
    }

    /// Removes a value; a missing one is no change.
    ///
    /// ```
    /// # use tenure::Session;
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// session.remove("visits").unwrap();
    /// assert!(!session.contains("visits").unwrap());
    /// ```
    ///
    /// # Errors
    ///
    /// Those every change may have; see [`ErrorKind`].
    pub fn remove(&self, key: impl KeyName) -> Result<(), Error> {
        let name = key.name();
        self.slot.change(|draft| draft.write(name, None))
    }

    /// Removes a value and returns it, for messages that are shown once.
    ///
    /// Two requests at once may both get it; [`claim`](Self::claim) gives it to one. If another request has replaced
    /// the value meanwhile, the new one stays.
    ///
    /// ```
    /// # use tenure::Session;
    /// let session: Session = Session::for_test([("flash", "saved")]);
    /// assert_eq!(session.take::<String>("flash").unwrap().as_deref(), Some("saved"));
    /// assert_eq!(session.take::<String>("flash").unwrap(), None);
    /// ```
    ///
    /// # Errors
    ///
    /// [`UndecodableValue`](ErrorKind::UndecodableValue), and then the value stays; or those every change may have.
    pub fn take<T: DeserializeOwned>(&self, key: impl Key<T>) -> Result<Option<T>, Error> {
        let (name, undecodable) = (key.name(), key.undecodable());
        loop {
            let (look, value) = self.look(name, undecodable, Deed::Change)?;
            if self.slot.change(|draft| draft.take(name, &look))? {
                return Ok(value);
            }
        }
    }

    /// Changes a value by a function that can run again, so that no change is ever lost.
    ///
    /// The function gets the value, or its default, and changes it. When another request has committed first, it runs
    /// once more on that outcome: N parallel increments add N. So it must depend on nothing but its argument, and what
    /// it computes for the handler is better asked for by [`update_now`](Self::update_now).
    ///
    /// ```
    /// # use tenure::Session;
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// session.update("visits", |visits: &mut u32| *visits += 1).unwrap();
    /// assert_eq!(session.get::<u32>("visits").unwrap(), Some(4));
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert), and [`UndecodableValue`](ErrorKind::UndecodableValue): what cannot be read is
    /// not overwritten.
    pub fn update<T>(
        &self,
        key: impl Key<T>,
        update: impl FnMut(&mut T) + Send + 'static,
    ) -> Result<(), Error>
    where
        T: Default + DeserializeOwned + Serialize + 'static,
    {
        self.add_update(key, T::default, update)
    }

    /// Changes a value by a function and an argument, as in `session.update_with(&CART, item, Cart::add)`.
    ///
    /// ```
    /// # use tenure::Session;
    /// let session: Session = Session::for_test([("seen", vec![1])]);
    /// session.update_with("seen", 2, Vec::<u32>::push).unwrap();
    /// assert_eq!(session.get::<Vec<u32>>("seen").unwrap(), Some(vec![1, 2]));
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`update`](Self::update).
    pub fn update_with<T, A>(
        &self,
        key: impl Key<T>,
        argument: A,
        mut update: impl FnMut(&mut T, A) + Send + 'static,
    ) -> Result<(), Error>
    where
        T: Default + DeserializeOwned + Serialize + 'static,
        A: Clone + Send + 'static,
    {
        self.add_update(key, T::default, move |value| {
            update(value, argument.clone());
        })
    }

    /// Changes a value that has no default: a missing one is `initial` before it is changed.
    ///
    /// ```
    /// # use tenure::Session;
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// session.update_or("stock", 10_u32, |stock| *stock -= 1).unwrap();
    /// assert_eq!(session.get::<u32>("stock").unwrap(), Some(9));
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`update`](Self::update).
    pub fn update_or<T>(
        &self,
        key: impl Key<T>,
        initial: T,
        update: impl FnMut(&mut T) + Send + 'static,
    ) -> Result<(), Error>
    where
        T: Clone + DeserializeOwned + Send + Serialize + 'static,
    {
        self.add_update(key, move || initial.clone(), update)
    }

    /// Drops all values and keeps the identity, the handle and the id.
    ///
    /// ```
    /// # use tenure::Session;
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// session.clear().unwrap();
    /// assert!(session.keys().unwrap().is_empty());
    /// ```
    ///
    /// # Errors
    ///
    /// Those every change may have; see [`ErrorKind`].
    pub fn clear(&self) -> Result<(), Error> {
        self.slot.change(|draft| draft.clear())
    }
}

/// # At the store at once
///
/// What a handler must know before it acts cannot wait for the response. These return when the store has answered;
/// what they commit stays committed whatever the handler answers, and what fails is dropped and not tried again. Once
/// begun they are finished, even if the client goes away or the future is dropped. One that is neither awaited nor
/// dropped holds up the other loads and commits of its own request.
///
/// [`update_now`](Self::update_now) and [`claim`](Self::claim) commit what is pending for their own key and leave the rest
/// to the response. After [`clear`](Self::clear), an end, or a login that makes a new session a key cannot be told from the
/// rest, and they commit all of it.
impl<L> Session<L> {
    /// Changes a value at once and returns what was committed.
    ///
    /// As [`update`](Self::update), for this key only. The function runs when it is committed, on what is pending for the
    /// key, and again if another request was first.
    ///
    /// ```
    /// # use tenure::Session;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let session: Session = Session::for_test([("stock", 3)]);
    /// assert_eq!(session.update_now("stock", |stock: &mut u32| *stock -= 1).await.unwrap(), 2);
    /// # });
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`update`](Self::update) and [`commit`](Self::commit).
    pub async fn update_now<T>(
        &self,
        key: impl Key<T> + Send,
        update: impl FnMut(&mut T) + Send + 'static,
    ) -> Result<T, Error>
    where
        T: Default + DeserializeOwned + Serialize + 'static,
    {
        let (name, undecodable) = (Box::<str>::from(checked(key.name())?), key.undecodable());
        // What cannot be read is found out before anything is sent.
        self.look::<T>(&name, undecodable, Deed::Start)?;
        let update = updating(&name, undecodable, T::default, update);
        let edits = self.commit_now(Operation::update(&name, update)).await?;
        let committed = edits.find(&name)?;
        json::decode(&name, committed.as_deref().unwrap_or_default())
    }

    /// Removes a value at once and gives it to exactly one request: an order to place, a code that works once.
    ///
    /// `None` if there is none, or if another request has got it. If the store's answer is lost the error says so, and
    /// the value may be gone without anybody having got it: at most once, never twice.
    ///
    /// ```
    /// # use tenure::Session;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let session: Session = Session::for_test([("code", 123_456)]);
    /// assert_eq!(session.claim::<u32>("code").await.unwrap(), Some(123_456));
    /// assert_eq!(session.claim::<u32>("code").await.unwrap(), None);
    /// # });
    /// ```
    ///
    /// # Errors
    ///
    /// [`UndecodableValue`](ErrorKind::UndecodableValue), and then the value stays; or as for
    /// [`commit`](Self::commit).
    pub async fn claim<T: DeserializeOwned>(
        &self,
        key: impl Key<T> + Send,
    ) -> Result<Option<T>, Error> {
        let (name, undecodable): (Box<str>, _) = (key.name().into(), key.undecodable());
        self.look::<T>(&name, undecodable, Deed::Change)?;
        let claim = Operation::claim(&name, json::check::<T>(undecodable));
        let edits = self.commit_now(claim).await?;
        json::decode_or_missing(&name, undecodable, edits.into_claimed().as_deref())
    }

    /// Commits everything that is pending, at once.
    ///
    /// Where this creates a session or gives it a new id, the response brings the cookie whatever its status.
    ///
    /// ```
    /// # use tenure::Session;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// session.commit().await.unwrap();
    /// assert!(session.handle().is_some());
    /// # });
    /// ```
    ///
    /// # Errors
    ///
    /// What a response can be replaced for: see the table in [`ErrorKind`]. What was to be committed is dropped.
    pub async fn commit(&self) -> Result<(), Error> {
        self.slot.change(|_| Ok(()))?;
        Commit::new(self.slot.clone(), None).await.map(drop)
    }

    async fn commit_now(&self, operation: Operation) -> Result<Edits, Error> {
        Commit::new(self.slot.clone(), Some(operation)).await
    }
}

/// # Identity
impl<L> Session<L> {
    /// Attaches an identity, as soon as somebody has proved it.
    ///
    /// The session gets a new id, so that one planted before is worth nothing (session fixation). What an anonymous
    /// visitor had is kept; what another principal had is not, for then the session is replaced by a new one. For the
    /// same principal it is a re-authentication: both time-outs start again.
    ///
    /// This request sees him signed in from now on, but it is the commit that lets him in, and it may refuse
    /// ([`TooManySessions`](ErrorKind::TooManySessions), [`CredentialsChanged`](ErrorKind::CredentialsChanged)). A handler that goes on to act
    /// for him calls [`commit`](Self::commit) first.
    ///
    /// ```
    /// # use tenure::Session;
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// session.login(42).unwrap();
    /// assert_eq!(session.principal().unwrap(), "42");
    /// assert_eq!(session.get::<u32>("visits").unwrap(), Some(3));
    /// session.login("another").unwrap();
    /// assert_eq!(session.get::<u32>("visits").unwrap(), None);
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidPrincipal`](ErrorKind::InvalidPrincipal) if it is empty or longer than 255 bytes; or those every change
    /// may have.
    pub fn login(&self, principal: impl Into<PrincipalId>) -> Result<(), Error> {
        let principal = self.known_as(principal);
        self.log_in(|draft| draft.login(principal))
    }

    /// Attaches an identity, and says which credential was checked for it.
    ///
    /// As [`login`](Self::login), and refused at the commit
    /// ([`CredentialsChanged`](ErrorKind::CredentialsChanged), 403) if that credential has been changed meanwhile, which
    /// is told by [`credentials_changed`](Self::credentials_changed): to verify a password takes time, and a login that
    /// verified the old one does not get in after the change.
    ///
    /// A principal has one stamp, whatever he signs in with, and for a day after a change each other is refused: a passkey's, or that of
    /// a hash which was written anew. The guide on [devices](crate::_guides::devices) says what to make it of. A request that
    /// changes the credential as well says the new one here, or commits before the change.
    ///
    /// ```
    /// use tenure::{CredentialStamp, Session};
    ///
    /// # let session: Session = Session::for_test([("visits", 3)]);
    /// let stored = "$argon2id$v=19$…"; // the hash that the password was verified against
    /// session.login_with(42, CredentialStamp::of(stored)).unwrap();
    /// assert_eq!(session.principal().unwrap(), "42");
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`login`](Self::login), or [`NoIndex`](ErrorKind::NoIndex) if the store could not remember a change.
    pub fn login_with(
        &self,
        principal: impl Into<PrincipalId>,
        stamp: CredentialStamp,
    ) -> Result<(), Error> {
        let principal = self.known_as(principal);
        self.can_remember(Some(&stamp))?;
        self.log_in(|draft| draft.login_with(principal, stamp))
    }

    /// Says that the signed-in user's credential was changed: ends all of his other sessions at once, gives this one a
    /// new id, and refuses logins that checked another credential.
    ///
    /// It [commits](Self::commit) what this request has done so far, and once begun it is carried out whole, also if the
    /// client goes away. Where somebody has signed in to this very session meanwhile, or changed its id, it ends too
    /// ([`Superseded`](ErrorKind::Superseded)): nobody knows who of the two it is.
    ///
    /// Call it when the new password is stored. A login that verified the old one and is committed afterwards is
    /// refused, if it said what it checked: [`login_with`](Self::login_with). It is remembered for a day.
    ///
    /// Returns how many sessions have ended.
    ///
    /// ```
    /// use tenure::{CredentialStamp, Session};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let session: Session = Session::for_test([("visits", 3)]);
    /// session.login(42)?;
    /// session.commit().await?;
    /// let ended = session.credentials_changed(CredentialStamp::of("the new hash")).await?;
    /// assert_eq!(ended, 0, "this one goes on");
    /// # Ok::<_, tenure::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotSignedIn`](ErrorKind::NotSignedIn) if nobody is signed in here, [`NoIndex`](ErrorKind::NoIndex) if the
    /// store cannot tell which sessions he has, or those of [`cycle_id`](Self::cycle_id) and the store's: then some may
    /// have ended, and the call may be made again.
    pub async fn credentials_changed(&self, stamp: CredentialStamp) -> Result<usize, Error> {
        let principal = self.signed_in()?;
        self.cycle_id()?;
        let sessions = Sessions::new(self.slot.context().clone());
        let (slot, handle) = (self.slot.clone(), self.handle());
        let changed = sessions.credentials_changed_in(slot, handle, principal, stamp);
        changed.await
    }

    /// Ends all other sessions of the user who is signed in here, at once, and returns how many there were.
    ///
    /// ```
    /// use tenure::Session;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let session: Session = Session::for_test([("visits", 3)]);
    /// session.login(42)?;
    /// session.commit().await?;
    /// assert_eq!(session.revoke_others().await?, 0);
    /// # Ok::<_, tenure::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotSignedIn`](ErrorKind::NotSignedIn) if nobody is signed in here, [`NoIndex`](ErrorKind::NoIndex) if the store
    /// cannot tell which sessions he has, or the store's: then some may have ended.
    pub async fn revoke_others(&self) -> Result<usize, Error> {
        let principal = self.signed_in()?;
        let sessions = Sessions::new(self.slot.context().clone());
        sessions.revoke_all_but(principal, self.handle()).await
    }

    /// A stamp is worth nothing where its change could not be remembered.
    fn can_remember(&self, stamp: Option<&CredentialStamp>) -> Result<(), Error> {
        match stamp {
            Some(_) if self.slot.context().store.index().is_none() => {
                Err(Error::new(ErrorKind::NoIndex))
            }
            _ => Ok(()),
        }
    }

    /// Returns what the store knows a principal by.
    fn known_as(&self, principal: impl Into<PrincipalId>) -> PrincipalId {
        self.slot.context().realm.enter(principal.into())
    }

    /// Returns what the store knows him by who is signed in.
    fn signed_in(&self) -> Result<PrincipalId, Error> {
        let principal = self.slot.ask(|draft| draft.principal());
        principal.ok_or_else(|| Error::new(ErrorKind::NotSignedIn))
    }

    /// Attaches an identity to a new session that has nothing of the old, not even its handle.
    ///
    /// ```
    /// # use tenure::Session;
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// session.login_fresh(42).unwrap();
    /// assert!(session.keys().unwrap().is_empty());
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`login`](Self::login).
    pub fn login_fresh(&self, principal: impl Into<PrincipalId>) -> Result<(), Error> {
        let principal = self.known_as(principal);
        self.log_in(|draft| draft.login_fresh(principal))
    }

    /// Attaches an identity to a new session that keeps some of the values of the old.
    ///
    /// For what may outlive a change of rights, such as a cart; all else goes, whoever wrote it. What is kept is as this request
    /// sees it: what another writes to the old session between this one's load and its commit ends with that, a kept key
    /// too, though the other was told that all is well. Where that matters keep the session: [`login`](Self::login), and [`remove`](Self::remove)
    /// what must go.
    ///
    /// ```
    /// # use tenure::Session;
    /// let session: Session = Session::for_test([("cart", 3), ("draft", 4)]);
    /// session.login_keeping(42, &["cart"]).unwrap();
    /// assert_eq!(session.keys().unwrap(), ["cart"]);
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`login`](Self::login).
    pub fn login_keeping(
        &self,
        principal: impl Into<PrincipalId>,
        keys: &[&str],
    ) -> Result<(), Error> {
        let principal = self.known_as(principal);
        self.log_in(|draft| draft.login_keeping(principal, keys))
    }

    /// Notes that the first factor of a login was checked and the second is missing.
    ///
    /// Nobody is signed in by it: it satisfies neither [`principal`](Self::principal) nor any extractor. Who is signed in as the
    /// same principal stays so; the session of another principal is ended, and a new one begun. The session gets a new id. [`finish_login`](Self::finish_login) signs in when the second factor was checked, within ten minutes.
    ///
    /// ```
    /// # use tenure::Session;
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// session.begin_login(42, None).unwrap();
    /// assert_eq!(session.principal(), None);
    /// assert_eq!(session.begun_login().unwrap(), "42");
    ///
    /// assert_eq!(session.finish_login().unwrap(), "42"); // the code was right
    /// assert_eq!(session.principal().unwrap(), "42");
    /// assert_eq!(session.begun_login(), None);
    /// ```
    ///
    /// The stamp is of the credential that was checked, as for [`login_with`](Self::login_with). Without it a login that is
    /// finished after a change of the password gets in: a login that was begun is of no principal yet, so neither
    /// [`revoke_all`](crate::Sessions::revoke_all) nor [`credentials_changed`](crate::Sessions::credentials_changed) ends it, and the stamp is what refuses
    /// it when it is finished.
    ///
    /// # Errors
    ///
    /// As for [`login_with`](Self::login_with).
    pub fn begin_login(
        &self,
        principal: impl Into<PrincipalId>,
        stamp: impl Into<Option<CredentialStamp>>,
    ) -> Result<(), Error> {
        let (principal, stamp) = (self.known_as(principal), stamp.into());
        self.can_remember(stamp.as_ref())?;
        self.slot
            .change(|draft| draft.begin_login(principal, stamp))
    }

    /// Signs in whose login was begun, and returns who that is.
    ///
    /// # Errors
    ///
    /// [`NotSignedIn`](ErrorKind::NotSignedIn) if no login was begun in the last ten minutes, or those of
    /// [`login_with`](Self::login_with).
    pub fn finish_login(&self) -> Result<PrincipalId, Error> {
        let now = self.now();
        self.log_in(|draft| draft.finish_login(now))
            .map(Realm::leave)
    }

    /// Ends the session because its user asks for it, and tells the browser to forget its id.
    ///
    /// It beats every write that is on its way, on every node, and it is carried out even if the handler then fails,
    /// panics, or the client goes away.
    ///
    /// ```
    /// # use tenure::Session;
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// session.login(42).unwrap();
    /// session.logout().unwrap();
    /// assert!(session.principal().is_none() && session.keys().unwrap().is_empty());
    /// ```
    ///
    /// # Errors
    ///
    /// Those every change may have; see [`ErrorKind`].
    pub fn logout(&self) -> Result<(), Error> {
        self.end(EndReason::Logout)
    }

    /// Ends the session for any other reason; all else is as for [`logout`](Self::logout).
    ///
    /// ```
    /// # use tenure::Session;
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// session.destroy().unwrap();
    /// assert!(session.is_new());
    /// ```
    ///
    /// # Errors
    ///
    /// Those every change may have; see [`ErrorKind`].
    pub fn destroy(&self) -> Result<(), Error> {
        self.end(EndReason::Destroyed)
    }

    /// Gives the session a new id, when someone gains rights without signing in again.
    ///
    /// The handle stays, the generation rises, and the old id is worth nothing from the moment the response is sent.
    /// Requests that are on their way with it read nothing and are refused when they write.
    ///
    /// ```
    /// # use tenure::Session;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// session.commit().await.unwrap();
    /// let handle = session.handle();
    /// session.cycle_id().unwrap();
    /// assert_eq!((session.handle(), session.generation()), (handle, 1));
    /// # });
    /// ```
    ///
    /// # Errors
    ///
    /// Those every change may have; see [`ErrorKind`].
    pub fn cycle_id(&self) -> Result<(), Error> {
        self.slot.change(|draft| draft.cycle_id())
    }

    /// Gives this session a lifetime of its own, which later writes keep: "remember me".
    ///
    /// ```
    /// # use tenure::{Lifetime, Session};
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// session.commit().await.unwrap();
    /// let before = session.idle_expires_at();
    /// session.set_lifetime(Lifetime::persistent()).unwrap();
    /// assert!(session.idle_expires_at() > before);
    /// # });
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidLifetime`](ErrorKind::InvalidLifetime) if it ends before it begins; or those every change may have.
    pub fn set_lifetime(&self, lifetime: Lifetime) -> Result<(), Error> {
        self.slot.change(|draft| draft.set_lifetime(lifetime))
    }

    /// Says what lists are to call this session: the browser, the device, what its user calls it.
    ///
    /// It stands apart from the values, so [`SessionInfo::label`](crate::SessionInfo::label) shows it without reading them,
    /// and later writes keep it; a session that replaces this one begins without. An empty text removes it. Control characters
    /// are left out, those too that turn the direction of text, and what is longer than 128 bytes is cut where a character ends:
    /// a label is for people to read, and no login should fail for the length of a browser's name.
    ///
    /// [`with_label_from`](crate::SessionLayerBuilder::with_label_from) labels every login by itself. Then a label that an
    /// anonymous session was given by an earlier request gives way to it at the login, for that may have been a request of
    /// somebody who planted the session; one that this request has set, or somebody who was signed in, stays.
    ///
    /// ```
    /// # use tenure::Session;
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// session.login(42).unwrap();
    /// session.set_label("Firefox on Linux").unwrap();
    /// assert_eq!(session.label().as_deref(), Some("Firefox on Linux"));
    /// ```
    ///
    /// # Errors
    ///
    /// Those every change may have; see [`ErrorKind`].
    pub fn set_label(&self, label: &str) -> Result<(), Error> {
        let label = Label::of(label);
        self.slot.change(|draft| draft.set_label(label))
    }

    /// Drops this request's pending changes, an end included.
    ///
    /// ```
    /// # use tenure::Session;
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// session.discard();
    /// assert!(!session.contains("visits").unwrap()); // it was not committed yet
    /// ```
    pub fn discard(&self) {
        // After the handler has returned there is nothing left to drop.
        drop(self.slot.change(|draft| {
            draft.discard();
            Ok(())
        }));
    }

    /// Lets a cross-site request that came without its cookie start a session.
    ///
    /// For callbacks that other sites post to, such as OpenID Connect's `form_post` and SAML: after you have verified
    /// what they bring. A login that the browser holds is replaced.
    ///
    /// ```
    /// use axum::{Router, body::Body, http::Request, routing::post};
    /// use tenure::{Error, Session, SessionLayer, store::MemoryStore};
    ///
    /// async fn saml(session: Session) -> Result<(), Error> {
    ///     // … once the assertion is verified:
    ///     session.allow_cross_site()?;
    ///     session.login(42)
    /// }
    ///
    /// # use tower::ServiceExt;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let layer = SessionLayer::new(MemoryStore::new());
    /// let app: Router = Router::new().route("/saml", post(saml)).layer(layer);
    /// let posted = Request::post("/saml").header("sec-fetch-site", "cross-site");
    /// let response = app.oneshot(posted.body(Body::empty()).unwrap()).await.unwrap();
    /// assert_eq!(response.status(), 200); // without the permission it is a 403
    /// assert!(response.headers().contains_key("set-cookie"));
    /// # });
    /// ```
    ///
    /// # Errors
    ///
    /// [`AfterResponse`](ErrorKind::AfterResponse).
    pub fn allow_cross_site(&self) -> Result<(), Error> {
        self.slot.allow_cross_site()
    }

    /// Signs somebody in, and labels the session.
    fn log_in<R>(&self, log_in: impl FnOnce(&mut Draft) -> Result<R, Error>) -> Result<R, Error> {
        let label = self.slot.label();
        self.slot.change(|draft| {
            let logged_in = log_in(draft)?;
            draft.label_login(label);
            Ok(logged_in)
        })
    }

    fn end(&self, reason: EndReason) -> Result<(), Error> {
        self.slot.change(|draft| draft.end(reason))?;
        self.slot.remember_runtime();
        Ok(())
    }
}

/// # What is known about it
impl<L> Session<L> {
    /// Returns who is signed in.
    ///
    /// ```
    /// # use tenure::Session;
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// assert!(session.principal().is_none());
    /// ```
    #[must_use]
    pub fn principal(&self) -> Option<PrincipalId> {
        let principal = self.slot.ask(|draft| draft.principal());
        principal.map(Realm::leave)
    }

    /// Returns who is signed in, as the application's own type.
    ///
    /// ```
    /// # use tenure::Session;
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// assert_eq!(session.require_principal::<u64>().unwrap_err().status(), 401);
    /// session.login(42).unwrap();
    /// let user: u64 = session.require_principal().unwrap();
    /// assert_eq!(user, 42);
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotSignedIn`](ErrorKind::NotSignedIn) (401) if nobody is; [`Superseded`](ErrorKind::Superseded) (409, with
    /// `Retry-After: 0`) if the id was replaced a moment ago, for the browser has the new one already;
    /// [`InvalidPrincipal`](ErrorKind::InvalidPrincipal) if it is none of this type.
    pub fn require_principal<T: FromStr>(&self) -> Result<T, Error> {
        let (principal, origin) = self.slot.ask(|draft| (draft.principal(), draft.origin()));
        match (principal, origin) {
            (Some(principal), _) => {
                let parsed = Realm::leave(principal).as_str().parse();
                parsed
                    .map_err(|_| Error::of_key(ErrorKind::InvalidPrincipal, any::type_name::<T>()))
            }
            (None, Origin::Superseded) => Err(Error::new(ErrorKind::Superseded)),
            (None, _) => Err(Error::new(ErrorKind::NotSignedIn)),
        }
    }

    /// Returns whose login was begun in the last ten minutes and waits for its second factor.
    #[must_use]
    pub fn begun_login(&self) -> Option<PrincipalId> {
        let now = self.now();
        let begun = self.slot.ask(|draft| draft.begun(now));
        begun.map(|begun| Realm::leave(begun.principal))
    }

    /// Tells whether somebody is signed in who has shown his credential lately.
    ///
    /// For what a session that was left open must not do: change a password, an address, pay. The store's clock decides; where
    /// it was set back, so that the login lies more than a minute ahead of it, it is not fresh.
    ///
    /// ```
    /// # use tenure::Session;
    /// use std::time::Duration;
    ///
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// assert!(!session.is_fresh(Duration::from_secs(300)));
    /// session.login(42).unwrap();
    /// assert!(session.is_fresh(Duration::from_secs(300)));
    /// ```
    #[must_use]
    pub fn is_fresh(&self, within: Duration) -> bool {
        let now = self.now();
        self.slot.ask(|draft| match draft.is_signing_in() {
            true => true,
            false => {
                let authenticated = draft.current().and_then(|live| live.stamps().authenticated);
                let stamps = authenticated.zip(now);
                stamps.is_some_and(|(then, now)| is_within(within, then, now))
            }
        })
    }

    /// Returns the public name of the session: safe to log and to list. `None` until there is a record.
    ///
    /// ```
    /// # use tenure::Session;
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// assert_eq!(session.handle(), None); // nothing is stored yet
    /// ```
    #[must_use]
    pub fn handle(&self) -> Option<Handle> {
        self.current(|live| live.handle)
    }

    /// Says how the request has brought its id, or asked for one.
    ///
    /// What guards against forged requests has nothing to ask of [`Header`](Transport::Header): no browser sends that by
    /// itself. It is always [`Cookie`](Transport::Cookie) unless the layer reads a
    /// [header](crate::SessionLayerBuilder::with_header).
    ///
    /// ```
    /// use tenure::{Session, Transport};
    ///
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// assert_eq!(session.transport(), Transport::Cookie);
    /// ```
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.slot.transport()
    }

    /// Returns what lists call the session: see [`set_label`](Self::set_label).
    #[must_use]
    pub fn label(&self) -> Option<String> {
        self.slot.ask(|draft| draft.label().map(str::to_owned))
    }

    /// Returns how many privilege changes the session has had, the pending one included.
    ///
    /// What must not outlive a login, such as a CSRF token, binds to the handle and the generation.
    ///
    /// ```
    /// # use tenure::Session;
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// session.login(42).unwrap();
    /// assert_eq!(session.generation(), 1);
    /// ```
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.slot.ask(|draft| draft.generation())
    }

    /// Tells whether there is no record of this session yet.
    ///
    /// ```
    /// # use tenure::Session;
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// assert!(session.is_new());
    /// ```
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.current(|_| ()).is_none()
    }

    /// Returns when the session was created, by the store's clock. `None` until it is.
    ///
    /// ```
    /// # use tenure::Session;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let session: Session = Session::for_test([("visits", 3)]);
    /// session.commit().await.unwrap();
    /// assert_eq!(session.created_at(), session.rotated_at());
    /// assert!(session.created_at() < session.idle_expires_at());
    /// assert!(session.idle_expires_at() < session.expires_at());
    /// assert_eq!(session.authenticated_at(), None);
    /// # });
    /// ```
    #[must_use]
    pub fn created_at(&self) -> Option<Timestamp> {
        self.current(|live| live.created)
    }

    /// Returns when somebody signed in last; see [`created_at`](Self::created_at).
    #[must_use]
    pub fn authenticated_at(&self) -> Option<Timestamp> {
        self.current(|live| live.stamps().authenticated).flatten()
    }

    /// Returns when the id was drawn; see [`created_at`](Self::created_at).
    #[must_use]
    pub fn rotated_at(&self) -> Option<Timestamp> {
        self.current(|live| live.header().rotated_at.unwrap_or(live.created))
    }

    /// Returns when the session ends if nobody uses it again; see [`created_at`](Self::created_at).
    #[must_use]
    pub fn idle_expires_at(&self) -> Option<Timestamp> {
        self.deadline(Lifetime::idle_deadline)
    }

    /// Returns when the session ends, however busy; see [`created_at`](Self::created_at).
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.deadline(Lifetime::absolute_deadline)
    }

    /// Tells what the store's clock says, if there is a record.
    fn now(&self) -> Option<Timestamp> {
        let seen = self.current(|live| live.seen)?;
        Some(self.slot.context().now(&seen))
    }

    fn deadline(&self, of: impl FnOnce(&Lifetime, Stamps) -> Timestamp) -> Option<Timestamp> {
        let default = self.slot.context().lifetime;
        self.slot.ask(|draft| {
            let lifetime = draft.own_lifetime().unwrap_or(default);
            draft.current().map(|live| of(&lifetime, live.stamps()))
        })
    }

    fn current<R>(&self, question: impl FnOnce(&Live) -> R) -> Option<R> {
        self.slot.ask(|draft| draft.current().map(question))
    }

    /// Looks at a value and decodes it, outside any lock.
    fn look<T: DeserializeOwned>(
        &self,
        name: &str,
        undecodable: Undecodable,
        deed: Deed,
    ) -> Result<(Look, Option<T>), Error> {
        let look = self.slot.change(|draft| draft.look(name, deed))?;
        let decoded = json::decode_or_missing(name, undecodable, look.value.as_deref())
            .inspect_err(|error| self.slot.observe_refusal(error))?;
        Ok((look, decoded))
    }

    /// Runs an update once for what the handler sees, outside any lock, and adds it to what is pending.
    fn add_update<T: DeserializeOwned + Serialize>(
        &self,
        key: impl Key<T>,
        initial: impl FnMut() -> T + Send + 'static,
        update: impl FnMut(&mut T) + Send + 'static,
    ) -> Result<(), Error> {
        let name = checked(key.name())?;
        let mut run = updating(name, key.undecodable(), initial, update);
        loop {
            let look = self.slot.change(|draft| draft.look(name, Deed::Start))?;
            let after =
                run(look.value.as_deref()).inspect_err(|error| self.slot.observe_refusal(error))?;
            match self
                .slot
                .change(|draft| draft.update(name, &look, &after, run))?
            {
                None => return Ok(()),
                // A clone of this session has changed it while the function ran.
                Some(again) => run = again,
            }
        }
    }

    pub(crate) const fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }

    pub(crate) const fn of(slot: Arc<Slot>) -> Self {
        Self {
            slot,
            layer: PhantomData,
        }
    }
}

impl<L> Clone for Session<L> {
    fn clone(&self) -> Self {
        Self::of(self.slot.clone())
    }
}

impl<L> fmt::Debug for Session<L> {
    /// Shows the handle and the identity, never a secret or a value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.slot
            .describe(&mut f.debug_struct("Session"))
            .finish_non_exhaustive()
    }
}

/// Makes a user's function one from an encoded value to its successor.
fn updating<T: DeserializeOwned + Serialize>(
    name: &str,
    undecodable: Undecodable,
    mut initial: impl FnMut() -> T + Send + 'static,
    mut update: impl FnMut(&mut T) + Send + 'static,
) -> Update {
    let name = Box::<str>::from(name);
    Box::new(move |current| {
        let decoded = json::decode_or_missing(&name, undecodable, current)?;
        let mut value = decoded.unwrap_or_else(&mut initial);
        update(&mut value);
        json::encode(&name, &value)
    })
}

/// Tells whether something has happened lately, or is a little ahead, as the clocks of two nodes of an engine may be.
fn is_within(within: Duration, then: Timestamp, now: Timestamp) -> bool {
    now.since(then) < within && then.since(now) <= CLOCKS_APART
}

fn checked(key: &str) -> Result<&str, Error> {
    is_valid_name(key)
        .then_some(key)
        .ok_or_else(|| Error::of_key(ErrorKind::InvalidKey, key))
}

/// How far the clocks of an engine's nodes are apart at most, where somebody cares for them.
const CLOCKS_APART: Duration = Duration::from_secs(60);
