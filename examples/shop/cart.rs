//! The cart, which lives in the session.

use axum::{extract::Form, response::Redirect};
use maud::html;
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
    fn add(&mut self, (id, product): (u64, u32)) {
        if self.lines.is_empty() {
            self.id = id;
        }
        match self.lines.iter_mut().find(|line| line.product == product) {
            Some(line) => line.quantity = (line.quantity + 1).min(MOST),
            None => self.lines.push(Line {
                product,
                quantity: 1,
            }),
        }
    }

    fn set_quantity(&mut self, (product, quantity): (u32, u32)) {
        for line in self.lines.iter_mut().filter(|line| line.product == product) {
            line.quantity = quantity.min(MOST);
        }
        self.lines.retain(|line| line.quantity > 0);
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

const MOST: u32 = 99;

#[derive(Deserialize)]
pub(crate) struct Add {
    product: u32,
}

/// However many tabs add at once, everything is in the cart: the change is made again on whatever was first.
pub(crate) async fn add(session: Session, Form(form): Form<Add>) -> Result<Redirect, Problem> {
    let product = product(form.product).ok_or(Problem::NotFound)?;
    let id = getrandom::u64()?;
    session.update_with(CART, (id, product.id), Cart::add)?;
    session.insert(FLASH, format!("{} is in your cart.", product.name))?;
    Ok(Redirect::to("/cart"))
}

#[derive(Deserialize)]
pub(crate) struct SetQuantity {
    product: u32,
    quantity: u32,
}

pub(crate) async fn set_quantity(
    session: Session,
    Form(form): Form<SetQuantity>,
) -> Result<Redirect, Problem> {
    session.update_with(CART, (form.product, form.quantity), Cart::set_quantity)?;
    Ok(Redirect::to("/cart"))
}

pub(crate) async fn show(session: Session) -> Result<Page, Problem> {
    let cart = session.get(CART)?.unwrap_or_default();
    let lines = html! {
        h1 { "Your cart" }
        @if cart.is_empty() {
            p { "There is nothing in it yet. " a href="/" { "Look around" } }
        } @else {
            table {
                @for (product, quantity) in cart.lines() {
                    tr {
                        td { (product.name) }
                        td { (quantity_form(product, quantity)) }
                        td.price { (price(product.cents * quantity)) }
                    }
                }
                tr.total { td { "Total" } td {} td.price { (price(cart.total())) } }
            }
            form method="post" action="/checkout" { button.main { "Place the order" } }
        }
    };
    Page::of(&session, "Your cart", &lines)
}

fn quantity_form(product: &Product, quantity: u32) -> maud::Markup {
    html! {
        form.quantity method="post" action="/cart/quantity" {
            input type="hidden" name="product" value=(product.id);
            input type="number" name="quantity" min="0" max=(MOST) value=(quantity)
                aria-label=(format!("Quantity of {}", product.name));
            button { "Change" }
        }
    }
}
