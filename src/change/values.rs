//! The values as a request sees them and what it does to them.

use super::{
    edits::{Act, Edits, Operation, Update, find, latest, latest_index, undecodable, with},
    reads::Reads,
};
use crate::{
    error::Error,
    record::{Pair, Value, Values},
};

/// The values as a request sees them: what was loaded, and what it has done to it since.
#[derive(Debug)]
pub(crate) struct ValueDraft {
    base: Values,
    /// What the operations make of the base; `None` if there are none.
    changed: Option<Values>,
    operations: Vec<Operation>,
    /// What was forgotten, to be dropped once no lock is held: what a user's function has captured is the user's code.
    forgotten: Vec<Operation>,
    /// The operations were made on another base, so before they are committed they are made again on this one.
    is_stale: bool,
    /// Something was removed: what is written again stands in another place, and is no difference for that.
    removed: bool,
    reads: Reads,
    /// Counts changes, so that one that was made of a stale look is noticed.
    revision: u64,
}

/// What a key's value was before a user's code saw it, which may itself change the session.
pub(crate) struct Look {
    pub(crate) value: Option<Value>,
    revision: u64,
}

impl ValueDraft {
    pub(crate) fn new(base: Values) -> Self {
        Self {
            base,
            changed: None,
            operations: Vec::new(),
            forgotten: Vec::new(),
            is_stale: false,
            removed: false,
            reads: Reads::default(),
            revision: 0,
        }
    }

    /// Begins without a record: what is read of it is nobody else's, and no commit can conflict with it.
    pub(crate) fn of_nobody() -> Self {
        Self {
            reads: Reads::untracked(),
            ..Self::new(Values::empty())
        }
    }

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

    /// Reads a key, and remembers that it was read.
    pub(crate) fn read(&mut self, key: &str) -> Result<Option<Value>, Error> {
        if latest(&self.operations, key).is_some_and(Operation::hides_base) {
            return self.peek(key);
        }
        let base = self.reads.note(&self.base, key);
        let base = base.map_err(|corrupt| undecodable(key, corrupt))?;
        match self.is_changed() {
            true => self.peek(key),
            false => Ok(base),
        }
    }

    /// Looks at a key on behalf of an operation that is done again if the key changes.
    pub(crate) fn peek(&self, key: &str) -> Result<Option<Value>, Error> {
        find(self.current(), key)
    }

    /// Lists the keys, and remembers that all were read.
    pub(crate) fn keys(&mut self) -> Result<Vec<String>, Error> {
        self.reads.note_all();
        let entries = self.current().to_vec();
        let name = |(key, _): Pair<'_>| String::from_utf8_lossy(key).into_owned();
        Ok(entries
            .map_err(|corrupt| undecodable("", corrupt))?
            .into_iter()
            .map(name)
            .collect())
    }

    /// Writes a key, or removes it.
    pub(crate) fn write(&mut self, key: &str, value: Option<Vec<u8>>) -> Result<(), Error> {
        let next = with(self.current(), key, value.as_deref())?;
        let read = match latest_index(&self.operations, key) {
            Some(index) if self.operations[index].is_write() => {
                self.operations.remove(index).into_read()
            }
            Some(index) if self.operations[index].hides_base() => None,
            _ => self.reads.value_read(&self.base, key),
        };
        self.push(Operation::new(key, Act::Write { value, read }), next);
        Ok(())
    }

    /// Removes a key's value, if there is one.
    pub(crate) fn take(&mut self, key: &str) -> Result<(), Error> {
        if let Some(value) = self.peek(key)? {
            let next = with(self.current(), key, None)?;
            self.push(Operation::new(key, Act::Take(value)), next);
        }
        Ok(())
    }

    /// Adds an update whose first run made `after` of what [`peek`](Self::peek) showed.
    pub(crate) fn update(&mut self, key: &str, after: &[u8], update: Update) -> Result<(), Error> {
        let next = with(self.current(), key, Some(after))?;
        self.push(Operation::update(key, update), next);
        Ok(())
    }

    /// Drops all values.
    pub(crate) fn clear(&mut self) {
        self.discard();
        let clear = Operation {
            key: None,
            act: Act::Clear,
        };
        self.push(clear, Values::empty());
    }

    /// Forgets everything that was done.
    pub(crate) fn discard(&mut self) {
        self.forgotten.append(&mut self.operations);
        self.rebuild();
    }

    /// Takes what was forgotten, for whoever can drop it without a lock.
    pub(crate) fn take_forgotten(&mut self) -> Vec<Operation> {
        std::mem::take(&mut self.forgotten)
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

    /// Takes what was done, to be committed: all of it, or what concerns one key, and `now` after it.
    ///
    /// What is committed at once has not run yet: a user's code is not run here, under the lock.
    pub(crate) fn take_edits(
        &mut self,
        only: Option<&str>,
        now: Option<Operation>,
        base: &Values,
    ) -> Result<Edits, Error> {
        let mut operations = match only {
            None => std::mem::take(&mut self.operations),
            Some(key) => {
                let concerned = |operation: &mut Operation| operation.key.as_deref() == Some(key);
                self.operations.extract_if(.., concerned).collect()
            }
        };
        let is_stale = self.is_stale || self.reads.has_outdated() || now.is_some();
        operations.extend(now);
        let (removed, current) = (self.removed, self.current().clone());
        self.rebuild();
        let values = match only {
            _ if is_stale => base.clone(),
            None => current,
            Some(key) => with(base, key, find(&current, key)?.as_deref())?,
        };
        Ok(Edits {
            differs: match is_stale {
                true => !operations.is_empty(),
                false => values != *base && !(removed && values.has_entries_of(base)),
            },
            operations,
            values,
            is_stale,
        })
    }

    /// Goes on from what a commit has left in the store.
    pub(crate) fn rebase(&mut self, base: Values) {
        self.is_stale |= self.is_changed() && self.base != base;
        self.reads.rebase(&self.base, &base);
        self.base = base;
        self.rebuild();
    }

    /// Keeps what the last commit has left in the store, for those who still read it.
    pub(crate) fn close(&mut self, base: Option<Values>) {
        self.base = base.unwrap_or_else(Values::empty);
        self.changed = None;
    }

    pub(crate) const fn base(&self) -> &Values {
        &self.base
    }

    /// Returns the values as the request sees them.
    fn current(&self) -> &Values {
        self.changed.as_ref().unwrap_or(&self.base)
    }

    fn push(&mut self, operation: Operation, next: Values) {
        self.removed |= operation.removes();
        self.operations.push(operation);
        self.changed = Some(next);
        self.revision += 1;
    }

    /// Shows what the operations that are left have made of their keys, until they are made again.
    fn rebuild(&mut self) {
        self.is_stale &= self.is_changed();
        self.removed &= self.is_changed();
        self.revision += 1;
        let Some(shown) = self.changed.take() else {
            return;
        };
        let keys = self
            .operations
            .iter()
            .filter_map(|done| done.key.as_deref());
        for key in keys {
            let current = self.changed.as_ref().unwrap_or(&self.base);
            let value = find(&shown, key);
            let rebuilt = value.and_then(|value| with(current, key, value.as_deref()));
            self.changed = rebuilt.ok().or_else(|| Some(current.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::ErrorKind,
        record::{MAX_ENTRIES, MAX_LEN},
    };

    fn values(entries: &[(&str, &str)]) -> Values {
        entries.iter().fold(Values::empty(), |values, (key, json)| {
            with(&values, key, Some(json.as_bytes())).unwrap()
        })
    }

    fn value(json: &str) -> Vec<u8> {
        json.into()
    }

    fn text(value: Option<Value>) -> Option<String> {
        value.map(|value| String::from_utf8(value.to_vec()).unwrap())
    }

    impl ValueDraft {
        /// Returns what there is to commit, if it makes a difference.
        fn outcome(&self) -> Option<Values> {
            let current = self.current();
            let differs = *current != self.base && !current.has_entries_of(&self.base);
            differs.then(|| current.clone())
        }
    }

    fn draft() -> ValueDraft {
        ValueDraft::new(values(&[("a", "1"), ("b", "2")]))
    }

    /// Appends `+` to what there is.
    fn append(draft: &mut ValueDraft, key: &str) {
        let mut plus: Update = Box::new(|current| Ok([current.unwrap_or_default(), b"+"].concat()));
        let after = plus(draft.peek(key).unwrap().as_deref()).unwrap();
        draft.update(key, &after, plus).unwrap();
    }

    fn taken(draft: &mut ValueDraft, only: Option<&str>) -> Edits {
        let base = draft.base().clone();
        draft.take_edits(only, None, &base).unwrap()
    }

    /// Commits a draft on a record that others have changed meanwhile.
    fn replayed(
        draft: &mut ValueDraft,
        fresh: &[(&str, &str)],
    ) -> Result<Vec<(String, String)>, ErrorKind> {
        let mut edits = taken(draft, None);
        edits.replay(&values(fresh)).map_err(|error| error.kind())?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Ok(edits
            .values
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
        draft.take("a").unwrap();
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
                draft.take("none").unwrap();
            }),
            ("discarded", |draft| {
                draft.clear();
                draft.discard();
            }),
        ] {
            let mut draft = draft();
            change(&mut draft);
            assert_eq!(draft.outcome(), None, "{case}");
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
                |draft| draft.take("a").unwrap(),
                entries(&[("a", "7"), ("b", "2"), ("z", "26")]),
            ),
            (
                "one that did not goes",
                |draft| draft.take("b").unwrap(),
                entries(&[("a", "7"), ("z", "26")]),
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

    /// Takes what is to be committed with a claim of a key.
    fn claimed(draft: &mut ValueDraft, key: &str) -> Edits {
        let claim = Operation::claim(key, |_, _| Ok(()));
        let base = draft.base().clone();
        draft.take_edits(Some(key), Some(claim), &base).unwrap()
    }

    #[test]
    fn a_claim_tells_what_was_there_when_it_was_committed() {
        for (fresh, expected) in [([("a", "7")], Some("7".into())), ([("b", "2")], None)] {
            let mut edits = claimed(&mut draft(), "a");
            edits.settle().unwrap();
            assert_eq!(edits.values, values(&[("b", "2")]));
            edits.replay(&values(&fresh)).unwrap();
            assert_eq!(text(edits.into_claimed()), expected);
        }
    }

    #[test]
    fn a_claim_takes_what_its_own_request_has_written_before() {
        let mut draft = draft();
        draft.write("a", Some(value("9"))).unwrap();
        let mut edits = claimed(&mut draft, "a");
        edits.settle().unwrap();
        assert_eq!(text(edits.into_claimed()), Some("9".into()));
        assert!(!draft.is_changed());
    }

    #[test]
    fn what_does_not_fit_leaves_everything_as_it_was() {
        let mut draft = draft();
        draft.write("a", Some(value("5"))).unwrap();
        let large = vec![b'1'; MAX_LEN];
        for result in [
            draft.write("a", Some(large.clone())),
            draft.write("c", Some(large.clone())),
            draft.update("a", &large, Box::new(|_| unreachable!("not run"))),
        ] {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::TooLarge);
        }
        assert_eq!(draft.outcome(), Some(values(&[("a", "5"), ("b", "2")])));
    }

    #[test]
    fn the_limits_hold_for_what_the_values_would_become() {
        let mut draft = ValueDraft::new(Values::empty());
        for index in 0..MAX_ENTRIES {
            draft.write(&index.to_string(), Some(value("1"))).unwrap();
        }
        let refused = |result: Result<(), Error>| result.unwrap_err().kind() == ErrorKind::TooLarge;
        assert!(refused(draft.write("more", Some(value("1")))));
        draft.write("0", Some(value("2"))).unwrap();
        draft.write("1", None).unwrap();
        draft.write("more", Some(value("1"))).unwrap();
        draft.clear();
        draft.write("k", Some(vec![b'1'; MAX_LEN / 2])).unwrap();
        assert!(refused(draft.write("l", Some(vec![b'1'; MAX_LEN / 2]))));
        draft.write("k", None).unwrap();
        draft.write("l", Some(vec![b'1'; MAX_LEN / 2])).unwrap();
    }

    #[test]
    fn a_commit_of_one_key_leaves_the_others_pending() {
        let mut draft = draft();
        draft.write("a", Some(value("5"))).unwrap();
        append(&mut draft, "b");
        let taken = taken(&mut draft, Some("b"));
        assert_eq!(taken.values, values(&[("a", "1"), ("b", "2+")]));
        assert_eq!(draft.outcome(), Some(values(&[("a", "5"), ("b", "2")])));
        draft.rebase(values(&[("a", "1"), ("b", "2+")]));
        assert_eq!(draft.outcome(), Some(values(&[("a", "5"), ("b", "2+")])));
    }

    #[test]
    fn what_is_pending_while_another_key_is_committed_is_made_again_on_what_that_commit_found() {
        let mut draft = draft();
        append(&mut draft, "a");
        taken(&mut draft, Some("b"));
        draft.rebase(values(&[("a", "7"), ("b", "3")]));
        assert_eq!(
            text(draft.read("a").unwrap()),
            Some("1+".into()),
            "until then"
        );
        let mut edits = taken(&mut draft, None);
        edits.settle().unwrap();
        assert_eq!(edits.values, values(&[("a", "7+"), ("b", "3")]));
        assert!(edits.differs);
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
        assert_eq!(draft.outcome(), None, "nothing was overwritten");
        draft.clear();
        draft.write("a", Some(value("1"))).unwrap();
        assert_eq!(draft.outcome(), Some(values(&[("a", "1")])));
    }
}
