//! The cart, which lives in the session.

use axum::{extract::Form, http::StatusCode, response::Redirect};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use tenure::{Session, SessionKey};

use crate::{
    catalog::{Product, product},
    page::{FLASH, Page, price},
    problem::Problem,
};

pub(crate) const CART: SessionKey<Cart> = SessionKey::new("cart");

/// What a visitor is about to buy.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Cart {
    /// The id that the order will have, drawn with the first thing that is put in.
    pub(crate) id: u64,
    lines: Vec<Line>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Line {
    product: u32,
    quantity: u32,
}

impl Cart {
    fn add(&mut self, (id, item): (u64, Item)) {
        if self.lines.is_empty() {
            self.id = id;
        }
        if !self.lines.iter().any(|line| line.product == item.product) {
            self.lines.push(Line {
                product: item.product,
                quantity: 0,
            });
        }
        self.change(item);
    }

    fn change(&mut self, item: Item) {
        for line in &mut self.lines {
            if line.product == item.product {
                line.quantity = line.quantity.saturating_add_signed(item.quantity).min(MOST);
            }
        }
        self.lines.retain(|line| line.quantity > 0);
    }

    /// Takes out what was ordered, unless that was done already. What is left will be another order, with an id of its own.
    pub(crate) fn take_out(&mut self, (ordered, id): (Self, u64)) {
        if self.id != ordered.id {
            return;
        }
        for Line { product, quantity } in ordered.lines {
            let quantity = -quantity.cast_signed();
            self.change(Item { product, quantity });
        }
        self.id = id;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(crate) fn count(&self) -> u32 {
        self.lines.iter().map(|line| line.quantity).sum()
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = (&'static Product, u32)> {
        self.lines
            .iter()
            .filter_map(|line| Some((product(line.product)?, line.quantity)))
    }

    pub(crate) fn total(&self) -> u32 {
        self.lines()
            .map(|(product, quantity)| product.cents * quantity)
            .sum()
    }
}

/// So many of a thing, or so many more or fewer.
#[derive(Clone, Copy, Deserialize)]
pub(crate) struct Item {
    product: u32,
    quantity: i32,
}

/// However many tabs add at once, everything is in the cart: the change is made again on whatever was first.
pub(crate) async fn add(session: Session, Form(item): Form<Item>) -> Result<Redirect, Problem> {
    let product = product(item.product).ok_or(Problem::NotFound)?;
    session.update_with(CART, (new_id()?, item), Cart::add)?;
    session.insert(FLASH, format!("{} is in your cart.", product.name))?;
    Ok(Redirect::to("/cart"))
}

/// Draws the id of an order: 48 bits, so that it is nobody else's, and short enough to be read out.
pub(crate) fn new_id() -> Result<u64, getrandom::Error> {
    Ok(getrandom::u64()? >> 16)
}

/// The buttons say "one more", not "make it three": two tabs that press at once both count.
pub(crate) async fn change(session: Session, Form(item): Form<Item>) -> Result<Redirect, Problem> {
    let product = product(item.product).ok_or(Problem::NotFound)?;
    session.update_with(CART, item, Cart::change)?;
    session.insert(FLASH, said(product, item.quantity))?;
    Ok(Redirect::to("/cart"))
}

fn said(product: &Product, more: i32) -> String {
    let name = product.name;
    match more {
        ALL => format!("{name} is out of your cart."),
        ..0 => format!("One {name} less."),
        _ => format!("One more {name}."),
    }
}

pub(crate) async fn show(session: Session) -> Result<Page, Problem> {
    let cart = session.get(CART)?.unwrap_or_default();
    let content = html! { h1 { "Your cart" } (contents(&cart)) };
    Page::of(&session, "Your cart", &content)
}

/// Says that a page was out of date, and shows the cart as it is now.
pub(crate) fn out_of_date(session: &Session) -> Result<Page, Problem> {
    let cart = session.get(CART)?.unwrap_or_default();
    let content = html! {
        h1 { "This page was out of date" }
        p.lead { "Your cart has changed since, perhaps in another tab, so nothing was ordered. Here it is as it is now." }
        (contents(&cart))
    };
    let page = Page::of(session, "This page was out of date", &content)?;
    Ok(page.with(StatusCode::CONFLICT))
}

fn contents(cart: &Cart) -> Markup {
    html! {
        @if cart.is_empty() {
            p.lead { "There is nothing in it yet." }
            p { a.button.main href="/" { "Look around" } }
        } @else {
            ul.lines { @for (product, quantity) in cart.lines() { (line(product, quantity)) } }
            p.total { span { "Total" } span.price { (price(cart.total())) } }
            p.next { a.button.main href="/checkout" { "Check out" } a href="/" { "Go on shopping" } }
        }
    }
}

fn line(product: &Product, quantity: u32) -> Markup {
    let page = format!("/products/{}", product.id);
    html! {
        li {
            a href=(page) { (product.picture()) }
            span.name { a href=(page) { (product.name) } small { (price(product.cents)) " each" } }
            form.quantity method="post" action="/cart/change" {
                input type="hidden" name="product" value=(product.id);
                button name="quantity" value="-1" aria-label=(format!("One {} less", product.name)) { "−" }
                output { (quantity) }
                button name="quantity" value="1" disabled[quantity == MOST] aria-label=(format!("One more {}", product.name)) { "+" }
                button.link name="quantity" value=(ALL) aria-label=(format!("Remove {}", product.name)) { "Remove" }
            }
            span.price { (price(product.cents * quantity)) }
        }
    }
}

const MOST: u32 = 99;
const ALL: i32 = -99;
