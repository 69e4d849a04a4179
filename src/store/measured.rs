//! A store whose answers are timed (feature `metrics`).

use std::{sync::Arc, time::Duration};

use super::{
    Answer, Created, Loaded, PrincipalIndex, Record, SessionStore, StoreError, StoreErrorKind,
    Updated, Version,
};
use crate::{
    clock::{Stopwatch, Timestamp},
    id::Handle,
    meter,
};

/// Times the verbs of another store. Those of its index it leaves alone.
pub(crate) struct Measured(pub(crate) Arc<dyn SessionStore>);

impl Measured {
    /// Tells how many sessions there are once a verb was carried out that changes it.
    fn counting<T: Send + Unpin + 'static>(&self, answer: Answer<T>) -> Answer<T> {
        let Some(_) = self.0.len_at_hand() else {
            return answer;
        };
        let store = self.0.clone();
        let tell = move || store.len_at_hand().map_or((), meter::sessions);
        match answer.split() {
            Ok(result) => {
                tell();
                Answer::ready(result)
            }
            Err(later) => Answer::later(async move { later.await.inspect(|_| tell()) }),
        }
    }
}

impl SessionStore for Measured {
    fn create(&self, handle: &Handle, record: &Record, expires_in: Duration) -> Answer<Created> {
        let timing = Timing::begin("create");
        self.counting(timing.of(self.0.create(handle, record, expires_in)))
    }

    fn load(&self, handle: &Handle) -> Answer<Option<Loaded>> {
        let timing = Timing::begin("load");
        timing.of(self.0.load(handle))
    }

    fn update(
        &self,
        handle: &Handle,
        expected: Version,
        record: &Record,
        expires_in: Duration,
    ) -> Answer<Updated> {
        let timing = Timing::begin("update");
        timing.of(self.0.update(handle, expected, record, expires_in))
    }

    fn touch(&self, handle: &Handle, expected: Version, expires_in: Duration) -> Answer<bool> {
        let timing = Timing::begin("touch");
        timing.of(self.0.touch(handle, expected, expires_in))
    }

    fn delete(&self, handle: &Handle) -> Answer<bool> {
        let timing = Timing::begin("delete");
        self.counting(timing.of(self.0.delete(handle)))
    }

    fn now(&self) -> Option<Timestamp> {
        self.0.now()
    }

    fn len_at_hand(&self) -> Option<usize> {
        self.0.len_at_hand()
    }

    fn index(&self) -> Option<&dyn PrincipalIndex> {
        self.0.index()
    }
}

/// A verb that is being carried out. One that is dropped was waited for in vain.
struct Timing {
    verb: &'static str,
    since: Stopwatch,
    outcome: &'static str,
}

impl Timing {
    fn begin(verb: &'static str) -> Self {
        Self {
            verb,
            since: Stopwatch::start(),
            outcome: "given_up",
        }
    }

    fn of<T: Send + Unpin + 'static>(self, answer: Answer<T>) -> Answer<T> {
        match answer.split() {
            Ok(result) => Answer::ready(self.end(result)),
            Err(later) => Answer::later(async move { self.end(later.await) }),
        }
    }

    fn end<T>(mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        self.outcome = match result.as_ref().map_err(StoreError::kind) {
            Ok(_) => "answered",
            Err(StoreErrorKind::Corrupt) => "corrupt",
            Err(StoreErrorKind::Full) => "full",
            Err(StoreErrorKind::Unavailable) => "unavailable",
            Err(StoreErrorKind::Unknown) => "unknown",
        };
        result
    }
}

impl Drop for Timing {
    fn drop(&mut self) {
        meter::verb(self.verb, self.outcome, self.since.elapsed());
    }
}
