//! What a test says when it fails.

use tracing::Level;

/// Lets the output of a test that fails say why a store refused: to the visitor it does not.
pub fn tell_of_failures() {
    let log = tracing_subscriber::fmt()
        .with_max_level(Level::WARN)
        .with_test_writer();
    // Another test of this process may have done so.
    let _ = log.try_init();
}
