//! Placing an order once, and looking at those that were placed.

use axum::{
    extract::{Path, State},
    response::Redirect,
};
use maud::{Markup, html};
use tenure::Session;

use crate::{
    cart::{CART, Cart},
    data::{Order, Shop},
    page::{FLASH, Page, price},
    problem::Problem,
};

/// However often the button is pressed, one request gets the cart; and should it be carried out twice all the same,
/// the order's id is the cart's.
pub(crate) async fn place(session: Session, State(shop): State<Shop>) -> Result<Redirect, Problem> {
    let Some(user) = session.principal() else {
        session.insert(
            FLASH,
            "Sign in to place your order; your cart stays as it is.".to_owned(),
        )?;
        return Ok(Redirect::to("/login"));
    };
    match session.claim(&CART).await? {
        Some(cart) if !cart.is_empty() => {
            let order = shop.place(user.to_string(), cart);
            session.insert(FLASH, "Thank you! Your order is on its way.".to_owned())?;
            Ok(Redirect::to(&format!("/orders/{}", order.id)))
        }
        _ => Ok(Redirect::to("/orders")),
    }
}

pub(crate) async fn list(session: Session, State(shop): State<Shop>) -> Result<Page, Problem> {
    let user = session.principal().ok_or(Problem::SignInFirst)?;
    let orders = shop.orders_of(user.as_str());
    let list = html! {
        h1 { "Your orders" }
        @if orders.is_empty() { p { "You have not ordered anything yet. " a href="/" { "Look around" } } }
        ul {
            @for order in orders {
                li { a href=(format!("/orders/{}", order.id)) { (name(&order)) } ", " (price(order.cart.total())) }
            }
        }
    };
    Page::of(&session, "Your orders", &list)
}

pub(crate) async fn show(
    session: Session,
    State(shop): State<Shop>,
    Path(id): Path<u64>,
) -> Result<Page, Problem> {
    let user = session.principal().ok_or(Problem::SignInFirst)?;
    let order = shop.order(id, user.as_str()).ok_or(Problem::NotFound)?;
    let lines = html! {
        h1 { (name(&order)) }
        (bill(&order.cart))
        p { a href="/orders" { "All orders" } }
    };
    Page::of(&session, &name(&order), &lines)
}

fn bill(cart: &Cart) -> Markup {
    html! {
        table {
            @for (product, quantity) in cart.lines() {
                tr { td { (product.name) } td { (quantity) " ×" } td.price { (price(product.cents * quantity)) } }
            }
            tr.total { td { "Total" } td {} td.price { (price(cart.total())) } }
        }
    }
}

fn name(order: &Order) -> String {
    format!("Order {:08x}", order.id >> 32)
}
