//! The contract of [`PrincipalIndex`] as tests.

use std::{collections::HashSet, sync::Arc};

use super::{Clocked, HOUR, SHORT, Subject, TICK, create, handle, record, sentences, version};
use crate::{
    id::Random,
    principal::{CredentialStamp, PrincipalId},
    store::{Entered, Entry, PrincipalIndex, SessionStore},
};

/// A store to be tested that keeps an index of principals.
pub trait Indexed: Subject {
    /// Returns the index.
    fn index(&self) -> Arc<dyn PrincipalIndex>;
}

impl<S: PrincipalIndex + Clone> Indexed for S {
    fn index(&self) -> Arc<dyn PrincipalIndex> {
        Arc::new(self.clone())
    }
}

impl<S: PrincipalIndex + Clone> Indexed for Clocked<S> {
    fn index(&self) -> Arc<dyn PrincipalIndex> {
        Arc::new(self.0.clone())
    }
}

sentences! { $ Indexed index_conformance index_conformance INDEX_SENTENCES

/// The layer finds the index by asking the store.
the_store_says_that_it_keeps_an_index(subject) {
    assert!(subject.store().index().is_some());
}

/// What was entered is answered in the order in which it was entered, by `enter` as far as it came before.
entries_keep_the_order_in_which_they_were_entered(subject) {
    let (index, who) = (subject.index(), principal());
    let entries = bound(subject, 5).await;
    for (place, entry) in entries.iter().enumerate() {
        assert_eq!(enter(&*index, &who, *entry).await, entries[..place]);
    }
    assert_eq!(index.entries(&who).await.unwrap(), entries);
}

/// To enter an entry again changes nothing, and answers with those before it.
to_enter_an_entry_again_changes_nothing(subject) {
    let (index, who) = (subject.index(), principal());
    let entries = bound(subject, 3).await;
    for entry in &entries {
        enter(&*index, &who, *entry).await;
    }
    assert_eq!(enter(&*index, &who, entries[1]).await, entries[..1]);
    assert_eq!(index.entries(&who).await.unwrap(), entries);
}

/// However many entries there are, no more are answered than were asked for, and those in their order.
no_more_entries_are_answered_than_were_asked_for(subject) {
    let (index, who) = (subject.index(), principal());
    let entries = bound(subject, 9).await;
    for (place, entry) in entries.iter().enumerate() {
        let some = enter_after(&*index, &who, *entry, 3).await;
        assert_eq!(some.len(), place.min(3));
        let mut before = entries[..place].iter();
        assert!(some.iter().all(|entry| before.any(|other| other == entry)), "{some:?}");
    }
    assert_eq!(enter_after(&*index, &who, entries[8], 0).await, []);
    assert_eq!(index.entries(&who).await.unwrap(), entries);
}

/// Two logins of one session are two entries, and one that leaves does not take the other with it.
of_two_logins_of_a_session_one_can_leave(subject) {
    let (index, who) = (subject.index(), principal());
    let [first] = bound(subject, 1).await[..] else { unreachable!() };
    let second = Entry::new(first.handle, version(77));
    enter(&*index, &who, first).await;
    assert_eq!(enter(&*index, &who, second).await, [first]);
    index.leave(&who, &[first]).await.unwrap();
    assert_eq!(index.entries(&who).await.unwrap(), [second]);
    index.leave(&who, &[first, second]).await.unwrap();
    assert_eq!(index.entries(&who).await.unwrap(), []);
}

/// Principals are compared byte for byte.
principals_are_compared_byte_for_byte(subject) {
    let index = subject.index();
    let base = principal();
    let base = base.as_str();
    let near = [
        base.to_owned(), base.to_uppercase(), format!("{base} "), format!(" {base}"), format!("{base}\0"),
        format!("{base}\u{e9}"), format!("{base}e\u{301}"), format!("{base}%"), format!("{base}_"),
        format!("{base}{}", "x".repeat(PrincipalId::MAX_LEN - base.len())),
    ];
    let entries = bound(subject, near.len()).await;
    for (text, entry) in near.iter().zip(&entries) {
        assert_eq!(enter(&*index, &text.into(), *entry).await, [], "{text:?} is somebody else");
    }
    for (text, entry) in near.iter().zip(&entries) {
        assert_eq!(index.entries(&text.into()).await.unwrap(), [*entry], "{text:?}");
    }
}

/// An entry stays for as long as there is a record under its handle, bound or not, touched or replaced.
an_entry_stays_as_long_as_its_record(subject) {
    let (store, index, who) = (subject.store(), subject.index(), principal());
    let handle = handle();
    create(&*store, handle, &record(1, b""), SHORT).await;
    let entry = Entry::new(handle, version(1));
    enter(&*index, &who, entry).await;
    assert!(store.touch(&handle, version(1), HOUR).await.unwrap());
    subject.wait(SHORT + TICK).await;
    enter(&*index, &principal(), Entry::new(self::handle(), version(1))).await;
    assert_eq!(index.entries(&who).await.unwrap(), [entry]);
}

/// Of many that are entered at once, on however many connections, each finds all that were entered before it.
of_entries_made_at_once_one_finds_the_other(subject) {
    let who = principal();
    let entries = bound(subject, CROWD).await;
    let tasks: Vec<_> = entries.iter().map(|entry| {
        let (index, who, entry) = (subject.index(), who.clone(), *entry);
        tokio::spawn(async move { (entry, enter(&*index, &who, entry).await) })
    }).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    let order = subject.index().entries(&who).await.unwrap();
    assert_eq!(order.len(), CROWD);
    for (entry, before) in answers {
        let place = order.iter().position(|other| *other == entry).unwrap();
        assert_eq!(before, order[..place]);
    }
}

/// A stamp that is remembered refuses another one, and neither the same nor none.
a_remembered_stamp_refuses_another(subject) {
    let (index, who) = (subject.index(), principal());
    let [old, new] = ["old", "new"].map(CredentialStamp::of);
    let entries = bound(subject, 4).await;
    let enter = |place: usize, stamp: Option<CredentialStamp>| {
        let (index, who, entry) = (index.clone(), who.clone(), entries[place]);
        async move { index.enter(&who, entry, stamp.as_ref(), usize::MAX).await.unwrap() }
    };
    assert_eq!(enter(0, Some(old)).await, Entered::After(vec![]), "nothing is remembered yet");
    assert_eq!(index.restamp(&who, &new).await.unwrap(), entries[..1]);
    assert_eq!(enter(1, Some(old)).await, Entered::Refused);
    assert_eq!(enter(2, Some(new)).await, Entered::After(entries[..1].to_vec()));
    assert!(matches!(enter(3, None).await, Entered::After(_)));
    assert_eq!(index.entries(&who).await.unwrap(), [entries[0], entries[2], entries[3]]);
    index.restamp(&who, &old).await.unwrap();
    assert_eq!(enter(1, Some(new)).await, Entered::Refused, "the last one counts");
}

/// A stamp is of its principal alone.
a_stamp_is_of_its_principal(subject) {
    let index = subject.index();
    index.restamp(&principal(), &CredentialStamp::of("new")).await.unwrap();
    let [entry] = bound(subject, 1).await[..] else { unreachable!() };
    let old = CredentialStamp::of("old");
    assert_eq!(index.enter(&principal(), entry, Some(&old), usize::MAX).await.unwrap(), Entered::After(vec![]));
}

/// What is entered with another stamp while it changes is either refused or among the entries that are answered.
what_is_entered_while_a_stamp_changes_is_refused_or_seen(subject) {
    for _ in 0..ROUNDS {
        let who = principal();
        let [old, new] = ["old", "new"].map(CredentialStamp::of);
        let entries = bound(subject, 8).await;
        let logins: Vec<_> = entries.iter().map(|entry| {
            let (index, who, entry) = (subject.index(), who.clone(), *entry);
            tokio::spawn(async move { (entry, index.enter(&who, entry, Some(&old), 0).await.unwrap()) })
        }).collect();
        let (index, principal) = (subject.index(), who.clone());
        let changed = tokio::spawn(async move { index.restamp(&principal, &new).await.unwrap() });
        let seen: HashSet<_> = changed.await.unwrap().into_iter().collect();
        for login in logins {
            let (entry, entered) = login.await.unwrap();
            let is_seen = seen.contains(&entry);
            assert_eq!(is_seen, entered != Entered::Refused, "{entered:?}");
        }
    }
}

/// Many records are read at once, each in its place.
many_records_are_read_in_their_places(subject) {
    let (store, index) = (subject.store(), subject.index());
    let (first, second, absent, expired) = (handle(), handle(), handle(), handle());
    create(&*store, first, &record(1, b"first"), HOUR).await;
    create(&*store, second, &record(2, b"second"), HOUR).await;
    create(&*store, expired, &record(3, b"expired"), SHORT).await;
    subject.wait(SHORT + TICK).await;
    let asked = [second, absent, first, expired, second];
    let found = index.load_all(&asked).await.unwrap();
    let records: Vec<_> = found.into_iter().map(|loaded| loaded.map(|loaded| loaded.record)).collect();
    let (first, second) = (Some(record(1, b"first")), Some(record(2, b"second")));
    assert_eq!(records, [second.clone(), None, first, None, second]);
    assert_eq!(index.load_all(&[]).await.unwrap(), []);
}

/// A walk finds every record that is there all the while, however small its steps.
a_walk_finds_every_record(subject) {
    let (store, index) = (subject.store(), subject.index());
    let mut kept = HashSet::new();
    for _ in 0..30 {
        let handle = handle();
        create(&*store, handle, &record(1, b""), HOUR).await;
        kept.insert(handle);
    }
    for most in [7, 1_000] {
        let (mut from, mut found) = (None, HashSet::new());
        loop {
            let step = index.walk(from.as_ref(), most).await.unwrap();
            found.extend(step.handles);
            from = step.next;
            if from.is_none() {
                break;
            }
        }
        assert!(found.is_superset(&kept), "{} of {}", found.len(), kept.len());
    }
}

/// A count is of all records that are there, if the store can count them.
a_count_is_of_all_records(subject) {
    let (store, index) = (subject.store(), subject.index());
    for _ in 0..5 {
        create(&*store, handle(), &record(1, b""), HOUR).await;
    }
    // Tests may share a database.
    assert!(index.count().await.unwrap().is_none_or(|counted| counted >= 5));
}

}

/// Creates records, and returns an entry for each.
async fn bound(subject: &impl Indexed, count: usize) -> Vec<Entry> {
    let store = subject.store();
    let mut entries = Vec::new();
    for number in 1..=count as u64 {
        let handle = handle();
        create(&*store, handle, &record(number, b""), HOUR).await;
        entries.push(Entry::new(handle, version(number)));
    }
    entries
}

async fn enter(index: &dyn PrincipalIndex, who: &PrincipalId, entry: Entry) -> Vec<Entry> {
    enter_after(index, who, entry, usize::MAX).await
}

async fn enter_after(
    index: &dyn PrincipalIndex,
    who: &PrincipalId,
    entry: Entry,
    most: usize,
) -> Vec<Entry> {
    match index.enter(who, entry, None, most).await.unwrap() {
        Entered::After(entries) => entries,
        Entered::Refused => panic!("no stamp was given, and it was refused"),
    }
}

/// Returns somebody new, so that tests may share a database.
fn principal() -> PrincipalId {
    let number = Random::System.draw_number(0).unwrap();
    format!("user{number:016x}").into()
}

const CROWD: usize = 50;
const ROUNDS: usize = 10;
