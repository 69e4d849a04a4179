//! A slot that goes from one node of a Cluster to another, step by step.

use tenure::{
    CredentialStamp, PrincipalId,
    store::{Created, Entered, Entry, PrincipalIndex, RedisStore, SessionStore, Updated},
};

use super::{
    HANDLE, HOUR,
    bed::redis::cluster::{Cluster, Watch},
    record, version,
};

#[tokio::test]
async fn a_key_on_its_way_is_found_where_it_is_going() {
    let site = Cluster::start(Watch::Calm, &[]);
    let store = RedisStore::connect(&site.url()).await.unwrap();
    store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    let (slot, from, to) = begin_to_move(&site);
    assert_eq!(loaded(&store).await, Some(record(1)), "it has not left");
    site.move_keys(slot, from, to);
    // The node that it comes to does not know the scripts yet.
    assert_eq!(loaded(&store).await, Some(record(1)), "it has arrived");
    carry_out_every_verb(&store).await;
    site.end_moving(slot, to);
    assert_eq!(loaded(&store).await, Some(record(1)), "it is there to stay");
    carry_out_every_verb(&store).await;
    assert_eq!(site.slots_with_keys(to), [slot]);
}

#[tokio::test]
async fn the_last_that_is_known_of_a_principal_is_replaced_where_its_slot_leaves() {
    let site = Cluster::start(Watch::Calm, &[]);
    let store = RedisStore::connect(&site.url()).await.unwrap();
    let (ada, entry) = (PrincipalId::from("ada"), Entry::new(HANDLE, version(1)));
    let enter = async |stamp| store.enter(&ada, entry, stamp, usize::MAX).await.unwrap();
    enter(None).await;
    begin_to_move(&site);
    // It is all there is, and is written anew.
    assert_eq!(enter(None).await, Entered::After(vec![]));
    assert_eq!(store.entries(&ada).await.unwrap(), [entry]);
    // Stamps that replace each other are all there is.
    let [old, new] = ["old", "new"].map(CredentialStamp::of);
    store.restamp(&ada, &old).await.unwrap();
    store.leave(&ada, &[entry]).await.unwrap();
    for stamp in [&new, &new] {
        assert_eq!(store.restamp(&ada, stamp).await.unwrap(), []);
    }
    assert_eq!(enter(Some(&old)).await, Entered::Refused);
}

#[tokio::test]
async fn an_entry_that_was_the_last_leaves_where_its_slot_leaves() {
    let site = Cluster::start(Watch::Calm, &[]);
    let store = RedisStore::connect(&site.url()).await.unwrap();
    let (ada, entry) = (PrincipalId::from("ada"), Entry::new(HANDLE, version(1)));
    store.enter(&ada, entry, None, usize::MAX).await.unwrap();
    let (_, from, _) = begin_to_move(&site);
    store.leave(&ada, &[entry, entry]).await.unwrap();
    assert_eq!(store.entries(&ada).await.unwrap(), []);
    assert!(site.slots_with_keys(from).is_empty());
}

/// Lets the only slot with a key begin to move; returns it, where it is, and where it goes.
fn begin_to_move(site: &Cluster) -> (u16, usize, usize) {
    let found = (0..3).find_map(|from| Some((*site.slots_with_keys(from).first()?, from)));
    let (slot, from) = found.expect("there is a key");
    let to = (from + 1) % 3;
    site.begin_to_move(slot, from, to);
    (slot, from, to)
}

/// Changes what is there with every verb, and leaves it as it was.
async fn carry_out_every_verb(store: &RedisStore) {
    let updated = store.update(&HANDLE, version(1), &record(2), HOUR).await;
    assert_eq!(updated.unwrap(), Updated::Done);
    assert!(store.touch(&HANDLE, version(2), HOUR).await.unwrap());
    assert!(store.delete(&HANDLE).await.unwrap());
    assert_eq!(loaded(store).await, None);
    let created = store.create(&HANDLE, &record(1), HOUR).await.unwrap();
    assert!(matches!(created, Created::Done(_)), "{created:?}");
}

async fn loaded(store: &RedisStore) -> Option<tenure::store::Record> {
    let loaded = store.load(&HANDLE).await.unwrap();
    loaded.map(|loaded| loaded.record)
}
