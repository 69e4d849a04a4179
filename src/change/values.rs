//! What a request does to the values: operations on what was loaded, which can be done again on a fresher record.

use std::fmt;

use super::reads::Reads;
use crate::{
    error::{Error, ErrorKind},
    record::{Corrupt, Limit, MAX_ENTRIES, MAX_LEN, Pair, Value, Values},
};

/// The values as a request sees them: what was loaded, and what it has done to it since.
#[derive(Debug)]
pub(crate) struct ValueDraft {
    base: Values,
    operations: Vec<Operation>,
    reads: Reads,
    size: Size,
    /// Counts changes, so that one that was made of a stale look is noticed.
    revision: u64,
    /// Operations are pending that were made on another base.
    has_stale: bool,
}

/// One thing done to one key, or to all.
pub(crate) struct Operation {
    /// `None` for `clear`.
    key: Option<Box<str>>,
    act: Act,
    /// The key's value once this is done.
    after: Option<Value>,
    /// Rises from one operation of a draft to the next.
    number: u64,
    /// Somebody waits for its outcome, and commits it himself.
    at_once: bool,
}

/// An operation that is to be committed at once, with those before it on its key.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) key: Box<str>,
    pub(crate) number: u64,
}

/// When an operation is to be committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    AtOnce,
    WithTheResponse,
}

/// What a key's value was before a user's function ran on it, which may itself change the session.
pub(crate) struct Look {
    pub(crate) value: Option<Value>,
    revision: u64,
}

/// A user's function from an encoded value to its successor.
pub(crate) type Update = Box<dyn FnMut(Option<&[u8]>) -> Result<Value, Error> + Send>;

/// A user's word whether an encoded value can be given to who asked for it.
pub(crate) type Check = fn(key: &str, &[u8]) -> Result<(), Error>;

enum Act {
    /// Removes whatever the value is by then, for whoever commits it.
    Claim(Option<Value>, Check),
    Clear,
    /// Removes the value if it is still this one.
    Take(Value),
    Update(Update),
    /// Writes or removes; a key that was read before only if it still has the value that was read.
    Write {
        read: Option<Option<Value>>,
    },
}

impl ValueDraft {
    pub(crate) fn new(base: Values) -> Self {
        Self {
            size: Size::of(&base),
            base,
            operations: Vec::new(),
            reads: Reads::default(),
            revision: 0,
            has_stale: false,
        }
    }

    /// Begins without a record: what is read of it is nobody else's, and no commit can conflict with it.
    pub(crate) fn of_nobody() -> Self {
        Self {
            reads: Reads::untracked(),
            ..Self::new(Values::empty())
        }
    }

    /// Reads a key, and remembers that it was read.
    pub(crate) fn read(&mut self, key: &str) -> Result<Option<Value>, Error> {
        match latest(&self.operations, key) {
            Some(operation) if operation.hides_base() => Ok(operation.after_for(key)),
            Some(operation) => {
                let after = operation.after_for(key);
                self.reads
                    .note(&self.base, key)
                    .map_err(|corrupt| undecodable(key, corrupt))?;
                Ok(after)
            }
            None => self
                .reads
                .note(&self.base, key)
                .map_err(|corrupt| undecodable(key, corrupt)),
        }
    }

    /// Looks at a key on behalf of an operation that is done again if the key changes.
    pub(crate) fn peek(&self, key: &str) -> Result<Option<Value>, Error> {
        view(&self.operations, &self.base, key)
    }

    /// Looks at a key on behalf of a user's function.
    pub(crate) fn look(&self, key: &str) -> Result<Look, Error> {
        Ok(Look {
            value: self.peek(key)?,
            revision: self.revision,
        })
    }

    /// Tells whether a key still has the value that was looked at.
    pub(crate) fn is_as_seen(&self, key: &str, look: &Look) -> Result<bool, Error> {
        Ok(self.revision == look.revision || self.peek(key)? == look.value)
    }

    /// Lists the keys, and remembers that all were read.
    pub(crate) fn keys(&mut self) -> Result<Vec<String>, Error> {
        self.reads.note_all();
        let entries =
            merge(&self.base, &self.operations).map_err(|corrupt| undecodable("", corrupt))?;
        let name = |(key, _): Pair<'_>| String::from_utf8_lossy(key).into_owned();
        Ok(entries.into_iter().map(name).collect())
    }

    /// Writes a key, or removes it.
    pub(crate) fn write(&mut self, key: &str, after: Option<Value>) -> Result<(), Error> {
        let size = self.size_with(key, after.as_ref())?;
        let read = match latest_index(&self.operations, key) {
            Some(index) if self.operations[index].is_write() => {
                self.operations.remove(index).into_read()
            }
            Some(index) if self.operations[index].hides_base() => None,
            _ => self.reads.value_read(&self.base, key),
        };
        self.push(Operation::new(key, Act::Write { read }, after), size);
        Ok(())
    }

    /// Removes a key's value and returns it.
    pub(crate) fn take(&mut self, key: &str) -> Result<Option<Value>, Error> {
        let Some(value) = self.peek(key)? else {
            return Ok(None);
        };
        let size = self.size_with(key, None)?;
        self.push(Operation::new(key, Act::Take(value.clone()), None), size);
        Ok(Some(value))
    }

    /// Removes a key's value, which was checked, and remembers which it was when the removal was committed.
    pub(crate) fn claim(&mut self, key: &str, check: Check) -> Result<u64, Error> {
        let claimed = self.peek(key)?;
        let size = self.size_with(key, None)?;
        let claim = Operation::new(key, Act::Claim(claimed, check), None);
        Ok(self.push(claim.when(When::AtOnce), size))
    }

    /// Adds an update whose first run made `after` of what [`peek`](Self::peek) showed.
    pub(crate) fn update(
        &mut self,
        key: &str,
        after: Value,
        update: Update,
        when: When,
    ) -> Result<u64, Error> {
        let size = self.size_with(key, Some(&after))?;
        let update = Operation::new(key, Act::Update(update), Some(after));
        Ok(self.push(update.when(when), size))
    }

    /// Drops all values.
    pub(crate) fn clear(&mut self) {
        self.operations.clear();
        let clear = Operation {
            key: None,
            act: Act::Clear,
            after: None,
            number: 0,
            at_once: false,
        };
        self.push(clear, Size::EMPTY);
    }

    /// Forgets everything that was done.
    pub(crate) fn discard(&mut self) {
        self.operations.clear();
        self.size = Size::of(&self.base);
        self.revision += 1;
    }

    /// Forgets what is pending but for that which somebody waits for.
    pub(crate) fn discard_pending(&mut self) {
        self.operations.retain(|operation| operation.at_once);
        self.has_stale = true;
        self.recount();
    }

    /// Tells whether anything was done.
    pub(crate) const fn is_changed(&self) -> bool {
        !self.operations.is_empty()
    }

    /// Tells whether everything was dropped.
    pub(crate) fn is_cleared(&self) -> bool {
        self.operations
            .iter()
            .any(|operation| operation.key.is_none())
    }

    /// Takes what was done, to be committed: what concerns one key or all of it, up to an operation's number, but nothing
    /// that another waits for. Tells whether it must be made again first.
    pub(crate) fn take_operations(
        &mut self,
        key: Option<&str>,
        until: u64,
    ) -> (Vec<Operation>, bool) {
        let mut is_stale = self.has_stale || self.reads.has_outdated();
        let is_all = key.is_none() && until == u64::MAX;
        let taken = if is_all && !self.operations.iter().any(|operation| operation.at_once) {
            std::mem::take(&mut self.operations)
        } else {
            let is_taken = |operation: &mut Operation| {
                let concerned =
                    operation.number <= until && (key.is_none() || operation.key.as_deref() == key);
                let is_anothers = operation.at_once && operation.number != until;
                is_stale |= concerned && is_anothers;
                concerned && !is_anothers
            };
            self.operations.extract_if(.., is_taken).collect()
        };
        self.has_stale &= self.is_changed();
        self.recount();
        (taken, is_stale)
    }

    /// Goes on from what a commit has left in the store.
    pub(crate) fn rebase(&mut self, base: Values) {
        self.has_stale |= self.is_changed() && self.base != base;
        self.reads.rebase(&self.base, &base);
        self.base = base;
        self.recount();
    }

    pub(crate) const fn base(&self) -> &Values {
        &self.base
    }

    /// Adds an operation and returns its number.
    fn push(&mut self, operation: Operation, size: Size) -> u64 {
        self.revision += 1;
        self.operations.push(Operation {
            number: self.revision,
            ..operation
        });
        self.size = size;
        self.revision
    }

    fn recount(&mut self) {
        self.revision += 1;
        if self.operations.is_empty() {
            self.size = Size::of(&self.base);
            return;
        }
        let entries = merge(&self.base, &self.operations);
        self.size = entries.map_or(Size::of(&self.base), |entries| Size::of_entries(&entries));
    }

    /// Returns the size with a key set to a value, if that is within the limits.
    fn size_with(&self, key: &str, after: Option<&Value>) -> Result<Size, Error> {
        let before = self.peek(key)?;
        let mut size = self.size;
        size.remove(key.len(), before.as_deref());
        size.add(key.len(), after.map(|value| &**value));
        let fits = after.is_none() || size.fits();
        fits.then_some(size)
            .ok_or_else(|| Error::of_key(ErrorKind::TooLarge, key))
    }
}

impl Operation {
    fn new(key: &str, act: Act, after: Option<Value>) -> Self {
        Self {
            key: Some(key.into()),
            act,
            after,
            number: 0,
            at_once: false,
        }
    }

    fn when(self, when: When) -> Self {
        Self {
            at_once: when == When::AtOnce,
            ..self
        }
    }

    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// Returns what was claimed in the run that was committed.
    pub(crate) fn into_claimed(self) -> Option<Value> {
        match self.act {
            Act::Claim(claimed, _) => claimed,
            Act::Clear | Act::Take(_) | Act::Update(_) | Act::Write { .. } => None,
        }
    }

    /// Returns the key's value once this is done.
    pub(crate) fn after(&self) -> Option<&Value> {
        self.after.as_ref()
    }

    fn concerns(&self, key: &str) -> bool {
        self.key.as_deref().is_none_or(|own| own == key)
    }

    fn after_for(&self, key: &str) -> Option<Value> {
        debug_assert!(self.concerns(key));
        self.after.clone()
    }

    /// Tells whether what follows it does not depend on what was loaded.
    fn hides_base(&self) -> bool {
        matches!(self.act, Act::Clear | Act::Write { read: None })
    }

    fn is_write(&self) -> bool {
        matches!(self.act, Act::Write { .. })
    }

    fn into_read(self) -> Option<Option<Value>> {
        match self.act {
            Act::Write { read } => read,
            Act::Claim(..) | Act::Clear | Act::Take(_) | Act::Update(_) => None,
        }
    }

    /// Does it again on a fresher record, in which its key has the value `current`.
    fn redo(&mut self, fresh: &Values, current: Option<Value>) -> Result<(), Error> {
        let key = self.key.as_deref().unwrap_or_default();
        match &mut self.act {
            Act::Claim(claimed, check) => {
                current
                    .as_deref()
                    .map_or(Ok(()), |value| check(key, value))?;
                *claimed = current;
            }
            Act::Take(taken) => self.after = current.filter(|current| current != taken),
            Act::Update(update) => self.after = Some(update(current.as_deref())?),
            Act::Write { read: Some(read) } if *read != find(fresh, key)? => {
                return Err(Error::of_key(ErrorKind::ChangedSinceRead, key));
            }
            Act::Clear | Act::Write { .. } => {}
        }
        Ok(())
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

/// Does operations again on a fresher record than they were made on.
pub(crate) fn replay(operations: &mut [Operation], fresh: &Values) -> Result<(), Error> {
    for index in 0..operations.len() {
        let (done, rest) = operations.split_at_mut(index);
        let operation = &mut rest[0];
        if let Some(key) = &operation.key {
            let current = view(done, fresh, key)?;
            operation.redo(fresh, current)?;
        }
    }
    Ok(())
}

/// Returns what operations make of values, if that is a difference.
pub(crate) fn outcome(base: &Values, operations: &[Operation]) -> Result<Option<Values>, Error> {
    if operations.is_empty() {
        return Ok(None);
    }
    let entries = merge(base, operations).map_err(|corrupt| undecodable("", corrupt))?;
    let values = Values::encode(&entries).map_err(|Limit| Error::new(ErrorKind::TooLarge))?;
    Ok(Some(values).filter(|values| values != base))
}

/// Returns the value that a key has after operations on values.
fn view(operations: &[Operation], base: &Values, key: &str) -> Result<Option<Value>, Error> {
    match latest(operations, key) {
        Some(operation) => Ok(operation.after_for(key)),
        None => find(base, key),
    }
}

fn find(values: &Values, key: &str) -> Result<Option<Value>, Error> {
    let found = values
        .find(key)
        .map_err(|corrupt| undecodable(key, corrupt))?;
    Ok(found.map(|(_, value)| value))
}

fn latest<'a>(operations: &'a [Operation], key: &str) -> Option<&'a Operation> {
    latest_index(operations, key).map(|index| &operations[index])
}

fn latest_index(operations: &[Operation], key: &str) -> Option<usize> {
    operations
        .iter()
        .rposition(|operation| operation.concerns(key))
}

/// Lists the entries after operations, what was loaded first and in its order.
fn merge<'a>(base: &'a Values, operations: &'a [Operation]) -> Result<Vec<Pair<'a>>, Corrupt> {
    let cleared = operations
        .iter()
        .rposition(|operation| operation.key.is_none());
    let mut entries = match cleared {
        Some(_) => Vec::new(),
        None => base.to_vec()?,
    };
    for operation in &operations[cleared.map_or(0, |index| index + 1)..] {
        let Some(key) = &operation.key else { continue };
        let place = entries
            .iter()
            .position(|(known, _)| *known == key.as_bytes());
        match (place, &operation.after) {
            (Some(place), Some(value)) => entries[place].1 = value,
            (Some(place), None) => drop(entries.remove(place)),
            (None, Some(value)) => entries.push((key.as_bytes(), value)),
            (None, None) => {}
        }
    }
    Ok(entries)
}

fn undecodable(key: &str, corrupt: Corrupt) -> Error {
    Error::of_key(ErrorKind::UndecodableValue, key).with_source(corrupt)
}

/// How much the values take, kept up to date so that a write finds out at once whether it fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size {
    len: usize,
    count: usize,
}

impl Size {
    const EMPTY: Self = Self {
        len: Values::HEAD,
        count: 0,
    };

    fn of(values: &Values) -> Self {
        Self {
            len: values.len(),
            count: values.count().unwrap_or(0),
        }
    }

    fn of_entries(entries: &[Pair<'_>]) -> Self {
        let mut size = Self::EMPTY;
        entries
            .iter()
            .for_each(|(key, value)| size.add(key.len(), Some(value)));
        size
    }

    fn add(&mut self, key_len: usize, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.len += Values::entry_len(key_len, value.len());
            self.count += 1;
        }
    }

    fn remove(&mut self, key_len: usize, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.len = self
                .len
                .saturating_sub(Values::entry_len(key_len, value.len()));
            self.count = self.count.saturating_sub(1);
        }
    }

    const fn fits(self) -> bool {
        self.len <= MAX_LEN && self.count <= MAX_ENTRIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(entries: &[(&str, &str)]) -> Values {
        let entries: Vec<_> = entries
            .iter()
            .map(|(key, json)| (key.as_bytes(), json.as_bytes()))
            .collect();
        Values::encode(&entries).unwrap()
    }

    fn value(json: &str) -> Value {
        json.as_bytes().to_vec().into()
    }

    fn text(value: Option<Value>) -> Option<String> {
        value.map(|value| String::from_utf8(value.to_vec()).unwrap())
    }

    impl ValueDraft {
        fn outcome(&self) -> Result<Option<Values>, Error> {
            outcome(&self.base, &self.operations)
        }
    }

    fn draft() -> ValueDraft {
        ValueDraft::new(values(&[("a", "1"), ("b", "2")]))
    }

    /// Appends `+` to what there is.
    fn append(draft: &mut ValueDraft, key: &str) {
        let mut plus: Update =
            Box::new(|current| Ok([current.unwrap_or_default(), b"+"].concat().into()));
        let after = plus(draft.peek(key).unwrap().as_deref()).unwrap();
        draft
            .update(key, after, plus, When::WithTheResponse)
            .unwrap();
    }

    /// Commits a draft on a record that others have changed meanwhile.
    fn replayed(
        draft: &mut ValueDraft,
        fresh: &[(&str, &str)],
    ) -> Result<Vec<(String, String)>, ErrorKind> {
        let fresh = values(fresh);
        let mut operations = std::mem::take(&mut draft.operations);
        replay(&mut operations, &fresh).map_err(|error| error.kind())?;
        let after = outcome(&fresh, &operations).unwrap().unwrap_or(fresh);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Ok(after
            .to_vec()
            .unwrap()
            .into_iter()
            .map(|(key, value)| (text(key), text(value)))
            .collect())
    }

    fn entries(entries: &[(&str, &str)]) -> Result<Vec<(String, String)>, ErrorKind> {
        Ok(entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect())
    }

    #[test]
    fn a_request_sees_what_it_has_done() {
        let mut draft = draft();
        draft.write("a", Some(value("9"))).unwrap();
        append(&mut draft, "b");
        append(&mut draft, "b");
        assert_eq!(text(draft.read("a").unwrap()), Some("9".into()));
        assert_eq!(text(draft.read("b").unwrap()), Some("2++".into()));
        assert_eq!(text(draft.take("a").unwrap()), Some("9".into()));
        assert_eq!(draft.read("a").unwrap(), None);
        draft.clear();
        assert_eq!(draft.read("b").unwrap(), None);
        draft.write("c", Some(value("3"))).unwrap();
        assert_eq!(draft.keys().unwrap(), ["c"]);
        draft.discard();
        assert_eq!(draft.keys().unwrap(), ["a", "b"]);
    }

    #[test]
    fn what_changes_nothing_has_no_outcome() {
        for (case, change) in [
            ("nothing", (|_| {}) as fn(&mut ValueDraft)),
            ("a read", |draft| drop(draft.read("a").unwrap())),
            ("an equal value", |draft| {
                draft.write("a", Some(value("1"))).unwrap();
            }),
            ("there and back", |draft| {
                draft.write("a", Some(value("5"))).unwrap();
                draft.write("a", Some(value("1"))).unwrap();
            }),
            ("removed and written again", |draft| {
                draft.write("a", None).unwrap();
                draft.write("a", Some(value("1"))).unwrap();
            }),
            ("a missing key removed", |draft| {
                draft.write("none", None).unwrap();
            }),
            ("a missing key taken", |draft| {
                drop(draft.take("none").unwrap());
            }),
            ("discarded", |draft| {
                draft.clear();
                draft.discard();
            }),
        ] {
            let mut draft = draft();
            change(&mut draft);
            assert_eq!(draft.outcome().unwrap(), None, "{case}");
        }
    }

    #[test]
    fn a_replay_gives_each_operation_its_meaning_on_the_fresh_record() {
        let fresh = [("a", "7"), ("b", "2"), ("z", "26")];
        for (case, change, expected) in [
            (
                "a blind write wins",
                (|draft| draft.write("a", Some(value("9"))).unwrap()) as fn(&mut ValueDraft),
                entries(&[("a", "9"), ("b", "2"), ("z", "26")]),
            ),
            (
                "a blind removal wins",
                |draft| draft.write("a", None).unwrap(),
                entries(&[("b", "2"), ("z", "26")]),
            ),
            ("clear wins", ValueDraft::clear, entries(&[])),
            (
                "an update runs again",
                |draft| append(draft, "a"),
                entries(&[("a", "7+"), ("b", "2"), ("z", "26")]),
            ),
            (
                "updates run one after the other",
                |draft| {
                    append(draft, "a");
                    append(draft, "a");
                },
                entries(&[("a", "7++"), ("b", "2"), ("z", "26")]),
            ),
            (
                "a taken value that changed stays",
                |draft| drop(draft.take("a").unwrap()),
                entries(&[("a", "7"), ("b", "2"), ("z", "26")]),
            ),
            (
                "one that did not goes",
                |draft| drop(draft.take("b").unwrap()),
                entries(&[("a", "7"), ("z", "26")]),
            ),
            (
                "a claim takes what there is",
                |draft| {
                    draft.claim("a", |_, _| Ok(())).unwrap();
                },
                entries(&[("b", "2"), ("z", "26")]),
            ),
            (
                "read, changed, then written",
                |draft| {
                    draft.read("a").unwrap();
                    draft.write("a", Some(value("9"))).unwrap();
                },
                Err(ErrorKind::ChangedSinceRead),
            ),
            (
                "read as missing, added, then written",
                |draft| {
                    draft.read("z").unwrap();
                    draft.write("z", Some(value("9"))).unwrap();
                },
                Err(ErrorKind::ChangedSinceRead),
            ),
            (
                "listed, changed, then removed",
                |draft| {
                    draft.keys().unwrap();
                    draft.write("a", None).unwrap();
                },
                Err(ErrorKind::ChangedSinceRead),
            ),
            (
                "read after an update, then written",
                |draft| {
                    append(draft, "a");
                    draft.read("a").unwrap();
                    draft.write("a", Some(value("9"))).unwrap();
                },
                Err(ErrorKind::ChangedSinceRead),
            ),
            (
                "read and unchanged, then written",
                |draft| {
                    draft.read("b").unwrap();
                    draft.write("b", Some(value("9"))).unwrap();
                },
                entries(&[("a", "7"), ("b", "9"), ("z", "26")]),
            ),
            (
                "written before it was read",
                |draft| {
                    draft.write("a", Some(value("8"))).unwrap();
                    draft.read("a").unwrap();
                    draft.write("a", Some(value("9"))).unwrap();
                },
                entries(&[("a", "9"), ("b", "2"), ("z", "26")]),
            ),
            (
                "another key was read",
                |draft| {
                    draft.read("a").unwrap();
                    draft.write("b", Some(value("9"))).unwrap();
                },
                entries(&[("a", "7"), ("b", "9"), ("z", "26")]),
            ),
        ] {
            let mut draft = draft();
            change(&mut draft);
            assert_eq!(replayed(&mut draft, &fresh), expected, "{case}");
        }
    }

    #[test]
    fn a_claim_tells_what_was_there_when_it_was_committed() {
        let mut draft = draft();
        let number = draft.claim("a", |_, _| Ok(())).unwrap();
        let (mut operations, _) = draft.take_operations(Some("a"), number);
        replay(&mut operations, &values(&[("a", "7")])).unwrap();
        let claimed =
            |operations: Vec<Operation>| operations.into_iter().find_map(Operation::into_claimed);
        assert_eq!(text(claimed(operations)), Some("7".into()));
        let number = draft.claim("a", |_, _| Ok(())).unwrap();
        let (mut operations, _) = draft.take_operations(Some("a"), number);
        replay(&mut operations, &values(&[("b", "2")])).unwrap();
        assert_eq!(claimed(operations), None);
    }

    #[test]
    fn what_does_not_fit_leaves_everything_as_it_was() {
        let mut draft = draft();
        draft.write("a", Some(value("5"))).unwrap();
        let large = Value::from(vec![b'1'; MAX_LEN]);
        for result in [
            draft.write("a", Some(large.clone())),
            draft.write("c", Some(large.clone())),
            draft
                .update(
                    "a",
                    large,
                    Box::new(|_| unreachable!("not run")),
                    When::AtOnce,
                )
                .map(drop),
        ] {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::TooLarge);
        }
        assert_eq!(
            draft.outcome().unwrap(),
            Some(values(&[("a", "5"), ("b", "2")]))
        );
    }

    #[test]
    fn the_limits_hold_for_what_the_values_would_become() {
        let mut draft = ValueDraft::new(Values::empty());
        for index in 0..MAX_ENTRIES {
            draft.write(&index.to_string(), Some(value("1"))).unwrap();
        }
        assert_eq!(
            draft.write("more", Some(value("1"))).unwrap_err().kind(),
            ErrorKind::TooLarge
        );
        draft.write("0", Some(value("2"))).unwrap();
        draft.write("1", None).unwrap();
        draft.write("more", Some(value("1"))).unwrap();
        let largest = MAX_LEN - draft.size.len - Values::entry_len(1, 0);
        draft.write("2", None).unwrap();
        let room = Values::entry_len(1, 1);
        draft
            .write("k", Some(vec![b'1'; largest + room].into()))
            .unwrap();
        assert_eq!(draft.outcome().unwrap().unwrap().len(), MAX_LEN);
        assert!(
            draft
                .write("k", Some(vec![b'1'; largest + room + 1].into()))
                .is_err()
        );
    }

    #[test]
    fn a_commit_of_one_key_leaves_the_others_pending() {
        let mut draft = draft();
        draft.write("a", Some(value("5"))).unwrap();
        append(&mut draft, "b");
        let (taken, _) = draft.take_operations(Some("b"), u64::MAX);
        assert_eq!(
            outcome(draft.base(), &taken).unwrap(),
            Some(values(&[("a", "1"), ("b", "2+")]))
        );
        draft.rebase(values(&[("a", "1"), ("b", "2+")]));
        assert_eq!(
            draft.outcome().unwrap(),
            Some(values(&[("a", "5"), ("b", "2+")]))
        );
    }

    #[test]
    fn a_read_that_a_commit_has_found_outdated_still_guards_a_write() {
        let mut draft = draft();
        draft.read("a").unwrap();
        draft.rebase(values(&[("a", "7"), ("b", "2")]));
        draft.write("a", Some(value("9"))).unwrap();
        assert_eq!(
            replayed(&mut draft, &[("a", "7")]),
            Err(ErrorKind::ChangedSinceRead)
        );
        draft.read("a").unwrap();
        draft.write("a", Some(value("9"))).unwrap();
        assert_eq!(
            replayed(&mut draft, &[("a", "7")]),
            entries(&[("a", "9")]),
            "read again since"
        );
    }

    #[test]
    fn values_that_do_not_decode_are_errors_until_they_are_cleared() {
        let mut draft = ValueDraft::new(Values::from_stored([9, 9].into()));
        assert_eq!(
            draft.read("a").unwrap_err().kind(),
            ErrorKind::UndecodableValue
        );
        assert_eq!(
            draft.write("a", Some(value("1"))).unwrap_err().kind(),
            ErrorKind::UndecodableValue
        );
        assert_eq!(draft.outcome().unwrap(), None, "nothing was overwritten");
        draft.clear();
        draft.write("a", Some(value("1"))).unwrap();
        assert_eq!(draft.outcome().unwrap(), Some(values(&[("a", "1")])));
    }
}
