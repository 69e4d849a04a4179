//! Ending a session: whatever other requests are doing to it, and for as long as it takes.

use super::{Attempt, Commit, Next, Step, is_unknown, refused};
use crate::{
    change::Then,
    error::{Error, ErrorKind},
    id::Handle,
    observe::{EndReason, Event, EventKind},
    revocation::{self, is_of_another},
    store::{Loaded, StoreError},
};

impl Commit {
    /// Ends a session, unless it is one whose rights have changed since, where that counts.
    pub(super) fn end(&self) -> Step {
        match self.work.generation {
            Some(generation) => {
                let (handle, _) = self.ended();
                Step::Check(generation, self.context.store.load(&handle))
            }
            None => self.delete(Attempt::First),
        }
    }

    pub(super) fn checked(
        &mut self,
        generation: u64,
        loaded: Result<Option<Loaded>, StoreError>,
    ) -> Result<Next, Error> {
        let (handle, _) = self.ended();
        match loaded {
            Ok(Some(loaded)) if is_of_another(&self.context, handle, generation, &loaded) => {
                Err(Error::new(ErrorKind::Superseded))
            }
            Ok(_) => Ok(Next::Step(self.delete(Attempt::First))),
            Err(error) => Err(self.not_deleted(error)),
        }
    }

    fn delete(&self, attempt: Attempt) -> Step {
        let (handle, _) = self.ended();
        Step::Delete(attempt, self.context.store.delete(&handle))
    }

    pub(super) fn deleted(
        &mut self,
        attempt: Attempt,
        deleted: Result<bool, StoreError>,
    ) -> Result<Next, Error> {
        let (handle, reason) = self.ended();
        match deleted {
            Ok(existed) => {
                self.context.watchers.gone(handle);
                if existed {
                    self.context
                        .observe(Event::new(EventKind::Destroyed(reason)).of(handle));
                }
                self.work.live = None;
                self.go_on()
            }
            Err(error) if is_unknown(&error) && attempt == Attempt::First => {
                Ok(Next::Step(self.delete(Attempt::Last)))
            }
            Err(error) => Err(self.not_deleted(error)),
        }
    }

    fn not_deleted(&mut self, error: StoreError) -> Error {
        let (handle, reason) = self.ended();
        // The session lives on unless its user wants it ended: it is not what a failed login leaves behind.
        self.work.live = None;
        // Whoever logs out is not shown as signed in because the store is down.
        self.work.plan.forget = reason.is_explicit();
        if reason.is_explicit() {
            self.context.watchers.gone(handle);
            self.keep_deleting(handle, reason);
        }
        refused(error)
    }

    /// Sees to it that nothing is left of a session whose login has failed: nobody has its id.
    pub(super) fn forsake_a_failed_login(&self) {
        if let (Then::Create { bind: true }, Some(live)) = (self.work.plan.then, &self.work.live) {
            self.keep_deleting(live.handle, EndReason::Replaced);
        }
    }

    fn keep_deleting(&self, handle: Handle, reason: EndReason) {
        revocation::keep_ending(&self.context, handle, self.work.generation, reason);
    }

    fn ended(&self) -> (Handle, EndReason) {
        let handle = self.work.live.as_ref().map(|live| live.handle);
        handle
            .or(self.work.remains)
            .zip(self.work.pending.end)
            .expect("a deletion is planned for a record that is to be ended")
    }
}
