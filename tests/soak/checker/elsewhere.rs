//! What "sign out everywhere else" ends, and what it may.
//!
//! It ends every session of its sender but his own that was signed in when it began, and none that signs in after it was
//! answered. A login that meets it is refused, or is one of these two.

use std::collections::HashMap;

use super::Known;
use crate::history::{Act, Cookie, Deed, Password};

pub(super) type SignOuts<'a> = HashMap<usize, Vec<&'a Act>>;

impl<'a> Known<'a> {
    /// Finds what may have signed somebody out everywhere else, person by person.
    pub(super) fn find_sign_outs(&self) -> SignOuts<'a> {
        let mut found = SignOuts::new();
        for act in &self.history.acts {
            let who = act.cookie.as_ref().and_then(|cookie| self.owner(cookie));
            if let Some(who) = who.filter(|_| may_sign_out_others(act)) {
                found.entry(who).or_default().push(act);
            }
        }
        found
    }

    /// Tells whether a session was certainly ended from another one before a request began.
    pub(super) fn is_ended_elsewhere(&self, session: &str, at: &Act) -> bool {
        let has_begun = |login: &Act| login.told().is_some_and(|told| &*told.session == session);
        let logins = self.logins_in(session);
        logins
            .filter(|(_, login)| has_begun(login))
            .any(|(who, login)| {
                self.sign_outs_from_another(session, who)
                    .any(|act| act.is_done() && login.is_before(act) && act.is_before(at))
            })
    }

    /// Tells whether a session may have been ended from another one between a cookie's issue and a request's end.
    pub(super) fn may_be_ended_elsewhere(&self, cookie: &Cookie, at: &Act) -> bool {
        let session = &*cookie.session;
        let issued = self.issued.get(cookie).and_then(|acts| acts.first());
        let is_after = |act: &Act| issued.is_none_or(|issued| issued.began < act.ended);
        self.logins_in(session).any(|(who, login)| {
            self.sign_outs_from_another(session, who)
                .any(|act| login.began < act.ended && is_after(act) && act.may_be_before(at))
        })
    }

    /// Tells whether a login may have met something that signs its person out elsewhere, and so be refused.
    pub(super) fn may_be_met(&self, login: &Act) -> bool {
        let Deed::Enter { who, .. } = login.deed else {
            return false;
        };
        let mut acts = self.sign_outs.get(&who).into_iter().flatten();
        acts.any(|act| login.began < act.ended && act.may_be_before(login))
    }

    /// What may have ended a session, to tell its story.
    pub(super) fn sign_outs_around(&self, session: &str) -> impl Iterator<Item = &'a Act> {
        self.logins_in(session)
            .flat_map(move |(who, _)| self.sign_outs_from_another(session, who))
    }

    fn sign_outs_from_another(&self, session: &str, who: usize) -> impl Iterator<Item = &'a Act> {
        let acts = self.sign_outs.get(&who).into_iter().flatten().copied();
        acts.filter(move |act| act.session() != Some(session))
    }

    /// Returns who may have signed in to a session, by which request; one that was refused may have been on its way.
    fn logins_in(&self, session: &str) -> impl Iterator<Item = (usize, &'a Act)> {
        let acts = self.sent_in(session).chain(self.done_in(session));
        acts.filter_map(|act| match act.deed {
            Deed::Enter { who, password } if password != Password::Wrong => Some((who, act)),
            _ => None,
        })
    }
}

/// One that was refused may have ended some; one for which nobody was signed in has not.
fn may_sign_out_others(act: &Act) -> bool {
    act.deed == Deed::LogoutOthers && (!act.is_done() || act.signs_out_others())
}

#[cfg(test)]
mod tests {
    use crate::checker::story::{accept, refuse};

    #[test]
    fn what_must_not_be_is_found() {
        for (what, told, orders) in [
            (
                "ended session",
                "5..6 - enter: told b1; 7..8 a1 others: account; 9..10 b1 look: 7 has 0",
                "",
            ),
            (
                "ended session",
                "5..6 - enter: told b1; 7..8 b1 others: account; 9..10 a1 add: cart",
                "",
            ),
            (
                "ended session",
                "5..6 - enter: told b1; 7..8 a1 others: account; 9..10 b1 others: account",
                "",
            ),
            (
                "session that has ended",
                "5..6 - enter: told b1; 7..8 b1 others: account; 9..10 a1 checkout: lost",
                "F 7 9",
            ),
            // This one is signed in, and who comes later, and who is another person.
            (
                "signed out",
                "5..6 a1 others: account; 7..8 a1 look: nobody has 0",
                "",
            ),
            (
                "signed out",
                "5..6 a1 others: account; 7..8 - enter: told b1; 9..10 b1 look: nobody has 0",
                "",
            ),
            (
                "signed out",
                "5..6 - another: told b1; 7..8 b1 others: account; 9..10 a1 look: nobody has 0",
                "",
            ),
            (
                "signed out",
                "5..6 - enter: told b1; 7..8 a0 others: login; 9..10 b1 look: nobody has 0",
                "",
            ),
            ("signed out", "5..6 a1 others: login", ""),
            ("without a reason", "5..6 a1 others: 409", ""),
            ("without a reason", "5..6 - enter: 409", ""),
            (
                "without a reason",
                "5..6 a1 others: account; 7..8 - enter: 409",
                "",
            ),
            ("server's own fault", "5..6 a1 others: cart", ""),
            // Who signs in in place of another ends that one's session first.
            ("server's own fault", "5..6 a1 enter: gone", ""),
            ("without a reason", "5..6 a1 another: gone", ""),
            (
                "ended session",
                "5..6 - another: told b1; 7..10 b1 others: account; 8..9 a1 another: gone; 11..12 a1 look: 7 has 2",
                "",
            ),
        ] {
            refuse(what, told, orders);
        }
    }

    #[test]
    fn what_may_be_is_accepted() {
        for told in [
            // Who signs out everywhere else ends all others, and nobody who comes later or is another person.
            "5..6 - enter: told b1; 7..8 a1 others: account; 9..10 b1 look: nobody has 0; 11..12 a1 look: 7 has 2",
            "5..6 a1 others: account; 7..8 - enter: told b1; 9..10 b1 look: 7 has 0",
            "5..6 - another: told b1; 7..8 b1 others: account; 9..10 a1 look: 7 has 2",
            // What meets it is ended or not, and so is what it may have done before it was refused or lost.
            "5..6 - enter: told b1; 7..10 a1 others: account; 8..9 b1 look: 7 has 0",
            "5..6 - enter: told b1; 7..10 a1 others: account; 8..9 b1 look: nobody has 0",
            "5..8 a1 others: account; 6..7 - enter: 409",
            "5..8 a1 others: account; 6..7 - enter: told b1; 9..10 b1 look: 7 has 0",
            "5..8 a1 others: account; 6..7 - enter: told b1; 9..10 b1 look: nobody has 0",
            "5..6 - enter: told b1; 7..10 a1 others: account; 8..9 b1 others: 409; 11..12 a1 look: nobody has 0",
            "5..6 - enter: told b1; 7..? a1 others: lost; 8..9 b1 look: 7 has 0; 10..11 b1 look: nobody has 0",
            "5..6 - add: told b0; 7..10 a1 others: account; 8..9 b0 enter: 409; 11..12 b0 look: nobody has 0",
            "5..6 - another: told b1; 7..10 b1 others: account; 8..9 a1 another: gone; 11..12 a1 look: nobody has 0",
        ] {
            accept(told, "");
        }
    }
}
