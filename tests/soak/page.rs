//! What stands on the shop's pages.

use crate::{
    bed::customer::Page,
    history::{Answer, Bought, Cookie, PRODUCTS, Shown, Things, Told},
};

/// How the buyers' names begin, after which each has his number.
pub(crate) const BUYER: &str = "Buyer";
/// What an address says before the moment of its checkout.
pub(crate) const PRESS: &str = "Press";
/// The shop's cookie.
pub(crate) const COOKIE: &str = "__Host-Http-id";

pub(crate) fn answer(page: &Page) -> Answer {
    Answer {
        status: page.status.as_u16(),
        goes_to: page.goes_to().to_owned(),
        told: told(page),
        shown: shown(&page.text),
    }
}

fn told(page: &Page) -> Told {
    let Some(field) = page.headers.get("set-cookie") else {
        return Told::Nothing;
    };
    let field = field.to_str().unwrap();
    let value = after(field, &format!("{COOKIE}=")).split(';').next();
    match value.filter(|value| !value.is_empty()) {
        // The public part ends within a character, with the first bits of the secret.
        Some(id) => Told::Cookie(Cookie::new(&id[..HANDLE], &id[HANDLE..])),
        None => Told::Removal,
    }
}

fn shown(text: &str) -> Shown {
    let has_count = text.contains(COUNT);
    let title = after(text, "<h1>");
    let is_cart = title.starts_with("Your cart") || title.starts_with("This page was out of date");
    Shown {
        name: has_count.then(|| {
            let named = text.contains(SIGNED_IN);
            named.then(|| number(after(after(text, SIGNED_IN), BUYER)))
        }),
        names: numbers(text, BUYER).collect(),
        count: has_count.then(|| number(after(text, COUNT))),
        cart: (has_count && is_cart).then(|| cart(text)),
        orders: title
            .starts_with("Your orders")
            .then(|| ids(text).collect()),
        order: title
            .strip_prefix("Order ")
            .map(|title| (hexadecimal(title), bought(text))),
    }
}

/// Reads the lines, of which each has a form with the product and then how many there are.
fn cart(text: &str) -> Things {
    let mut things = Things::default();
    for line in text.split(r#"name="product" value=""#).skip(1) {
        let product: usize = number(line);
        things.add(product - 1, number(after(line, "<output>")));
    }
    things
}

fn bought(text: &str) -> Bought {
    let mut things = Things::default();
    for line in text.split("<tr><td>").skip(1) {
        let name = after(line, " × ").split('<').next().unwrap();
        let product = NAMES.iter().position(|known| *known == name).unwrap();
        things.add(product, number(line));
    }
    let press = number(after(text, PRESS));
    Bought { press, things }
}

fn ids(text: &str) -> impl Iterator<Item = u64> {
    let parts = text.split(r#"href="/orders/"#).skip(1);
    parts.map(hexadecimal)
}

fn hexadecimal(text: &str) -> u64 {
    let end = text.find(|c: char| !c.is_ascii_hexdigit());
    u64::from_str_radix(&text[..end.unwrap_or(text.len())], 16).unwrap()
}

fn numbers(text: &str, mark: &str) -> impl Iterator<Item = usize> {
    text.split(mark).skip(1).map(number)
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_ascii_digit());
    let digits = &text[..end.unwrap_or(text.len())];
    let number = digits.parse().ok();
    number.unwrap_or_else(|| panic!("no number: {text}"))
}

fn after<'a>(text: &'a str, mark: &str) -> &'a str {
    text.split_once(mark).map_or("", |(_, rest)| rest)
}

const COUNT: &str = r#"class="count">"#;
const SIGNED_IN: &str = "Signed in as ";
/// 16 bytes in base64url, but for the last two bits.
const HANDLE: usize = 21;
const NAMES: [&str; PRODUCTS.end] = [
    "Teapot",
    "Cup",
    "Green tea",
    "Black tea",
    "Tea tin",
    "Honey",
];
