//! Knows what must be true of all that was answered, whatever the requests met and whatever was lost on the way.
//!
//! What is judged is what the senders have seen. A request happened at some moment between its two; one whose answer was
//! lost may have happened or not.

mod carts;
mod elsewhere;
mod lives;
mod orders;
mod rules;
mod story;
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use elsewhere::SignOuts;

use crate::history::{Act, Cookie, Deed, History, Order};

/// Returns everything that must not be.
pub(crate) fn check(history: &History) -> Vec<Violation> {
    let known = Known::of(history);
    let mut found = known.wrong_orders();
    for act in &history.acts {
        found.extend(known.wrong_answer(act));
    }
    found
}

pub(crate) struct Violation {
    pub(crate) what: &'static str,
    /// What it was seen in, and what was done to that session until then.
    story: Vec<Act>,
}

/// A history, and where to find what in it.
struct Known<'a> {
    history: &'a History,
    /// The answers that told each cookie.
    issued: HashMap<&'a Cookie, Vec<&'a Act>>,
    sent: HashMap<&'a str, Vec<&'a Act>>,
    done: HashMap<&'a str, Vec<&'a Act>>,
    checkouts: HashMap<u64, &'a Act>,
    by_press: HashMap<u64, &'a Order>,
    by_id: HashMap<u64, &'a Order>,
    sign_outs: SignOuts<'a>,
}

impl<'a> Known<'a> {
    fn of(history: &'a History) -> Self {
        let by = |key: fn(&Act) -> Option<&str>| {
            let mut acts: HashMap<_, Vec<_>> = HashMap::new();
            for act in &history.acts {
                if let Some(key) = key(act) {
                    acts.entry(key).or_default().push(act);
                }
            }
            acts
        };
        let mut issued: HashMap<_, Vec<_>> = HashMap::new();
        for act in &history.acts {
            if let Some(cookie) = act.told() {
                issued.entry(cookie).or_default().push(act);
            }
        }
        let is_checkout = |act: &&Act| matches!(act.deed, Deed::Checkout { .. });
        let checkouts = history.acts.iter().filter(is_checkout);
        let orders = |key: fn(&Order) -> u64| {
            let orders = history.orders.iter();
            orders.map(|order| (key(order), order)).collect()
        };
        let mut known = Self {
            history,
            issued,
            sent: by(|act| act.cookie.as_ref().map(|cookie| &*cookie.session)),
            done: by(Act::session),
            checkouts: checkouts.map(|act| (act.began, act)).collect(),
            by_press: orders(|order| order.bought.press),
            by_id: orders(|order| order.id),
            sign_outs: SignOuts::new(),
        };
        known.sign_outs = known.find_sign_outs();
        known
    }

    /// What was sent with a cookie of a session.
    fn sent_in(&self, session: &str) -> impl Iterator<Item = &'a Act> {
        self.sent.get(session).into_iter().flatten().copied()
    }

    /// What was done in a session, or would have been.
    fn done_in(&self, session: &str) -> impl Iterator<Item = &'a Act> {
        self.done.get(session).into_iter().flatten().copied()
    }

    /// Returns who was signed in with a cookie: a login brings another one.
    fn owner(&self, cookie: &Cookie) -> Option<usize> {
        match self.issued.get(cookie)?.first()?.deed {
            Deed::Enter { who, .. } => Some(who),
            _ => None,
        }
    }

    fn order_of(&self, checkout: &Act) -> Option<&'a Order> {
        self.order_of_press(checkout.began)
    }

    fn order_of_press(&self, press: u64) -> Option<&'a Order> {
        self.by_press.get(&press).copied()
    }

    fn violation(&self, what: &'static str, act: &Act) -> Violation {
        let session = act.cookie.iter().map(|cookie| &*cookie.session);
        let mut story = BTreeMap::from([(act.began, act.clone())]);
        for session in session.chain(act.session()) {
            let acts = self.sent_in(session).chain(self.done_in(session));
            let acts = acts.chain(self.sign_outs_around(session));
            let acts = acts.filter(|other| other.may_be_before(act));
            story.extend(acts.map(|act| (act.began, act.clone())));
        }
        Violation {
            what,
            story: story.into_values().collect(),
        }
    }
}

impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:", self.what)?;
        let rest = self.story.len().saturating_sub(SHOWN);
        for act in &self.story[rest..] {
            let (cookie, answer) = (&act.cookie, &act.answer);
            write!(f, "  {:>6}..{:<6} ", act.began, act.ended)?;
            writeln!(f, "{cookie:?} {:?} -> {answer:?}", act.deed)?;
        }
        Ok(())
    }
}

/// So much of a story is printed.
const SHOWN: usize = 40;
