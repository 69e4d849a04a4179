//! Which cookie opened its session when, as far as its senders can know.
//!
//! A session ends by a logout, by a login as somebody else, and by what is done [elsewhere](super::elsewhere). A login also
//! retires the cookie that it was sent with.

use super::Known;
use crate::history::{Act, Cookie, Deed, Password, Told};

impl Known<'_> {
    /// Tells whether a cookie certainly opened nothing any more when a request began.
    pub(super) fn is_over(&self, cookie: &Cookie, at: &Act) -> bool {
        self.sent_in(&cookie.session)
            .any(|act| act.is_before(at) && (self.ends(act) || retires(act, cookie)))
            || self.is_ended_elsewhere(&cookie.session, at)
    }

    /// Tells whether a cookie may have opened nothing any more before a request ended.
    pub(super) fn may_be_over(&self, cookie: &Cookie, at: &Act) -> bool {
        self.sent_in(&cookie.session)
            .any(|act| act.may_be_before(at) && self.may_end(act, cookie))
            || self.may_be_ended_elsewhere(cookie, at)
    }

    /// Tells whether a request has certainly ended its session, or found it ended.
    fn ends(&self, act: &Act) -> bool {
        let (Some(sent), Some(answer)) = (&act.cookie, &act.answer) else {
            return false;
        };
        let is_end = match (act.deed, &answer.told) {
            (Deed::Logout, Told::Removal) => answer.is_redirect(),
            (Deed::Enter { who, .. }, Told::Cookie(told)) => {
                told.session != sent.session && self.is_another(sent, who)
            }
            (Deed::Enter { who, .. }, Told::Removal) => self.is_another(sent, who),
            _ => false,
        };
        is_end && !self.is_doubtful(act, sent)
    }

    /// Tells whether the cookie of a request may have been retired, and so have had no effect on the session.
    fn is_doubtful(&self, act: &Act, sent: &Cookie) -> bool {
        // What is retired cannot log out at first, only when it has been forgotten.
        let is_too_fresh =
            |other: &Act| act.deed == Deed::Logout && !other.is_lost() && !other.is_before(act);
        self.sent_in(&sent.session).any(|other| {
            other.may_be_before(act) && may_retire(other, sent) && !is_too_fresh(other)
        })
    }

    fn may_end(&self, act: &Act, cookie: &Cookie) -> bool {
        let Some(sent) = &act.cookie else {
            return false;
        };
        match act.deed {
            Deed::Logout => act.may_be_done() && !self.is_over(sent, act),
            Deed::Enter { who, password } if password != Password::Wrong => {
                // One that is refused may have deleted before.
                may_retire(act, cookie) || self.is_another(sent, who) && !self.is_over(sent, act)
            }
            _ => false,
        }
    }

    /// Tells whether a cookie is of a session of somebody else.
    pub(super) fn is_another(&self, cookie: &Cookie, who: usize) -> bool {
        self.owner(cookie).is_some_and(|owner| owner != who)
    }
}

fn retires(act: &Act, cookie: &Cookie) -> bool {
    let told = act.told();
    act.cookie.as_ref() == Some(cookie) && told.is_some_and(|told| told.session == cookie.session)
}

fn may_retire(act: &Act, cookie: &Cookie) -> bool {
    matches!(act.deed, Deed::Enter { password, .. } if password != Password::Wrong)
        && act.may_be_done()
        && act.cookie.as_ref() == Some(cookie)
}
