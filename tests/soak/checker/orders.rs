//! What was ordered, beside what was pressed.

use super::{Known, Violation};
use crate::history::{Act, Deed, Order};

impl<'a> Known<'a> {
    /// Returns what is wrong with the orders that were found at the end.
    pub(super) fn wrong_orders(&self) -> Vec<Violation> {
        let orders = &self.history.orders;
        let same = |order: &Order, other: &Order| {
            order.id == other.id || order.bought.press == other.bought.press
        };
        let mut found = Vec::new();
        for (index, order) in orders.iter().enumerate() {
            let what = match self.checkouts.get(&order.bought.press) {
                None => Some("an order that nobody has placed"),
                Some(_) if orders[..index].iter().any(|other| same(order, other)) => {
                    Some("an order that was placed twice")
                }
                Some(press) => self.wrong_order(order, press),
            };
            let press = self.checkouts.get(&order.bought.press);
            let press = press.copied().or(self.history.acts.last());
            found.extend(
                what.zip(press)
                    .map(|(what, press)| self.violation(what, press)),
            );
        }
        found
    }

    fn wrong_order(&self, order: &Order, press: &Act) -> Option<&'static str> {
        let (Deed::Checkout { total }, Some(cookie)) = (press.deed, &press.cookie) else {
            return Some("an order of somebody without a session");
        };
        let things = order.bought.things;
        let is_answered = |id| press.is_lost() || id == Some(order.id);
        let rules = [
            (
                "an order of somebody else",
                self.owner(cookie) != Some(order.who),
            ),
            (
                "an order of a session that has ended",
                self.is_over(cookie, press),
            ),
            (
                "an order that its buyer was told is none",
                !is_answered(press.answer.as_ref().and_then(|answer| answer.placed())),
            ),
            (
                "an order of another total than the form's",
                things.total() != i64::from(total),
            ),
            (
                "an order that lacks something",
                !self.least(&cookie.session, press).fits_into(&things),
            ),
            (
                "an order with something that nobody has put in",
                !things.fits_into(&self.most(&cookie.session, press)),
            ),
        ];
        let broken = rules.into_iter().find(|(_, is_broken)| *is_broken);
        broken.map(|(what, _)| what)
    }

    /// Returns the orders of the one who sent a request that were acknowledged before.
    pub(super) fn placed_before(&self, act: &Act) -> impl Iterator<Item = &'a Order> {
        let who = act.cookie.as_ref().and_then(|cookie| self.owner(cookie));
        let orders = self.history.orders.iter();
        orders.filter(move |order| {
            let press = self.checkouts.get(&order.bought.press);
            Some(order.who) == who
                && press.is_some_and(|press| press.is_done() && press.is_before(act))
        })
    }

    /// Tells whether an order was placed from the cart of a session.
    pub(super) fn is_placed_in(&self, id: u64, session: Option<&str>) -> bool {
        self.by_id.get(&id).is_some_and(|order| {
            let press = self.checkouts.get(&order.bought.press);
            press.is_some_and(|press| press.session() == session)
        })
    }

    pub(super) fn may_be_placed(&self, id: u64, who: Option<usize>, before: &Act) -> bool {
        self.by_id.get(&id).is_some_and(|order| {
            let press = self.checkouts.get(&order.bought.press);
            Some(order.who) == who && press.is_some_and(|press| press.may_be_before(before))
        })
    }
}
