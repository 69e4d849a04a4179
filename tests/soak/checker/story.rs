//! Histories that are written in words.

#![cfg(test)]

use super::check;
use crate::history::{
    Act, Answer, Bought, Cookie, Deed, History, NEVER, Order, Password, Place, Shown, Things, Told,
};

/// A visitor puts two things into the cart, signs in as 7, and has the cookie `a1`.
const BEGINNING: &str = "1..2 - add: told a0; 3..4 a0 enter: told a1";

/// Reads what was done after the beginning: `5..6 a1 add: cart; …`, and the orders: `F 7 5; …` are id, buyer and press.
fn history(told: &str, orders: &str) -> History {
    History {
        acts: split(BEGINNING).chain(split(told)).map(act).collect(),
        orders: split(orders).map(order).collect(),
    }
}

/// Makes sure that the checker finds this in it.
pub(super) fn refuse(what: &str, told: &str, orders: &str) {
    let found = check(&history(told, orders));
    let is_found = found.iter().any(|violation| violation.what.contains(what));
    assert!(is_found, "{what}: {told}: {found:?}");
}

/// Makes sure that the checker finds nothing in it.
pub(super) fn accept(told: &str, orders: &str) {
    let found = check(&history(told, orders));
    assert!(found.is_empty(), "{told}: {found:?}");
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split("; ").filter(|part| !part.is_empty())
}

fn act(text: &str) -> Act {
    let (done, answered) = text.split_once(": ").unwrap();
    let late = answered.strip_prefix("late ");
    let (answered, is_late) = (late.unwrap_or(answered), late.is_some());
    let words: Vec<_> = done.split_whitespace().collect();
    let (began, ended) = words[0].split_once("..").unwrap();
    Act {
        began: began.parse().unwrap(),
        ended: ended.parse().unwrap_or(NEVER),
        cookie: (words[1] != "-").then(|| cookie(words[1])),
        deed: deed(words[2]),
        answer: (answered != "lost").then(|| answer(answered)),
        is_late,
    }
}

fn deed(word: &str) -> Deed {
    let enter = |who, password| Deed::Enter { who, password };
    match word {
        "add" => Deed::Add {
            product: 0,
            quantity: 2,
        },
        "another" => enter(8, Password::Right),
        "checkout" => Deed::Checkout { total: 6_800 },
        "enter" => enter(7, Password::Right),
        "leave" => Deed::Logout,
        "others" => Deed::LogoutOthers,
        "less" => Deed::Less { product: 0 },
        "list" => Deed::Look(Place::Orders),
        "look" => Deed::Look(Place::Cart),
        "old" => Deed::Checkout { total: 3_400 },
        "order" => Deed::Look(Place::Order(0xF)),
        "sign-up" => enter(7, Password::Chosen),
        "wrong" => enter(7, Password::Wrong),
        _ => panic!("{word}"),
    }
}

fn answer(text: &str) -> Answer {
    let words: Vec<_> = text.split_whitespace().collect();
    let quiet = |status, goes_to: &str| Answer {
        status,
        goes_to: goes_to.to_owned(),
        told: Told::Nothing,
        shown: Shown::default(),
    };
    let told = |goes_to, told| Answer {
        told,
        ..quiet(303, goes_to)
    };
    let page = |status, shown| Answer {
        shown,
        ..quiet(status, "")
    };
    match *words {
        ["account"] => quiet(303, "/account"),
        ["cart"] => quiet(303, "/cart"),
        ["gone"] => Answer {
            told: Told::Removal,
            ..quiet(409, "")
        },
        ["lists", ..] => page(200, listing(&words[1..])),
        ["login"] => quiet(303, "/login?next=checkout"),
        ["orders"] => quiet(303, "/orders"),
        ["out"] => told("/goodbye", Told::Removal),
        ["placed"] => quiet(303, "/orders/00000000000F"),
        ["shows", count] => page(200, bill(count)),
        ["stale", count] => page(409, cart(Some(7), count)),
        ["told", id] => told("/cart", Told::Cookie(cookie(id))),
        [name, "has", count] => page(200, cart(name.parse().ok(), count)),
        [name, "typed"] => page(422, naming(name)),
        [name, "stands"] => page(200, naming(name)),
        [status] => quiet(status.parse().unwrap(), ""),
        _ => panic!("{text}"),
    }
}

fn cookie(text: &str) -> Cookie {
    let (session, secret) = text.split_at(1);
    Cookie::new(session, secret)
}

/// A cart with so many of the first product.
fn cart(name: Option<usize>, count: &str) -> Shown {
    Shown {
        name: Some(name),
        names: name.into_iter().collect(),
        count: Some(count.parse().unwrap()),
        cart: Some(things(count)),
        ..Shown::default()
    }
}

fn naming(name: &str) -> Shown {
    let names = [name.parse().unwrap()].into();
    Shown {
        names,
        ..cart(None, "0")
    }
}

fn listing(ids: &[&str]) -> Shown {
    let id = |id: &&str| u64::from_str_radix(id, 16).unwrap();
    let orders = Some(ids.iter().map(id).collect());
    Shown {
        orders,
        ..Shown::default()
    }
}

fn bill(count: &str) -> Shown {
    let bought = Bought {
        press: 5,
        things: things(count),
    };
    Shown {
        order: Some((0xF, bought)),
        ..Shown::default()
    }
}

/// An order of the two things.
fn order(text: &str) -> Order {
    let words: Vec<_> = text.split_whitespace().collect();
    let press = words[2].parse().unwrap();
    Order {
        id: u64::from_str_radix(words[0], 16).unwrap(),
        who: words[1].parse().unwrap(),
        bought: Bought {
            press,
            things: things("2"),
        },
    }
}

fn things(count: &str) -> Things {
    let mut things = Things::default();
    things.add(0, count.parse().unwrap());
    things
}
