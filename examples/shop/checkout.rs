//! Placing an order once, however often the button is pressed.

use axum::{
    extract::{Form, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use maud::html;
use serde::Deserialize;
use tenure::Session;

use crate::{
    account::Next,
    address::Address,
    cart::{self, CART, Cart},
    credentials,
    data::{Order, Shop},
    orders,
    page::{FLASH, Page, price},
    problem::Problem,
};

pub(crate) async fn show(session: Session, State(shop): State<Shop>) -> Result<Response, Problem> {
    if session.principal().is_none() {
        session.insert(
            FLASH,
            "Sign in to check out; your cart stays as it is.".to_owned(),
        )?;
        return Err(Problem::SignInFirst(Next::Checkout));
    }
    let cart = session.get(CART)?.unwrap_or_default();
    if cart.is_empty() {
        return Ok(Redirect::to("/cart").into_response());
    }
    let user = credentials::user(&session, &shop).await?;
    let address = shop.address_of(user.id).await?;
    let address = address.unwrap_or_else(|| format!("{}\n", user.name));
    Ok(form(&session, &cart, &address, None)?.into_response())
}

#[derive(Deserialize)]
pub(crate) struct Checkout {
    address: String,
    /// The total that the buyer has seen.
    total: u32,
}

/// The order first, under the id that the cart has, and then the cart: so nothing is lost between them, whoever goes away,
/// and nothing is ordered twice, however often this is carried out.
pub(crate) async fn place(
    session: Session,
    State(shop): State<Shop>,
    Form(checkout): Form<Checkout>,
) -> Result<Response, Problem> {
    let user = session.principal();
    let user = user.ok_or(Problem::SignInFirst(Next::Checkout))?;
    let address = match Address::checked(&checkout.address) {
        Ok(address) => address,
        Err(why) => return ask_again(&session, &checkout.address, why),
    };
    let cart = session.get(CART)?.unwrap_or_default();
    if cart.is_empty() {
        return Ok(Redirect::to("/orders").into_response());
    }
    if cart.total() != checkout.total {
        return Ok(cart::out_of_date(&session)?.into_response());
    }
    let order = Order {
        id: cart.id,
        user: user.to_string(),
        address,
        cart,
    };
    let (told, ordered) = match shop.add_order(&order).await? {
        true => ("Thank you! Your order is placed.", order),
        // By an earlier press, whose answer was lost or is on its way.
        false => {
            let placed = shop.order(order.id, &order.user).await?;
            let placed = placed.ok_or(Problem::NotFound)?;
            (
                "This order was placed before; here it is as it was.",
                placed,
            )
        }
    };
    session.insert(FLASH, told.to_owned())?;
    session.update_with(CART, (ordered.cart, cart::new_id()?), Cart::take_out)?;
    // The order is placed, whatever has become of the session. A cart that could not be changed has the id of that order.
    if let Err(error) = session.commit().await {
        tracing::warn!(%error, "what was ordered is still in the cart");
    }
    Ok(Redirect::to(&orders::address(ordered.id)).into_response())
}

fn ask_again(session: &Session, typed: &str, why: &str) -> Result<Response, Problem> {
    let cart = session.get(CART)?.unwrap_or_default();
    let page = form(session, &cart, typed, Some(why))?;
    Ok(page.with(StatusCode::UNPROCESSABLE_ENTITY).into_response())
}

fn form(session: &Session, cart: &Cart, address: &str, why: Option<&str>) -> Result<Page, Problem> {
    let content = html! {
        h1 { "Check out" }
        (orders::bill(cart))
        form.fields method="post" action="/checkout" {
            @if let Some(why) = why { p.wrong role="alert" { (why) } }
            input type="hidden" name="total" value=(cart.total());
            label {
                "Where to"
                textarea name="address" rows="4" required maxlength="400" autocomplete="street-address" { "\n" (address) }
                small { "Name, street, town. Nothing is sent and nothing is charged: this is an example." }
            }
            button.main { "Place the order for " (price(cart.total())) }
        }
        p { a href="/cart" { "← Your cart" } }
    };
    Page::of(session, "Check out", &content)
}
