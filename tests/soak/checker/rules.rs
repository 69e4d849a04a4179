//! What an answer must not be.

use super::{Known, Violation};
use crate::history::{Act, Answer, Cookie, Deed, Password, Place, Shown, Told};

/// Each tells whether it is broken.
type Rule = fn(&Known<'_>, &Act, &Answer) -> bool;

const RULES: [(&str, Rule); 13] = [
    (
        "an answer of the server's own fault, or none that belongs to this",
        is_odd,
    ),
    ("a refusal without a reason", is_refused_without_a_reason),
    ("a login that is not what the password is", is_wrong_login),
    ("a cookie that is no news", is_old_news),
    (
        "a new session in place of one that lives",
        replaces_what_lives,
    ),
    ("somebody else's name", names_somebody_else),
    (
        "an ended session, or a retired cookie, that opens something",
        opens_what_is_over,
    ),
    ("signed out without a reason", is_signed_out),
    ("an empty cart that something must be in", lacks_the_cart),
    ("a cart that lacks something", lacks_things),
    (
        "a cart with something that nobody has put in",
        has_more_things,
    ),
    ("an order that is not there, or another's", misses_its_order),
    (
        "a list of orders that is not the buyer's",
        lists_wrong_orders,
    ),
];

impl Known<'_> {
    pub(super) fn wrong_answer(&self, act: &Act) -> Option<Violation> {
        let answer = act.answer.as_ref()?;
        let broken = RULES.iter().find(|(_, rule)| rule(self, act, answer));
        broken.map(|(what, _)| self.violation(what, act))
    }

    /// A cookie may have been over, or there was none.
    fn may_open_nothing(&self, act: &Act) -> bool {
        act.cookie
            .as_ref()
            .is_none_or(|cookie| self.may_be_over(cookie, act))
    }

    fn owner_of(&self, act: &Act) -> Option<usize> {
        self.owner(act.cookie.as_ref()?)
    }

    /// The request was one of a session that certainly lived, and had a cart to see.
    fn session_of<'a>(&self, act: &'a Act, answer: &Answer) -> Option<&'a str> {
        let cookie = act.cookie.as_ref()?;
        let lives = has_opened(act, answer) || !self.may_be_over(cookie, act);
        lives.then_some(&*cookie.session)
    }
}

fn is_odd(known: &Known<'_>, act: &Act, answer: &Answer) -> bool {
    let goes_to = &*answer.goes_to;
    let to_login = answer.asks_to_sign_in();
    let belongs = match (act.deed, answer.status) {
        (Deed::Add { .. } | Deed::Less { .. }, 303) => goes_to == "/cart",
        (Deed::Checkout { .. }, 303) => to_login || goes_to.starts_with("/orders"),
        (Deed::Enter { .. }, 303) => matches!(answer.told, Told::Cookie(_)),
        (Deed::Enter { .. }, 422) => true,
        (Deed::Logout, 303) => goes_to == "/goodbye",
        (Deed::LogoutOthers, 303) => to_login || goes_to == "/account",
        (Deed::Look(Place::Checkout), 303) => to_login || goes_to == "/cart",
        (Deed::Look(Place::Account | Place::Order(_) | Place::Orders), 303) => to_login,
        (Deed::Look(Place::Order(_)), 404) | (Deed::Look(_), 200) => true,
        (_, 409) => true,
        _ => false,
    };
    // Whose login is refused, because he has signed out everywhere meanwhile, had ended the session that was another's.
    let may_remove = match (act.deed, &act.cookie) {
        (Deed::Logout, _) => true,
        (Deed::Enter { who, .. }, Some(sent)) => {
            answer.status == 409 && known.is_another(sent, who)
        }
        _ => false,
    };
    !belongs || answer.told == Told::Removal && !may_remove
}

/// What is refused has come too late, or its form was out of date.
fn is_refused_without_a_reason(known: &Known<'_>, act: &Act, answer: &Answer) -> bool {
    if answer.status != 409 || known.may_be_met(act) {
        return false;
    }
    let Some(cookie) = &act.cookie else {
        return true;
    };
    let is_right = |total: u32| {
        let least = known.least(&cookie.session, act);
        least == known.most(&cookie.session, act) && least.total() == i64::from(total)
    };
    let is_out_of_date = match act.deed {
        Deed::Checkout { total } => answer.shown.cart.is_some() && !is_right(total),
        _ => false,
    };
    !is_out_of_date && !known.may_be_over(cookie, act)
}

fn is_wrong_login(_: &Known<'_>, act: &Act, answer: &Answer) -> bool {
    let Deed::Enter { password, .. } = act.deed else {
        return false;
    };
    match password {
        // An earlier sign-up may have been lost.
        Password::Chosen => false,
        Password::Right | Password::RightForLong => answer.status == 422,
        Password::Wrong => answer.is_redirect(),
    }
}

/// A secret is drawn once, a session begins once, and only a login brings another secret.
fn is_old_news(known: &Known<'_>, act: &Act, _: &Answer) -> bool {
    let Some(told) = act.told() else {
        return false;
    };
    let begins = |act: &Act| match (act.told(), &act.cookie) {
        (Some(told), Some(sent)) => told.session != sent.session,
        (told, _) => told.is_some(),
    };
    let beginnings = known.done_in(&told.session).filter(|act| begins(act));
    let is_login = matches!(act.deed, Deed::Enter { .. });
    known.issued[told].len() > 1 || beginnings.count() > 1 || !begins(act) && !is_login
}

fn replaces_what_lives(known: &Known<'_>, act: &Act, answer: &Answer) -> bool {
    let (Some(sent), Told::Cookie(told)) = (&act.cookie, &answer.told) else {
        return false;
    };
    let changes_hands = match act.deed {
        Deed::Enter { who, .. } => known.is_another(sent, who),
        _ => false,
    };
    sent.session != told.session && !changes_hands && !known.may_be_over(sent, act)
}

fn names_somebody_else(known: &Known<'_>, act: &Act, answer: &Answer) -> bool {
    let owner = known.owner_of(act);
    let Shown { name, names, .. } = &answer.shown;
    // The form of a sign-up that is refused has the name that was typed.
    let is_typed = |who: usize| {
        let password = Password::Chosen;
        act.deed == Deed::Enter { who, password }
    };
    let is_another = |who: usize| Some(who) != owner;
    names.iter().any(|who| is_another(*who) && !is_typed(*who))
        || name.flatten().is_some_and(is_another)
}

fn opens_what_is_over(known: &Known<'_>, act: &Act, answer: &Answer) -> bool {
    let is_over = |cookie: &Cookie| known.is_over(cookie, act);
    let opens_nothing = act.cookie.as_ref().is_none_or(is_over);
    opens_nothing && has_opened(act, answer)
}

/// Tells whether the answer shows that the cookie has opened a session.
fn has_opened(act: &Act, answer: &Answer) -> bool {
    let shown = &answer.shown;
    let shows = shown.name.flatten().is_some() || shown.count.is_some_and(|count| count > 0);
    let same = |told: &Cookie| {
        act.cookie
            .as_ref()
            .is_some_and(|sent| sent.session == told.session)
    };
    let does = answer.is_redirect()
        && match act.deed {
            Deed::Add { .. } | Deed::Less { .. } => answer.told == Told::Nothing,
            Deed::Checkout { .. } | Deed::Look(_) | Deed::LogoutOthers => !answer.asks_to_sign_in(),
            Deed::Enter { .. } => act.told().is_some_and(same),
            Deed::Logout => false,
        };
    shows || does
}

fn is_signed_out(known: &Known<'_>, act: &Act, answer: &Answer) -> bool {
    let is_nobody =
        answer.shown.name == Some(None) || answer.is_redirect() && answer.asks_to_sign_in();
    is_nobody && known.owner_of(act).is_some() && !known.may_open_nothing(act)
}

fn lacks_the_cart(known: &Known<'_>, act: &Act, answer: &Answer) -> bool {
    let is_empty = match act.deed {
        Deed::Checkout { .. } => answer.goes_to == "/orders",
        Deed::Look(Place::Checkout) => answer.goes_to == "/cart",
        _ => false,
    };
    let session = known.session_of(act, answer).filter(|_| is_empty);
    session.is_some_and(|session| known.least(session, act).count() > 0)
}

fn lacks_things(known: &Known<'_>, act: &Act, answer: &Answer) -> bool {
    let Some(session) = known.session_of(act, answer) else {
        return false;
    };
    let least = || known.least(session, act);
    let Shown { count, cart, .. } = &answer.shown;
    cart.is_some_and(|cart| !least().fits_into(&cart))
        || count.is_some_and(|count| i64::from(count) < least().count())
}

fn has_more_things(known: &Known<'_>, act: &Act, answer: &Answer) -> bool {
    let Some(session) = known.session_of(act, answer) else {
        return false;
    };
    let most = || known.most(session, act);
    let Shown { count, cart, .. } = &answer.shown;
    cart.is_some_and(|cart| !cart.fits_into(&most()))
        || count.is_some_and(|count| i64::from(count) > most().count())
}

fn misses_its_order(known: &Known<'_>, act: &Act, answer: &Answer) -> bool {
    let owner = known.owner_of(act);
    let shown = answer.shown.order;
    let is_shown_wrong = shown.is_some_and(|(id, bought)| {
        known
            .order_of_press(bought.press)
            .is_none_or(|order| (order.id, order.bought, Some(order.who)) != (id, bought, owner))
    });
    let is_missing = match act.deed {
        // By this press, or by another of the same cart.
        Deed::Checkout { .. } => answer
            .placed()
            .is_some_and(|id| !known.is_placed_in(id, act.session())),
        Deed::Look(Place::Order(id)) if answer.status == 404 => {
            known.placed_before(act).any(|order| order.id == id)
        }
        _ => false,
    };
    is_shown_wrong || is_missing
}

fn lists_wrong_orders(known: &Known<'_>, act: &Act, answer: &Answer) -> bool {
    let Some(listed) = &answer.shown.orders else {
        return false;
    };
    let owner = known.owner_of(act);
    let may_be_there = |id: &u64| known.may_be_placed(*id, owner, act);
    let mut once = listed.clone();
    once.sort_unstable();
    once.dedup();
    once.len() < listed.len()
        || !listed.iter().all(may_be_there)
        || known
            .placed_before(act)
            .any(|order| !listed.contains(&order.id))
}
