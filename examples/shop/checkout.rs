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
    account::{NAME, Next},
    cart::{self, CART, Cart},
    data::{Order, Shop},
    orders,
    page::{FLASH, Page, price},
    problem::Problem,
};

pub(crate) async fn show(session: Session) -> Result<Response, Problem> {
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
    let name = session.get(NAME)?.unwrap_or_default();
    Ok(form(&session, &cart, &format!("{name}\n"), None)?.into_response())
}

#[derive(Deserialize)]
pub(crate) struct Checkout {
    address: String,
    /// The total that the buyer has seen.
    total: u32,
}

impl Checkout {
    /// Returns where to send it, if that can be an address.
    fn address(&self) -> Option<String> {
        let address = self.address.trim();
        let fits = (10..=400).contains(&address.len()) && address.lines().count() > 1;
        fits.then(|| address.to_owned())
    }
}

/// One request gets the cart, the others find it gone; and should this be carried out twice all the same, the order's id
/// is the cart's.
pub(crate) async fn place(
    session: Session,
    State(shop): State<Shop>,
    Form(checkout): Form<Checkout>,
) -> Result<Response, Problem> {
    let user = session.principal();
    let user = user.ok_or(Problem::SignInFirst(Next::Checkout))?;
    let Some(address) = checkout.address() else {
        return ask_again(&session, &checkout.address);
    };
    let cart = session.claim(CART).await?.unwrap_or_default();
    if cart.is_empty() {
        return Ok(Redirect::to("/orders").into_response());
    }
    if cart.total() != checkout.total {
        session.update_with(CART, cart, Cart::put_back)?;
        return Ok(cart::out_of_date(&session)?.into_response());
    }
    let page = orders::address(cart.id);
    let order = Order {
        id: cart.id,
        user: user.to_string(),
        address,
        cart,
    };
    let told = match shop.add_order(&order).await {
        Ok(true) => "Thank you! Your order is placed.",
        // The answer to an earlier press was lost.
        Ok(false) => "This order was placed before; here it is as it was.",
        Err(error) => {
            session.update_with(CART, order.cart, Cart::put_back)?;
            // Now: what is changed in a request that ends with a server's error is dropped.
            session.commit().await?;
            return Err(error.into());
        }
    };
    session.insert(FLASH, told.to_owned())?;
    Ok(Redirect::to(&page).into_response())
}

fn ask_again(session: &Session, typed: &str) -> Result<Response, Problem> {
    let cart = session.get(CART)?.unwrap_or_default();
    let why = "An address has a name, a street and a town: two lines or more.";
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
