//! Ending a session: whatever other requests are doing to it, and for as long as it takes.

use std::{sync::Arc, time::Duration};

use super::{Attempt, Commit, Next, Step, is_unknown, refused};
use crate::{
    change::Then,
    context::{Context, sleep, within},
    error::{Error, ErrorKind},
    id::Handle,
    observe::{EndReason, Event, EventKind},
    store::StoreError,
};

impl Commit {
    pub(super) fn delete(&self, attempt: Attempt) -> Step {
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
            Err(error) => {
                // The session lives on unless its user wants it ended: it is not what a failed login leaves behind.
                self.work.live = None;
                // Whoever logs out is not shown as signed in because the store is down.
                self.work.plan.forget = reason.is_explicit();
                if reason.is_explicit() {
                    self.context.watchers.gone(handle);
                    self.keep_deleting(handle, reason);
                }
                Err(refused(error))
            }
        }
    }

    /// Sees to it that nothing is left of a session whose login has failed: nobody has its id.
    pub(super) fn forsake_a_failed_login(&self) {
        if let (Then::Create { bind: true }, Some(live)) = (self.work.plan.then, &self.work.live) {
            self.keep_deleting(live.handle, EndReason::Replaced);
        }
    }

    fn keep_deleting(&self, handle: Handle, reason: EndReason) {
        let deletion = keep_deleting(self.context.clone(), handle, reason);
        self.context.background.finish(None, Box::pin(deletion));
    }

    fn ended(&self) -> (Handle, EndReason) {
        let handle = self.work.live.as_ref().map(|live| live.handle);
        handle
            .zip(self.work.pending.end)
            .expect("a deletion is planned for a record that is to be ended")
    }
}

/// Goes on trying to delete a session that nobody may find alive.
async fn keep_deleting(context: Arc<Context>, handle: Handle, reason: EndReason) {
    let mut pause = FIRST_PAUSE;
    for _ in 0..MAX_DELETIONS {
        match within(context.commit_timeout, context.store.delete(&handle)).await {
            Ok(true) => {
                return context.observe(Event::new(EventKind::Destroyed(reason)).of(handle));
            }
            Ok(false) => return,
            Err(_) => sleep(pause).await,
        }
        pause *= 2;
    }
    let error = Error::new(ErrorKind::Store)
        .with_source("a session that was to be ended could not be deleted");
    context.observe(
        Event::new(EventKind::StoreFailed)
            .of(handle)
            .because(&error),
    );
}

/// Half a second, doubled each time: the deletion is tried for about a minute.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const MAX_DELETIONS: usize = 8;
