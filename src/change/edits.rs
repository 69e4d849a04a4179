//! Operations on the values, and making them again on a fresher record.

use std::fmt;

use crate::{
    error::{Error, ErrorKind},
    record::{Corrupt, Value, Values},
};

/// What was done to the values, to be committed.
#[derive(Debug)]
pub(crate) struct Edits {
    pub(crate) operations: Vec<Operation>,
    /// What the operations make of the base; the base itself for as long as they are stale.
    pub(crate) values: Values,
    /// They make a difference, as far as that is known.
    pub(crate) differs: bool,
    pub(super) is_stale: bool,
}

/// One thing done to one key, or to all.
pub(crate) struct Operation {
    /// `None` for `clear`.
    pub(super) key: Option<Box<str>>,
    pub(super) act: Act,
}

/// A user's function from an encoded value to its successor.
pub(crate) type Update = Box<dyn FnMut(Option<&[u8]>) -> Result<Vec<u8>, Error> + Send>;

/// A user's word whether an encoded value can be given to who asked for it.
pub(crate) type Check = fn(key: &str, &[u8]) -> Result<(), Error>;

pub(super) enum Act {
    /// Removes whatever the value is by then, for whoever commits it.
    Claim(Option<Value>, Check),
    Clear,
    /// Removes the value if it is still this one.
    Take(Value),
    Update(Update),
    /// Writes or removes; a key that was read before only if it still has the value that was read.
    Write {
        value: Option<Vec<u8>>,
        read: Option<Option<Value>>,
    },
}

impl Edits {
    /// Returns the value that a key has once they are made.
    pub(crate) fn find(&self, key: &str) -> Result<Option<Value>, Error> {
        find(&self.values, key)
    }

    /// Returns what was claimed in the run that was committed.
    pub(crate) fn into_claimed(self) -> Option<Value> {
        self.operations.into_iter().next_back()?.into_claimed()
    }

    /// Tells whether they have not been made on this base yet.
    pub(crate) const fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// Makes them on the base they have.
    pub(crate) fn settle(&mut self) -> Result<(), Error> {
        self.replay(&self.values.clone())
    }

    /// Makes them again on a fresher record than they were made on.
    pub(crate) fn replay(&mut self, fresh: &Values) -> Result<(), Error> {
        self.values = fresh.clone();
        for operation in &mut self.operations {
            self.values = operation.redo(fresh, &self.values)?;
        }
        let removed = self.operations.iter().any(Operation::removes);
        self.differs = self.values != *fresh && !(removed && self.values.has_entries_of(fresh));
        self.is_stale = false;
        Ok(())
    }
}

impl Operation {
    /// Removes a key's value, whatever it is by then, and keeps it for whoever commits this.
    pub(crate) fn claim(key: &str, check: Check) -> Self {
        Self::new(key, Act::Claim(None, check))
    }

    pub(crate) fn update(key: &str, update: Update) -> Self {
        Self::new(key, Act::Update(update))
    }

    pub(crate) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    pub(super) fn new(key: &str, act: Act) -> Self {
        Self {
            key: Some(key.into()),
            act,
        }
    }

    fn into_claimed(self) -> Option<Value> {
        match self.act {
            Act::Claim(claimed, _) => claimed,
            Act::Clear | Act::Take(_) | Act::Update(_) | Act::Write { .. } => None,
        }
    }

    pub(super) fn concerns(&self, key: &str) -> bool {
        self.key.as_deref().is_none_or(|own| own == key)
    }

    /// Tells whether what follows it does not depend on what was loaded.
    pub(super) const fn hides_base(&self) -> bool {
        matches!(self.act, Act::Clear | Act::Write { read: None, .. })
    }

    pub(super) const fn removes(&self) -> bool {
        match &self.act {
            Act::Claim(..) | Act::Clear | Act::Take(_) => true,
            Act::Update(_) => false,
            Act::Write { value, .. } => value.is_none(),
        }
    }

    pub(super) const fn is_write(&self) -> bool {
        matches!(self.act, Act::Write { .. })
    }

    pub(super) fn into_read(self) -> Option<Option<Value>> {
        match self.act {
            Act::Write { read, .. } => read,
            Act::Claim(..) | Act::Clear | Act::Take(_) | Act::Update(_) => None,
        }
    }

    /// Does it again to what others before it have made of a fresher record.
    fn redo(&mut self, fresh: &Values, values: &Values) -> Result<Values, Error> {
        let Some(key) = self.key.as_deref() else {
            return Ok(Values::empty());
        };
        let current = find(values, key)?;
        match &mut self.act {
            Act::Claim(claimed, check) => {
                current
                    .as_deref()
                    .map_or(Ok(()), |value| check(key, value))?;
                *claimed = current;
                with(values, key, None)
            }
            Act::Take(taken) if current.as_ref() == Some(taken) => with(values, key, None),
            Act::Update(update) => with(values, key, Some(&update(current.as_deref())?)),
            Act::Write {
                read: Some(read), ..
            } if *read != find(fresh, key)? => Err(Error::of_key(ErrorKind::ChangedSinceRead, key)),
            Act::Write { value, .. } => with(values, key, value.as_deref()),
            Act::Clear | Act::Take(_) => Ok(values.clone()),
        }
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let act = match self.act {
            Act::Claim(..) => "claim",
            Act::Clear => "clear",
            Act::Take(_) => "take",
            Act::Update(_) => "update",
            Act::Write { .. } => "write",
        };
        write!(f, "{act}({:?})", self.key)
    }
}

pub(super) fn with(values: &Values, key: &str, value: Option<&[u8]>) -> Result<Values, Error> {
    let next = values
        .with(key, value)
        .map_err(|corrupt| undecodable(key, corrupt))?;
    next.ok_or_else(|| Error::of_key(ErrorKind::TooLarge, key))
}

pub(super) fn find(values: &Values, key: &str) -> Result<Option<Value>, Error> {
    let found = values
        .find(key)
        .map_err(|corrupt| undecodable(key, corrupt))?;
    Ok(found.map(|(_, value)| value))
}

pub(super) fn latest<'a>(operations: &'a [Operation], key: &str) -> Option<&'a Operation> {
    latest_index(operations, key).map(|index| &operations[index])
}

pub(super) fn latest_index(operations: &[Operation], key: &str) -> Option<usize> {
    operations
        .iter()
        .rposition(|operation| operation.concerns(key))
}

pub(super) fn undecodable(key: &str, corrupt: Corrupt) -> Error {
    Error::of_key(ErrorKind::UndecodableValue, key).with_source(corrupt)
}
