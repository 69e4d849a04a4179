//! What was done, and what it was answered.

use std::{collections::BTreeSet, fmt, ops::Range, sync::Arc};

/// All that happened, and all orders that were found at the end.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) acts: Vec<Act>,
    pub(crate) orders: Vec<Order>,
}

impl History {
    /// Something of all that is to be checked has happened.
    pub(crate) fn has_everything(&self) -> bool {
        let counts = self.counts();
        counts.iter().all(|(_, count)| *count > 0)
    }

    fn counts(&self) -> [(&'static str, usize); 8] {
        let count = |is: fn(&&Act) -> bool| self.acts.iter().filter(is).count();
        [
            ("requests", self.acts.len()),
            ("lost", count(|act| act.is_lost())),
            ("refused", count(|act| act.has_status(409))),
            (
                "added",
                count(|act| act.is_done() && matches!(act.deed, Deed::Add { .. })),
            ),
            (
                "signed in",
                count(|act| act.is_done() && matches!(act.deed, Deed::Enter { .. })),
            ),
            (
                "signed out",
                count(|act| act.is_done() && act.deed == Deed::Logout),
            ),
            ("signed out elsewhere", count(|act| act.signs_out_others())),
            ("orders", self.orders.len()),
        ]
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts().map(|(what, count)| format!("{what} {count}"));
        let late = self.acts.iter().filter(|act| act.is_late).count();
        write!(f, "{}, late {late}", counts.join(", "))
    }
}

/// A request and its answer, with two moments that are unique and in the order in which its sender saw them.
#[derive(Clone, Debug)]
pub(crate) struct Act {
    pub(crate) began: u64,
    /// When the answer was there, or from when on a request whose answer was lost can no longer happen.
    pub(crate) ended: u64,
    pub(crate) cookie: Option<Cookie>,
    pub(crate) deed: Deed,
    /// `None` if it was lost.
    pub(crate) answer: Option<Answer>,
    /// It took so long that the shop may have given up waiting for its store.
    pub(crate) is_late: bool,
}

/// The end of what has none.
pub(crate) const NEVER: u64 = u64::MAX;

impl Act {
    pub(crate) const fn is_lost(&self) -> bool {
        self.answer.is_none()
    }

    /// It was answered as what was done is.
    pub(crate) fn is_done(&self) -> bool {
        self.answer.as_ref().is_some_and(Answer::is_redirect)
    }

    /// It was answered that all others are signed out.
    pub(crate) fn signs_out_others(&self) -> bool {
        let is_sent_away = self.answer.as_ref().is_some_and(Answer::asks_to_sign_in);
        self.deed == Deed::LogoutOthers && self.is_done() && !is_sent_away
    }

    fn has_status(&self, status: u16) -> bool {
        self.answer
            .as_ref()
            .is_some_and(|answer| answer.status == status)
    }

    pub(crate) fn may_be_done(&self) -> bool {
        self.is_lost() || self.is_done()
    }

    pub(crate) fn is_before(&self, other: &Self) -> bool {
        self.ended < other.began
    }

    /// It began before the other had ended, and is not the same.
    pub(crate) const fn may_be_before(&self, other: &Self) -> bool {
        self.began < other.ended && self.began != other.began
    }

    /// The cookie that it was given.
    pub(crate) fn told(&self) -> Option<&Cookie> {
        match &self.answer.as_ref()?.told {
            Told::Cookie(cookie) => Some(cookie),
            Told::Nothing | Told::Removal => None,
        }
    }

    /// The session that it was done in, or would have been.
    pub(crate) fn session(&self) -> Option<&str> {
        let cookie = self.told().or(self.cookie.as_ref());
        cookie.map(|cookie| &*cookie.session)
    }
}

/// What a person does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Add {
        product: usize,
        quantity: u32,
    },
    /// With the total that the form had; its address has the moment at which it began.
    Checkout {
        total: u32,
    },
    Enter {
        who: usize,
        password: Password,
    },
    Less {
        product: usize,
    },
    Logout,
    /// Sign out everywhere else.
    LogoutOthers,
    Look(Place),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Password {
    /// The first one, at sign-up.
    Chosen,
    Right,
    /// And "keep me signed in".
    RightForLong,
    Wrong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Account,
    Cart,
    Checkout,
    Home,
    Order(u64),
    Orders,
}

#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) goes_to: String,
    pub(crate) told: Told,
    pub(crate) shown: Shown,
}

impl Answer {
    pub(crate) const fn is_redirect(&self) -> bool {
        self.status == 303
    }

    pub(crate) fn asks_to_sign_in(&self) -> bool {
        self.goes_to.starts_with("/login")
    }

    /// The order that it says is placed.
    pub(crate) fn placed(&self) -> Option<u64> {
        u64::from_str_radix(self.goes_to.strip_prefix("/orders/")?, 16).ok()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.shown;
        write!(f, "{} {} {:?}", self.status, self.goes_to, self.told)?;
        if let Some(name) = shown.name {
            let name = name.map_or("nobody".to_owned(), |who| who.to_string());
            write!(
                f,
                ", shown to {name}: {:?} of {:?}",
                shown.cart, shown.count
            )?;
        }
        if let Some((id, bought)) = shown.order {
            write!(f, ", order {id:X}: {bought:?}")?;
        }
        match &shown.orders {
            Some(orders) => write!(f, ", {} orders", orders.len()),
            None => Ok(()),
        }
    }
}

/// What a browser is told of its cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Cookie(Cookie),
    Nothing,
    Removal,
}

/// The id that a browser holds: the session's public name, and a secret.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Cookie {
    pub(crate) session: Arc<str>,
    pub(crate) secret: Arc<str>,
}

impl Cookie {
    pub(crate) fn new(session: &str, secret: &str) -> Self {
        Self {
            session: session.into(),
            secret: secret.into(),
        }
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = |text: &str| text.chars().take(6).collect::<String>();
        write!(f, "{}.{}", start(&self.session), start(&self.secret))
    }
}

/// What stands on a page; nothing if there was none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// Who is signed in; `None` if the page does not tell.
    pub(crate) name: Option<Option<usize>>,
    /// Everybody whose name stands anywhere.
    pub(crate) names: BTreeSet<usize>,
    /// How many things are in the cart, as each page says.
    pub(crate) count: Option<u32>,
    /// What is in the cart, on the cart's page.
    pub(crate) cart: Option<Things>,
    /// The list of orders.
    pub(crate) orders: Option<Vec<u64>>,
    /// One order, whose buyer it does not name.
    pub(crate) order: Option<(u64, Bought)>,
}

/// An order of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) id: u64,
    pub(crate) who: usize,
    pub(crate) bought: Bought,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bought {
    /// When the checkout began that has placed it.
    pub(crate) press: u64,
    pub(crate) things: Things,
}

/// So many of each product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Things(pub(crate) [i64; PRODUCTS.end]);

impl Things {
    pub(crate) fn add(&mut self, product: usize, quantity: i64) {
        self.0[product] += quantity;
    }

    pub(crate) fn take(&mut self, other: &Self) {
        for (product, quantity) in other.0.iter().enumerate() {
            self.0[product] -= quantity;
        }
    }

    pub(crate) fn at_least_none(self) -> Self {
        Self(self.0.map(|quantity| quantity.max(0)))
    }

    pub(crate) fn count(&self) -> i64 {
        self.0.iter().sum()
    }

    pub(crate) fn total(&self) -> i64 {
        self.0.iter().zip(CENTS).map(|(n, cents)| n * cents).sum()
    }

    /// There are no more of any product than there.
    pub(crate) fn fits_into(&self, other: &Self) -> bool {
        self.0
            .iter()
            .zip(other.0)
            .all(|(mine, other)| *mine <= other)
    }
}

/// Their numbers in the shop are one more.
pub(crate) const PRODUCTS: Range<usize> = 0..6;
const CENTS: [i64; PRODUCTS.end] = [3_400, 900, 1_250, 1_100, 1_600, 850];
