//! What stands in a server's files when values are sealed.

use super::bed::{
    canaries::{VALUE, found_in, leave},
    redis::Redis,
};

#[tokio::test]
async fn no_byte_of_the_dump_or_of_the_log_is_of_a_secret_or_of_a_sealed_value() {
    for (is_sealed, expected) in [(false, &[VALUE][..]), (true, &[])] {
        let server = Redis::start_with(&["appendonly yes", "rdbcompression no"]);
        let store = server.space().open().await;
        let canaries = leave(store, is_sealed).await;
        // The log has all that was ever written, the dump what is there.
        server.ask("SAVE");
        assert_eq!(found_in(server.folder(), &canaries), expected);
    }
}
