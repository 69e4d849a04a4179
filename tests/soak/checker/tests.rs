//! Histories that the checker must refuse, each like those that it must accept but for one thing.
//!
//! All begin with a visitor who puts two things into the cart, signs in as 7, and has the cookie `a1`.

#![cfg(test)]

use super::story::{accept, refuse};

#[test]
fn what_must_not_be_is_found() {
    for (what, told, orders) in [
        ("server's own fault", "5..6 a1 look: 503", ""),
        ("server's own fault", "5..6 a1 look: out", ""),
        ("without a reason", "5..6 a1 add: 409", ""),
        ("without a reason", "5..6 a1 checkout: stale 2", ""),
        ("what the password is", "5..6 - wrong: told b0", ""),
        ("what the password is", "5..6 - enter: 422", ""),
        ("no news", "5..6 - add: told a1", ""),
        ("no news", "5..6 - add: told a2", ""),
        ("no news", "5..6 a1 add: told a2", ""),
        ("one that lives", "5..6 a1 add: told b0", ""),
        ("one that lives", "5..6 a1 enter: told b0", ""),
        ("somebody else's name", "5..6 a1 look: 8 has 2", ""),
        ("somebody else's name", "5..6 - look: 7 stands", ""),
        ("somebody else's name", "5..6 - sign-up: 8 typed", ""),
        (
            "ended session",
            "5..6 a1 leave: out; 7..8 a1 look: 7 has 2",
            "",
        ),
        ("ended session", "5..6 a1 leave: out; 7..8 a1 add: cart", ""),
        (
            "ended session",
            "5..6 a1 leave: out; 7..8 a1 checkout: orders",
            "",
        ),
        (
            "ended session",
            "5..6 a1 another: told b0; 7..8 a1 look: 7 has 2",
            "",
        ),
        ("retired cookie", "5..6 a0 look: nobody has 2", ""),
        ("retired cookie", "5..6 a0 enter: told a2", ""),
        ("signed out", "5..6 a1 look: nobody has 0", ""),
        ("signed out", "5..6 a1 checkout: login", ""),
        (
            "signed out",
            "5..6 a0 leave: 409; 7..8 a1 look: nobody has 0",
            "",
        ),
        (
            "signed out",
            "5..6 a0 leave: lost; 7..8 a1 look: nobody has 0",
            "",
        ),
        ("empty cart", "5..6 a1 checkout: orders", ""),
        ("cart that lacks", "5..6 a1 look: 7 has 1", ""),
        (
            "cart that lacks",
            "5..? a1 add: lost; 7..8 a1 look: 7 has 1",
            "",
        ),
        (
            "cart that lacks",
            "5..6 a1 checkout: lost; 7..8 a1 look: 7 has 0",
            "",
        ),
        ("cart with something", "5..6 a1 look: 7 has 3", ""),
        (
            "cart with something",
            "5..6 a1 less: cart; 7..8 a1 look: 7 has 2",
            "",
        ),
        (
            "cart with something",
            "5..6 a1 checkout: placed; 7..8 a1 look: 7 has 2",
            "F 7 5",
        ),
        ("not there", "5..6 a1 checkout: placed", ""),
        (
            "not there",
            "5..6 a1 checkout: placed; 7..8 a1 order: 404",
            "F 7 5",
        ),
        (
            "not there",
            "5..6 a1 checkout: placed; 7..8 a1 order: shows 1",
            "F 7 5",
        ),
        (
            "not there",
            "5..6 a1 checkout: placed; 7..8 - another: told b0; 9..10 b0 order: shows 2",
            "F 7 5",
        ),
        (
            "list of orders",
            "5..6 a1 checkout: placed; 7..8 a1 list: lists",
            "F 7 5",
        ),
        (
            "list of orders",
            "5..6 a1 checkout: placed; 7..8 a1 list: lists F F",
            "F 7 5",
        ),
        (
            "list of orders",
            "5..6 a1 list: lists F; 7..8 a1 checkout: placed",
            "F 7 7",
        ),
        (
            "list of orders",
            "5..6 a1 checkout: placed; 7..8 - another: told b0; 9..10 b0 list: lists F",
            "F 7 5",
        ),
        ("nobody has placed", "", "F 7 4"),
        ("placed twice", "5..6 a1 checkout: placed", "F 7 5; E 7 5"),
        (
            "placed twice",
            "5..6 a1 checkout: placed; 7..8 a1 checkout: lost",
            "F 7 5; F 7 7",
        ),
        (
            "order of somebody else",
            "5..6 a1 checkout: placed",
            "F 8 5",
        ),
        ("without a session", "5..6 - checkout: lost", "F 7 5"),
        (
            "session that has ended",
            "5..6 a1 leave: out; 7..8 a1 checkout: lost",
            "F 7 7",
        ),
        ("was told is none", "5..6 a1 checkout: stale 1", "F 7 5"),
        ("another total", "5..6 a1 old: lost", "F 7 5"),
        (
            "order that lacks",
            "5..6 a1 add: cart; 7..8 a1 checkout: placed",
            "F 7 7",
        ),
        (
            "order with something",
            "5..6 a1 less: cart; 7..8 a1 checkout: placed",
            "F 7 7",
        ),
    ] {
        refuse(what, told, orders);
    }
}

#[test]
fn what_may_be_is_accepted() {
    for (told, orders) in [
        (
            "5..6 a1 look: 7 has 2; 7..8 a0 look: nobody has 0; 9..10 - look: nobody has 0",
            "",
        ),
        (
            "5..6 a1 old: stale 2; 7..8 a1 less: cart; 9..10 a1 look: 7 has 1",
            "",
        ),
        (
            "5..6 a1 checkout: placed; 7..8 a1 list: lists F; 9..10 a1 look: 7 has 0",
            "F 7 5",
        ),
        (
            "5..6 a1 checkout: placed; 7..8 a1 checkout: orders; 9..10 a1 order: shows 2",
            "F 7 5",
        ),
        // Who looks while something is done sees it or not.
        ("5..8 a1 add: cart; 6..7 a1 look: 7 has 4", ""),
        ("5..8 a1 add: cart; 6..7 a1 look: 7 has 2", ""),
        ("5..8 a1 leave: out; 6..7 a1 look: 7 has 2", ""),
        ("5..8 a1 leave: out; 6..7 a1 look: nobody has 0", ""),
        ("5..8 a1 leave: out; 6..7 a1 add: 409", ""),
        ("5..8 a1 leave: out; 6..7 a1 add: told b0", ""),
        ("5..8 a1 enter: told a2; 6..7 a1 add: 409", ""),
        ("5..8 a1 checkout: placed; 6..7 a1 look: 7 has 0", "F 7 5"),
        (
            "5..8 a1 checkout: placed; 6..7 a1 checkout: placed",
            "F 7 5",
        ),
        // What was lost was done, now or later, or never.
        ("5..? a1 add: lost; 7..8 a1 look: 7 has 4", ""),
        ("5..? a1 add: lost; 7..8 a1 look: 7 has 2", ""),
        ("5..? a1 leave: lost; 7..8 a1 look: nobody has 0", ""),
        ("5..? a1 leave: lost; 7..8 a1 look: 7 has 2", ""),
        ("5..? a1 enter: lost; 7..8 a1 look: nobody has 0", ""),
        ("5..? a1 checkout: lost; 7..8 a1 look: 7 has 2", "F 7 5"),
        ("5..6 a1 checkout: lost; 7..8 a1 look: 7 has 0", "F 7 5"),
        ("5..6 a1 checkout: lost; 7..8 a1 checkout: placed", "F 7 5"),
        (
            "5..6 a1 checkout: late placed; 7..8 a1 look: 7 has 2; 9..10 a1 checkout: placed; 11..12 a1 look: 7 has 0",
            "F 7 5",
        ),
        ("5..? - sign-up: lost; 6..7 - sign-up: 7 typed", ""),
        // A login as somebody else begins anew, and so does a retired cookie when it is forgotten.
        (
            "5..6 a1 another: told b0; 7..8 a1 look: nobody has 0; 9..10 b0 look: 8 has 0",
            "",
        ),
        (
            "5..6 a0 add: told b0; 7..8 b0 look: nobody has 2; 9..10 a1 look: 7 has 2",
            "",
        ),
    ] {
        accept(told, orders);
    }
}
