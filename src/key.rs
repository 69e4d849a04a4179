//! The names of a session's values.

use std::{fmt, marker::PhantomData};

/// A key that knows the type of its value.
///
/// Declare each once, as a constant, and a value can never be read as another type than it was written.
///
/// ```
/// use tenure::{Session, SessionKey};
///
/// const VISITS: SessionKey<u32> = SessionKey::new("visits");
///
/// # fn main() -> Result<(), tenure::Error> {
/// let session: Session = Session::for_test([("visits", 2)]);
/// assert_eq!(session.get(&VISITS)?, Some(2));
/// # Ok(())
/// # }
/// ```
pub struct SessionKey<T> {
    name: &'static str,
    undecodable: Undecodable,
    value: PhantomData<fn() -> T>,
}

impl<T> SessionKey<T> {
    /// How many bytes a key's name has at most.
    pub const MAX_NAME_LEN: usize = MAX_NAME_LEN;

    /// Makes a key.
    ///
    /// ```
    /// use tenure::{Session, SessionKey};
    ///
    /// const CART: SessionKey<Vec<String>> = SessionKey::new("cart");
    ///
    /// let session: Session = Session::for_test([("cart", ["bread"])]);
    /// assert_eq!(session.get(&CART).unwrap().unwrap(), ["bread"]);
    /// ```
    ///
    /// # Panics
    ///
    /// If the name is empty or longer than 128 bytes; in a constant that is an error of the compiler.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        assert!(is_valid_name(name), "a session key has 1 to 128 bytes");
        Self {
            name,
            undecodable: Undecodable::Fail,
            value: PhantomData,
        }
    }

    /// Treats a value that does not decode as missing. Default: it is an error of this key.
    ///
    /// For values that may be lost when their type changes, such as a list of pages seen last.
    ///
    /// ```
    /// use tenure::{Session, SessionKey};
    ///
    /// const SEEN: SessionKey<Vec<u64>> = SessionKey::new("seen").or_reset();
    ///
    /// # fn main() -> Result<(), tenure::Error> {
    /// let session: Session = Session::for_test([("seen", "what an old release wrote")]);
    /// assert_eq!(session.get(&SEEN)?, None);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn or_reset(mut self) -> Self {
        self.undecodable = Undecodable::Reset;
        self
    }
}

impl<T> Clone for SessionKey<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for SessionKey<T> {}

impl<T> fmt::Debug for SessionKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKey({:?})", self.name)
    }
}

/// Something that names a value: a string or a [`SessionKey`].
///
/// ```
/// use tenure::{KeyName, SessionKey};
///
/// assert_eq!("cart".name(), "cart");
/// assert_eq!(SessionKey::<u32>::new("cart").name(), "cart");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no session key",
    note = "a string is one, and so is a `SessionKey`"
)]
pub trait KeyName {
    /// Returns the name.
    fn name(&self) -> &str;
}

/// Something that names a value of type `T`: any string, or a [`SessionKey<T>`].
///
/// ```
/// use tenure::{Error, Key, Session};
///
/// /// A function for any key of numbers.
/// fn double(session: &Session, key: impl Key<u32> + Copy) -> Result<(), Error> {
///     session.update(key, |number| *number *= 2)
/// }
///
/// let session: Session = Session::for_test([("visits", 3)]);
/// double(&session, "visits").unwrap();
/// assert_eq!(session.get::<u32>("visits").unwrap(), Some(6));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no session key for such a value",
    note = "a string is a key for any value, and a `SessionKey<T>` for those of type `T`"
)]
pub trait Key<T>: KeyName {
    /// Says what becomes of a value that does not decode. Default: it is an error.
    fn undecodable(&self) -> Undecodable {
        Undecodable::Fail
    }
}

/// What becomes of a value that does not decode as the type it is asked for.
///
/// ```
/// use tenure::{Key, SessionKey, Undecodable};
///
/// let key: SessionKey<u32> = SessionKey::new("visits");
/// assert_eq!(key.undecodable(), Undecodable::Fail);
/// assert_eq!(key.or_reset().undecodable(), Undecodable::Reset);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Undecodable {
    /// It is an error of this key; the other keys are read as ever.
    Fail,
    /// It counts as missing.
    Reset,
}

impl KeyName for str {
    fn name(&self) -> &str {
        self
    }
}

impl<T> Key<T> for str {}

impl KeyName for String {
    fn name(&self) -> &str {
        self
    }
}

impl<T> Key<T> for String {}

impl<T> KeyName for SessionKey<T> {
    fn name(&self) -> &str {
        self.name
    }
}

impl<T> Key<T> for SessionKey<T> {
    fn undecodable(&self) -> Undecodable {
        self.undecodable
    }
}

impl<K: KeyName + ?Sized> KeyName for &K {
    fn name(&self) -> &str {
        (**self).name()
    }
}

impl<T, K: Key<T> + ?Sized> Key<T> for &K {
    fn undecodable(&self) -> Undecodable {
        (**self).undecodable()
    }
}

pub(crate) const fn is_valid_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME_LEN
}

const MAX_NAME_LEN: usize = 128;
