//! Looking at what was ordered.

use axum::extract::{Path, State};
use maud::{Markup, html};
use tenure::Session;

use crate::{
    account::Next,
    cart::Cart,
    data::{Order, Shop},
    page::{Page, price},
    problem::Problem,
};

pub(crate) async fn list(session: Session, State(shop): State<Shop>) -> Result<Page, Problem> {
    let user = session
        .principal()
        .ok_or(Problem::SignInFirst(Next::Orders))?;
    let orders = shop.orders_of(user.as_str()).await?;
    let content = html! {
        h1 { "Your orders" }
        @if orders.is_empty() {
            p.lead { "You have not ordered anything yet." }
            p { a.button.main href="/" { "Look around" } }
        }
        ul.orders {
            @for order in &orders {
                li {
                    a href=(address(order.id)) { (name(order)) }
                    span { (things(order.cart.count())) }
                    span.price { (price(order.cart.total())) }
                }
            }
        }
    };
    Page::of(&session, "Your orders", &content)
}

/// Shows an order to the one who placed it; for everybody else there is no such page.
pub(crate) async fn show(
    session: Session,
    State(shop): State<Shop>,
    Path(number): Path<String>,
) -> Result<Page, Problem> {
    let user = session
        .principal()
        .ok_or(Problem::SignInFirst(Next::Orders))?;
    let id = u64::from_str_radix(&number, 16).map_err(|_| Problem::NotFound)?;
    let order = shop.order(id, user.as_str()).await?;
    let order = order.ok_or(Problem::NotFound)?;
    let content = html! {
        h1 { (name(&order)) }
        (bill(&order.cart))
        h2 { "Goes to" }
        p.address { (order.address) }
        p.next { a.button href="/orders" { "All orders" } a href="/" { "Go on shopping" } }
    };
    Page::of(&session, &name(&order), &content)
}

pub(crate) fn bill(cart: &Cart) -> Markup {
    html! {
        table.bill {
            @for (product, quantity) in cart.lines() {
                tr { td { (quantity) " × " (product.name) } td.price { (price(product.cents * quantity)) } }
            }
            tr.total { td { "Total" } td.price { (price(cart.total())) } }
        }
    }
}

pub(crate) fn address(id: u64) -> String {
    format!("/orders/{id:012X}")
}

fn name(order: &Order) -> String {
    format!("Order {:012X}", order.id)
}

fn things(count: u32) -> String {
    match count {
        1 => "1 thing".to_owned(),
        _ => format!("{count} things"),
    }
}
