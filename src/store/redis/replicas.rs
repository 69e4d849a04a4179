//! Waiting until replicas know of a change.

use std::time::Duration;

use ::redis::Value;

use super::{connection::Said, resp::Command};
use crate::store::StoreError;

/// How many replicas acknowledge a change before it is answered, and how long they are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Replicas {
    pub(super) count: u32,
    pub(super) timeout: Duration,
}

impl Replicas {
    /// Makes the command that waits for them.
    pub(super) fn wait(self) -> Command {
        // Zero would be for ever.
        let millis = self.timeout.as_millis().clamp(1, 60_000);
        Command::new("WAIT").number(self.count).number(millis)
    }

    /// Checks how many have acknowledged.
    pub(super) fn check(self, acknowledged: Said) -> Result<(), StoreError> {
        let wanted = self.count;
        match acknowledged {
            Ok(Value::Int(count)) if count >= i64::from(wanted) => Ok(()),
            Ok(Value::Int(count)) => Err(StoreError::unknown(format!(
                "{count} of {wanted} replicas have acknowledged the change in {:?}",
                self.timeout
            ))),
            other => Err(StoreError::unknown(format!(
                "whether replicas have acknowledged the change is not known: {other:?}"
            ))),
        }
    }
}
