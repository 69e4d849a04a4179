//! What the client is told of its session by the response.

use http::HeaderValue;

use super::{Open, Slot};
use crate::{
    caching::Exposure,
    commit::Cookie,
    cookie::{Transport, header},
    error::ErrorKind,
    id::Token,
};

/// What the response must show of the session.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) cookie: Option<HeaderValue>,
    pub(crate) twin_removal: Option<HeaderValue>,
    pub(crate) exposure: Option<Exposure>,
    pub(crate) refused: Option<ErrorKind>,
    /// The session was ended by its user, and none goes on.
    pub(crate) signed_out: bool,
}

impl Slot {
    /// Returns what the response must show once everything is committed.
    pub(crate) fn shown(&self) -> Shown {
        self.state.lock().open().shown(self)
    }

    /// Returns what tells a client its id.
    fn told(&self, token: &Token, max_age: Option<u64>) -> HeaderValue {
        match self.transport() {
            Transport::Cookie => self.context.writer.set(token, max_age),
            Transport::Header => header::told(token),
        }
    }

    /// Returns what tells a client to forget its id.
    fn removal(&self) -> HeaderValue {
        match self.transport() {
            Transport::Cookie => self.context.writer.removal().clone(),
            Transport::Header => header::ENDED,
        }
    }
}

impl Open {
    pub(super) fn shown(&mut self, slot: &Slot) -> Shown {
        let cookie = self.cookie.take();
        let may_have_twin = self.ambiguous && slot.transport() == Transport::Cookie;
        let twin = cookie.as_ref().filter(|_| may_have_twin);
        Shown {
            twin_removal: twin.map(|_| slot.context.writer.twin_removal().clone()),
            cookie,
            exposure: match self.used {
                true if self.draft.is_signed_in() => Some(Exposure::SignedIn),
                true => Some(Exposure::Anonymous),
                false => None,
            },
            refused: self.refused,
            signed_out: self.signed_out,
        }
    }

    /// Remembers what the browser must be told, and which id it then holds.
    pub(super) fn tell(&mut self, slot: &Slot, cookie: Cookie) {
        match cookie {
            Cookie::Forget { ended } => {
                self.signed_out = ended;
                self.token = None;
                self.cookie = Some(slot.removal());
            }
            Cookie::Resend { max_age } if slot.transport() == Transport::Cookie => {
                let token = self.token.as_ref();
                self.cookie = token.map(|token| slot.told(token, max_age));
            }
            // A header says nothing of an id's life.
            Cookie::Keep | Cookie::Resend { .. } => {}
            Cookie::Set { token, max_age } => {
                self.signed_out = false;
                self.cookie = Some(slot.told(&token, max_age));
                self.token = Some(token);
            }
        }
    }
}
