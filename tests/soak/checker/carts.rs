//! What must have been in a session's cart at some moment, and what may have been.

use super::Known;
use crate::history::{Act, Deed, Things};

impl Known<'_> {
    /// Returns what must have been in the cart of a session while a request was carried out.
    pub(super) fn least(&self, session: &str, at: &Act) -> Things {
        let mut least = Things::default();
        for act in self.done_in(session).filter(|act| act.may_be_before(at)) {
            match act.deed {
                Deed::Add { product, quantity } if act.is_done() && act.is_before(at) => {
                    least.add(product, quantity.into());
                }
                Deed::Less { product } if act.may_be_done() => least.add(product, -1),
                // It takes out what it has found, at some moment.
                Deed::Checkout { .. } if self.may_empty(act) && !act.is_before(at) => {
                    return Things::default();
                }
                Deed::Checkout { .. } => {
                    if let Some(order) = self.order_of(act) {
                        least.take(&order.bought.things);
                    }
                }
                _ => {}
            }
        }
        least.at_least_none()
    }

    /// Returns the most that may have been in the cart of a session while a request was carried out.
    pub(super) fn most(&self, session: &str, at: &Act) -> Things {
        let mut most = Things::default();
        for act in self.done_in(session).filter(|act| act.may_be_before(at)) {
            match act.deed {
                Deed::Add { product, quantity } if self.may_count(act) => {
                    most.add(product, quantity.into());
                }
                Deed::Less { product } if act.is_before(at) && self.takes(act, session) => {
                    most.add(product, -1);
                }
                Deed::Checkout { .. } if act.is_before(at) && self.has_emptied(act) => {
                    if let Some(order) = self.order_of(act) {
                        most.take(&order.bought.things);
                    }
                }
                _ => {}
            }
        }
        most
    }

    /// Tells whether a checkout may have changed the cart.
    fn may_empty(&self, act: &Act) -> bool {
        act.is_lost() || self.order_of(act).is_some()
    }

    /// Tells whether a checkout has certainly changed the cart: once the order is placed its session may have ended, or
    /// its store not have answered.
    fn has_emptied(&self, act: &Act) -> bool {
        let may_be_over = |cookie| self.may_be_over(cookie, act);
        act.is_done() && !act.is_late && !act.cookie.as_ref().is_some_and(may_be_over)
    }

    fn may_count(&self, act: &Act) -> bool {
        let is_over = |cookie| self.is_over(cookie, act);
        match act.is_lost() {
            true => !act.cookie.as_ref().is_some_and(is_over),
            false => act.is_done(),
        }
    }

    /// Tells whether "one less" has found one.
    fn takes(&self, act: &Act, session: &str) -> bool {
        let Deed::Less { product } = act.deed else {
            return false;
        };
        act.is_done() && self.least(session, act).0[product] > 0
    }
}
