//! Which sessions a principal has: the contract of stores that can tell.
//!
//! A store keeps, beside the records, an index: for each principal the sessions that were or are about to be given to
//! him. An entry is written before the record is bound, and leaves only when its record is known to be gone. So
//! whoever reads the index and ends what it names has ended every session that existed or was being made, on engines
//! too where index and record cannot be written at once.

use super::{Answer, Loaded, SessionStore, Version};
use crate::{
    id::Handle,
    principal::{CredentialStamp, PrincipalId},
};

/// Keeps an index of principals beside the records.
///
/// # The contract
///
/// * Principals are compared byte for byte.
/// * An entry stays at least as long as there is a record under its handle, bound or not, expired records aside.
/// * What was entered is seen by every verb that begins after it was answered.
///
/// See [`SessionStore::index`], by which the layer finds it.
pub trait PrincipalIndex: SessionStore {
    /// Writes down that a session is about to be a principal's, and answers with the entries before it, or with as many
    /// of them as `most` if there are more; with which ones is for the store to choose.
    ///
    /// * Entries of one principal have one order, that in which they were entered: of two logins at the same time one
    ///   finds the other.
    /// * To enter an entry again changes nothing and answers with those before it.
    /// * A principal may have very many entries: what it costs should grow with `most`, and not with them.
    /// * With a stamp that is not the one [remembered](Self::restamp) it is [`Entered::Refused`], and nothing is entered.
    ///   Without one, or where none is remembered, it is not compared.
    fn enter(
        &self,
        principal: &PrincipalId,
        entry: Entry,
        stamp: Option<&CredentialStamp>,
        most: usize,
    ) -> Answer<Entered>;

    /// Returns the entries of a principal in the order in which they were entered.
    fn entries(&self, principal: &PrincipalId) -> Answer<Vec<Entry>>;

    /// Removes entries: of records that are gone, or of logins that failed.
    ///
    /// * Other entries of the same handle stay.
    fn leave(&self, principal: &PrincipalId, entries: &[Entry]) -> Answer<()>;

    /// Remembers a stamp for a day at least, in place of an earlier one, and returns the entries.
    ///
    /// * What is entered with another stamp is either among them or refused.
    fn restamp(&self, principal: &PrincipalId, stamp: &CredentialStamp) -> Answer<Vec<Entry>>;

    /// Reads many records: for each handle what [`load`](SessionStore::load) answers.
    fn load_all(&self, handles: &[Handle]) -> Answer<Vec<Option<Loaded>>>;

    /// Goes through all records, some at a time.
    ///
    /// * A record that is there from the first step to the last is found once at least.
    /// * `most` is a wish: a step may find none, and still not be the last.
    fn walk(&self, from: Option<&Cursor>, most: usize) -> Answer<Walked>;

    /// Counts the records, whoever they belong to, for an operator to see.
    ///
    /// * `None` if the store could count only by reading all of them; that is the default.
    fn count(&self) -> Answer<Option<u64>> {
        Answer::ready(Ok(None))
    }
}

/// A login of a session, as the index keeps it.
///
/// ```
/// use tenure::{Handle, store::{Entry, Version}};
///
/// let handle = Handle::from_bytes([1; 16]);
/// let entry = Entry::new(handle, Version::from_u64(7));
/// assert_eq!(entry.handle, handle);
/// assert_ne!(entry, Entry::new(handle, Version::from_u64(8)), "another login of the same session");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Entry {
    /// The session.
    pub handle: Handle,
    /// The version of the record that the login writes, by which logins of one session are told from each other. Zero stands
    /// for all later ones of a session that is the principal's already.
    pub login: Version,
}

impl Entry {
    /// Makes an entry of its parts.
    #[must_use]
    pub const fn new(handle: Handle, login: Version) -> Self {
        Self { handle, login }
    }
}

/// The answer to [`PrincipalIndex::enter`].
///
/// ```
/// use tenure::{CredentialStamp, Handle, store::{Entered, Entry, MemoryStore, PrincipalIndex, Version}};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let (store, ada) = (MemoryStore::new(), "ada".into());
/// let entry = Entry::new(Handle::from_bytes([1; 16]), Version::from_u64(1));
/// let [old, new] = ["old", "new"].map(CredentialStamp::of);
/// store.restamp(&ada, &new).await.unwrap();
/// assert_eq!(store.enter(&ada, entry, Some(&old), 10).await.unwrap(), Entered::Refused);
/// assert_eq!(store.enter(&ada, entry, Some(&new), 10).await.unwrap(), Entered::After(vec![]));
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Entered {
    /// It is entered after these, in their order, and perhaps after others that were not asked for.
    After(Vec<Entry>),
    /// Another stamp is remembered.
    Refused,
}

/// A step of [`PrincipalIndex::walk`].
///
/// ```
/// use tenure::store::{MemoryStore, PrincipalIndex};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = MemoryStore::new();
/// let (mut from, mut found) = (None, 0);
/// loop {
///     let step = store.walk(from.as_ref(), 1_000).await.unwrap();
///     found += step.handles.len();
///     from = step.next;
///     if from.is_none() {
///         break;
///     }
/// }
/// assert_eq!(found, 0);
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Walked {
    /// What was found.
    pub handles: Vec<Handle>,
    /// Where to go on; `None` if that was all.
    pub next: Option<Cursor>,
}

impl Walked {
    /// Makes a step of its parts.
    #[must_use]
    pub const fn new(handles: Vec<Handle>, next: Option<Cursor>) -> Self {
        Self { handles, next }
    }
}

/// A place in a walk, in the store's own words.
///
/// ```
/// use tenure::store::Cursor;
///
/// assert_eq!(Cursor::new("17").as_str(), "17");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(Box<str>);

impl Cursor {
    /// Makes a place.
    pub fn new(place: impl Into<Box<str>>) -> Self {
        Self(place.into())
    }

    /// Returns the store's words.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
