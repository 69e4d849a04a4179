//! The index of principals in a file.

use std::time::Duration;

use tenure::{
    Handle,
    store::{PrincipalIndex, Record, SessionStore, Version},
};

use super::File;

#[tokio::test]
async fn all_records_are_counted() {
    let file = File::new();
    let store = file.open().await;
    assert_eq!(store.count().await.unwrap(), Some(0));
    let record = Record::new(Version::from_u64(1), [1], []);
    for number in 0..3 {
        let handle = Handle::from_bytes([number; 16]);
        let created = store.create(&handle, &record, HOUR);
        created.await.unwrap();
    }
    assert_eq!(store.count().await.unwrap(), Some(3));
    store.delete(&Handle::from_bytes([1; 16])).await.unwrap();
    assert_eq!(store.count().await.unwrap(), Some(2));
}

const HOUR: Duration = Duration::from_secs(3_600);
