//! What stands in the database's files and in its write-ahead log when values are sealed.

use super::{
    File,
    bed::canaries::{VALUE, found_in, leave},
};

#[tokio::test]
async fn no_byte_of_the_database_or_its_log_is_of_a_secret_or_of_a_sealed_value() {
    for (is_sealed, expected) in [(false, &[VALUE][..]), (true, &[])] {
        let file = File::new();
        let store = file.open().await;
        let canaries = leave(store.clone(), is_sealed).await;
        let log = file.0.path().join("sessions.db-wal");
        assert!(log.metadata().unwrap().len() > 0, "what was written before");
        assert_eq!(found_in(file.0.path(), &canaries), expected);
        drop(store);
    }
}
