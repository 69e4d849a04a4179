//! A slot that goes from one node of a Cluster to another, step by step.

use tenure::store::{Created, RedisStore, SessionStore, Updated};

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
    let slots = |number| site.slots_with_keys(number);
    let from = (0..3).find(|number| !slots(*number).is_empty()).unwrap();
    let (slot, to) = (slots(from)[0], (from + 1) % 3);
    site.begin_to_move(slot, from, to);
    assert_eq!(loaded(&store).await, Some(record(1)), "it has not left");
    site.move_keys(slot, from, to);
    // The node that it comes to does not know the scripts yet.
    assert_eq!(loaded(&store).await, Some(record(1)), "it has arrived");
    carry_out_every_verb(&store).await;
    site.end_moving(slot, to);
    assert_eq!(loaded(&store).await, Some(record(1)), "it is there to stay");
    carry_out_every_verb(&store).await;
    assert_eq!(slots(to), [slot]);
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
