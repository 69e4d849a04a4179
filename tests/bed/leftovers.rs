//! What is left of the index in the tables of a SQL store, and when it goes: for two nodes on each engine.

use std::{collections::HashMap, future::Future, time::Duration};

use tenure::{
    CredentialStamp, Handle, PrincipalId,
    store::{Created, Entered, Entry, PrincipalIndex, Record, SessionStore, Sweep, Version},
};
use tokio::task::JoinSet;

/// Two nodes on one database, and a console to it.
pub trait Site {
    type Store: SessionStore + PrincipalIndex + Sweep + Clone;

    fn nodes(&self) -> &[Self::Store; 2];

    /// Carries out a statement.
    fn run(&self, text: &str) -> impl Future<Output = ()>;

    /// Asks for a number.
    fn number(&self, text: &str) -> impl Future<Output = i64>;
}

/// Makes a test of each promise; the expression makes a site.
macro_rules! leftovers {
    ($site:expr) => {
        $crate::bed::leftovers::leftovers! { $site;
            a_principal_who_comes_back_after_a_sweep_comes_after_his_earlier_logins
            a_stamp_is_forgotten_after_a_day_swept_or_not
            an_entry_that_came_after_its_record_is_swept_with_its_principal
            entries_go_with_a_record_that_is_deleted
            entries_go_with_a_record_that_is_swept
            entries_that_several_remove_at_once_are_gone
            logins_at_once_have_one_order_while_both_nodes_sweep_and_delete
            many_entries_leave_and_many_records_are_loaded
            what_an_operator_deletes_is_swept_with_its_principal
            what_is_remembered_of_principals_is_swept_no_more_at_once_than_may_be
        }
    };
    ($site:expr; $($promise:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                $crate::bed::leftovers::$promise(&$site).await;
            }
        )*
    };
}
pub(crate) use leftovers;

pub async fn entries_go_with_a_record_that_is_deleted(site: &impl Site) {
    let [here, there] = site.nodes();
    let (ada, grace) = ("ada".into(), "grace".into());
    let (gone, kept) = (bound(here).await, bound(here).await);
    let again = Entry::new(gone.handle, version(9));
    for (who, entry) in [(&ada, gone), (&ada, kept), (&ada, again), (&grace, gone)] {
        enter(here, who, entry).await;
    }
    assert!(there.delete(&gone.handle).await.unwrap());
    assert_eq!(here.entries(&ada).await.unwrap(), [kept]);
    assert_eq!(here.entries(&grace).await.unwrap(), []);
    assert!(!there.delete(&gone.handle).await.unwrap());
}

pub async fn entries_go_with_a_record_that_is_swept(site: &impl Site) {
    let [here, there] = site.nodes();
    let ada = "ada".into();
    let (gone, kept) = (bound(here).await, bound(here).await);
    enter(here, &ada, gone).await;
    site.run("UPDATE tenure_sessions SET expires = 1, sweep_after = 1")
        .await;
    let live = bound(here).await;
    enter(here, &ada, live).await;
    assert_eq!(
        here.entries(&ada).await.unwrap(),
        [gone, live],
        "expired is not gone"
    );
    assert_eq!(
        there.sweep(1_000).await.unwrap(),
        2,
        "records are counted, not their entries"
    );
    assert_eq!(here.entries(&ada).await.unwrap(), [live]);
    assert!(here.load(&kept.handle).await.unwrap().is_none());
}

/// A deadlock would be an error of one of them.
pub async fn entries_that_several_remove_at_once_are_gone(site: &impl Site) {
    let [here, there] = site.nodes();
    let ada = "ada".into();
    for _ in 0..10 {
        let mut entries = Vec::new();
        for _ in 0..100 {
            let entry = bound(here).await;
            enter(here, &ada, entry).await;
            entries.push(entry);
        }
        site.run("UPDATE tenure_sessions SET expires = 1, sweep_after = 1")
            .await;
        let backwards: Vec<_> = entries.iter().rev().copied().collect();
        let (swept, left, left_backwards) = tokio::join!(
            there.sweep(1_000),
            here.leave(&ada, &entries),
            there.leave(&ada, &backwards),
        );
        assert_eq!(swept.unwrap(), 100);
        left.unwrap();
        left_backwards.unwrap();
        assert_eq!(here.entries(&ada).await.unwrap(), []);
    }
}

pub async fn a_stamp_is_forgotten_after_a_day_swept_or_not(site: &impl Site) {
    let [here, there] = site.nodes();
    let ada = "ada".into();
    let [old, new] = ["old", "new"].map(CredentialStamp::of);
    let entry = bound(here).await;
    let refused = async || {
        there
            .enter(&ada, entry, Some(&old), usize::MAX)
            .await
            .unwrap()
            == Entered::Refused
    };
    here.restamp(&ada, &new).await.unwrap();
    let left = "SELECT sweep_after FROM tenure_sessions_principals";
    let forgotten = site.number(left).await;
    assert!(refused().await);
    assert_eq!(
        site.number(left).await,
        forgotten,
        "a login does not make it longer"
    );
    here.sweep(100).await.unwrap();
    assert!(refused().await, "it was swept too early");
    site.run(FORGET).await;
    assert!(!refused().await);
    here.restamp(&ada, &new).await.unwrap();
    site.run(FORGET).await;
    assert_eq!(here.sweep(100).await.unwrap(), 1);
    assert!(!refused().await);
    assert_eq!(here.entries(&ada).await.unwrap(), [entry]);
}

pub async fn an_entry_that_came_after_its_record_is_swept_with_its_principal(site: &impl Site) {
    let [here, there] = site.nodes();
    let ada = "ada".into();
    let (late, kept, expired) = (bound(here).await, bound(here).await, bound(here).await);
    here.delete(&late.handle).await.unwrap();
    for entry in [late, kept, expired] {
        enter(here, &ada, entry).await;
    }
    let expire = format!(
        "UPDATE tenure_sessions SET expires = 1 WHERE version = {}",
        expired.login.as_u64()
    );
    site.run(&expire).await;
    here.sweep(100).await.unwrap();
    assert_eq!(
        here.entries(&ada).await.unwrap().len(),
        3,
        "it was swept too early"
    );
    site.run(FORGET).await;
    assert_eq!(there.sweep(100).await.unwrap(), 1);
    assert_eq!(here.entries(&ada).await.unwrap(), [kept, expired]);
}

pub async fn what_an_operator_deletes_is_swept_with_its_principal(site: &impl Site) {
    let [here, there] = site.nodes();
    let ada = "ada".into();
    for _ in 0..3 {
        enter(here, &ada, bound(here).await).await;
    }
    site.run("DELETE FROM tenure_sessions").await;
    site.run(FORGET).await;
    assert_eq!(there.sweep(100).await.unwrap(), 1);
    assert_eq!(here.entries(&ada).await.unwrap(), []);
}

pub async fn a_principal_who_comes_back_after_a_sweep_comes_after_his_earlier_logins(
    site: &impl Site,
) {
    let [here, there] = site.nodes();
    let ada = "ada".into();
    let mut entries = Vec::new();
    for _ in 0..4 {
        let entry = bound(here).await;
        assert_eq!(enter(here, &ada, entry).await, entries);
        entries.push(entry);
        site.run(FORGET).await;
        assert_eq!(there.sweep(100).await.unwrap(), 1);
    }
    let last = entries.pop().unwrap();
    here.leave(&ada, &[last]).await.unwrap();
    let next = bound(there).await;
    assert_eq!(enter(there, &ada, next).await, entries);
    assert_eq!(enter(here, &ada, last).await.last(), Some(&next));
}

pub async fn what_is_remembered_of_principals_is_swept_no_more_at_once_than_may_be(
    site: &impl Site,
) {
    let [here, there] = site.nodes();
    for number in 0..7 {
        let who = format!("user{number}").into();
        here.restamp(&who, &CredentialStamp::of("new"))
            .await
            .unwrap();
    }
    bound(here).await;
    site.run(FORGET).await;
    site.run("UPDATE tenure_sessions SET expires = 1, sweep_after = 1")
        .await;
    for (most, removed) in [(0, 0), (3, 3), (3, 3), (3, 2), (3, 0)] {
        assert_eq!(
            there.sweep(most).await.unwrap(),
            removed,
            "of at most {most}"
        );
    }
}

pub async fn many_entries_leave_and_many_records_are_loaded(site: &impl Site) {
    let [here, there] = site.nodes();
    let (ada, grace) = (PrincipalId::from("ada"), PrincipalId::from("grace"));
    let mut entries = Vec::new();
    for _ in 0..MANY {
        let entry = bound(here).await;
        enter(here, &ada, entry).await;
        entries.push(entry);
    }
    enter(here, &grace, entries[0]).await;
    assert_eq!(there.entries(&ada).await.unwrap(), entries);
    let handles: Vec<Handle> = entries.iter().rev().map(|entry| entry.handle).collect();
    let loaded = there.load_all(&handles).await.unwrap();
    for (loaded, entry) in loaded.iter().zip(entries.iter().rev()) {
        assert_eq!(loaded.as_ref().unwrap().record.version(), entry.login);
    }
    there.leave(&ada, &entries[1..]).await.unwrap();
    assert_eq!(here.entries(&ada).await.unwrap(), entries[..1]);
    assert_eq!(here.entries(&grace).await.unwrap(), entries[..1]);
}

/// Those who log in are all the time about to be swept, and others come and go.
pub async fn logins_at_once_have_one_order_while_both_nodes_sweep_and_delete(site: &impl Site) {
    let nodes = site.nodes();
    let mut logins = JoinSet::new();
    for number in 0..CROWD {
        let entry = bound(&nodes[0]).await;
        let (node, who) = (nodes[number % 2].clone(), format!("user{}", number % 3));
        logins.spawn(async move {
            let before = enter(&node, &who.as_str().into(), entry).await;
            come_and_go(&node, &format!("guest{number}").into()).await;
            (who, entry, before)
        });
    }
    let mut answers: HashMap<_, Vec<_>> = HashMap::new();
    while !logins.is_empty() {
        site.run(FORGET).await;
        let (here, there) = tokio::join!(nodes[0].sweep(100), nodes[1].sweep(100));
        here.unwrap();
        there.unwrap();
        while let Some(login) = logins.try_join_next() {
            let (who, entry, before) = login.unwrap();
            answers.entry(who).or_default().push((entry, before));
        }
    }
    assert_eq!(answers.values().map(Vec::len).sum::<usize>(), CROWD);
    for (who, answers) in answers {
        let order = nodes[0].entries(&who.into()).await.unwrap();
        assert_eq!(order.len(), answers.len());
        for (entry, before) in answers {
            let place = order.iter().position(|other| *other == entry).unwrap();
            assert_eq!(before, order[..place]);
        }
    }
}

async fn come_and_go(node: &impl PrincipalIndex, who: &PrincipalId) {
    let entry = bound(node).await;
    let again = Entry::new(entry.handle, version(7));
    enter(node, who, entry).await;
    enter(node, who, again).await;
    node.leave(who, &[entry]).await.unwrap();
    assert!(node.delete(&entry.handle).await.unwrap());
    assert_eq!(node.entries(who).await.unwrap(), []);
}

/// Creates a record, and returns an entry for it.
async fn bound(node: &impl SessionStore) -> Entry {
    let entry = Entry::new(
        Handle::from_bytes(random()),
        version(u64::from(getrandom::u32().unwrap())),
    );
    let record = Record::new(entry.login, [1], [2]);
    let created = node.create(&entry.handle, &record, HOUR).await.unwrap();
    assert!(matches!(created, Created::Done(_)), "{created:?}");
    entry
}

async fn enter(index: &impl PrincipalIndex, who: &PrincipalId, entry: Entry) -> Vec<Entry> {
    match index.enter(who, entry, None, usize::MAX).await.unwrap() {
        Entered::After(entries) => entries,
        other => panic!("{other:?}"),
    }
}

fn version(number: u64) -> Version {
    Version::from_u64(number)
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

/// As if a day had passed for what is remembered of principals.
const FORGET: &str = "UPDATE tenure_sessions_principals SET sweep_after = 1";
const HOUR: Duration = Duration::from_secs(3_600);
const CROWD: usize = 50;
/// Three pieces of a list.
const MANY: usize = 1_003;
