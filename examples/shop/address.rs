//! Where orders go if nothing else is said. It is changed by who has shown the password lately: a thing that a session left
//! open must not do.

use axum::{
    extract::{Form, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use maud::html;
use serde::Deserialize;
use tenure::Session;

use crate::{
    credentials::{back, user},
    data::Shop,
    page::{FLASH, Page},
    problem::Problem,
};

#[derive(Deserialize)]
pub(crate) struct Address {
    address: String,
}

impl Address {
    /// Returns where to send it, or why that can be no address.
    pub(crate) fn checked(text: &str) -> Result<String, &'static str> {
        // A browser counts the end of a line as one character and sends two.
        let address = text.trim().replace("\r\n", "\n");
        let length = address.chars().count();
        if length > 400 {
            return Err("This is too long for an address: it has 400 letters at most.");
        }
        if length < 10 || address.lines().count() < 2 {
            return Err("An address has a name, a street and a town: two lines or more.");
        }
        Ok(address)
    }
}

pub(crate) async fn show(session: Session, State(shop): State<Shop>) -> Result<Page, Problem> {
    let user = user(&session, &shop).await?;
    let address = shop.address_of(user.id).await?;
    let typed = address.unwrap_or_else(|| format!("{}\n", user.name));
    form(&session, &typed, None)
}

pub(crate) async fn change(
    session: Session,
    State(shop): State<Shop>,
    Form(typed): Form<Address>,
) -> Result<Response, Problem> {
    let user = user(&session, &shop).await?;
    let address = match Address::checked(&typed.address) {
        Ok(address) => address,
        Err(why) => {
            let page = form(&session, &typed.address, Some(why))?;
            return Ok(page.with(StatusCode::UNPROCESSABLE_ENTITY).into_response());
        }
    };
    shop.set_address(user.id, &address).await?;
    session.insert(FLASH, "Your address is changed.".to_owned())?;
    Ok(Redirect::to("/account").into_response())
}

fn form(session: &Session, address: &str, why: Option<&str>) -> Result<Page, Problem> {
    let content = html! {
        h1 { "Your address" }
        p.lead { "Where your orders go, if you say nothing else at the checkout." }
        form.fields method="post" action="/account/address" {
            @if let Some(why) = why { p.wrong role="alert" { (why) } }
            label {
                "Where to"
                textarea name="address" rows="4" required maxlength="400" autocomplete="street-address" { "\n" (address) }
                small { "Name, street, town." }
            }
            button.main { "Change it" }
        }
        (back())
    };
    Page::of(session, "Your address", &content)
}
