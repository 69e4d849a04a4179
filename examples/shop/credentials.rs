//! Changing the password, and asking for it again before an address is changed.

use axum::{
    extract::{Form, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use serde::Deserialize;
use tenure::{CredentialStamp, Session};

use crate::{
    account::Next,
    data::{Shop, User},
    devices,
    page::{FLASH, Page},
    password,
    problem::Problem,
};

/// What a password was checked against: a login is refused if that has been changed meanwhile.
pub(crate) fn stamp(password_hash: &str) -> CredentialStamp {
    CredentialStamp::of(password_hash)
}

/// Returns whose session it is.
pub(crate) async fn user(session: &Session, shop: &Shop) -> Result<User, Problem> {
    let sign_in = || Problem::SignInFirst(Next::Account);
    let id = session.principal().ok_or_else(sign_in)?;
    let id = id.as_str().parse().map_err(|_| Problem::NotFound)?;
    shop.user_of(id).await?.ok_or_else(sign_in)
}

#[derive(Deserialize)]
pub(crate) struct Change {
    password: String,
    new: String,
}

pub(crate) async fn password_page(
    session: Session,
    State(shop): State<Shop>,
) -> Result<Page, Problem> {
    let user = user(&session, &shop).await?;
    password_form(&session, &user, None)
}

/// Stores the new password first, and then ends all other sessions: a login that has checked the old one meanwhile and
/// comes later is refused by its stamp.
pub(crate) async fn change_password(
    session: Session,
    State(shop): State<Shop>,
    Form(form): Form<Change>,
) -> Result<Response, Problem> {
    let user = user(&session, &shop).await?;
    let refused = |why| {
        let page = password_form(&session, &user, Some(why))?;
        Ok(page.with(StatusCode::UNPROCESSABLE_ENTITY).into_response())
    };
    if !password::verify(form.password, Some(user.password_hash.clone())).await {
        return refused("That is not your password.");
    }
    if let Some(why) = password::objection(&form.new, &user.email) {
        return refused(why);
    }
    let hash = password::hash(form.new).await;
    if !shop
        .set_password(user.id, &user.password_hash, &hash)
        .await?
    {
        return refused("It was changed a moment ago, perhaps in another tab.");
    }
    let others = session.credentials_changed(stamp(&hash)).await?;
    let said = format!("Your password is changed. {}", devices::said(others));
    session.insert(FLASH, said)?;
    Ok(Redirect::to("/account").into_response())
}

#[derive(Deserialize)]
pub(crate) struct Password {
    password: String,
}

pub(crate) async fn confirm_page(
    session: Session,
    State(shop): State<Shop>,
) -> Result<Page, Problem> {
    let user = user(&session, &shop).await?;
    confirm_form(&session, &user, None)
}

/// Whoever shows the password again has signed in anew: the session gets a new secret, and is fresh.
pub(crate) async fn confirm(
    session: Session,
    State(shop): State<Shop>,
    Form(form): Form<Password>,
) -> Result<Response, Problem> {
    let user = user(&session, &shop).await?;
    if !password::verify(form.password, Some(user.password_hash.clone())).await {
        let page = confirm_form(&session, &user, Some("That is not your password."))?;
        return Ok(page.with(StatusCode::UNPROCESSABLE_ENTITY).into_response());
    }
    session.login_with(user.id, stamp(&user.password_hash))?;
    Ok(Redirect::to("/account/address").into_response())
}

fn password_form(session: &Session, user: &User, why: Option<&str>) -> Result<Page, Problem> {
    let content = html! {
        h1 { "Change the password" }
        p.lead { "All your other devices are signed out by it." }
        form.fields method="post" action="/account/password" {
            (username(user))
            (field("Your password", "password", "current-password"))
            label {
                "The new one"
                input type="password" name="new" required maxlength="128" autocomplete="new-password";
                small { "Eight characters or more; a few words are best." }
            }
            @if let Some(why) = why { p.wrong role="alert" { (why) } }
            button.main { "Change it" }
        }
        (back())
    };
    Page::of(session, "Change the password", &content)
}

fn confirm_form(session: &Session, user: &User, why: Option<&str>) -> Result<Page, Problem> {
    let content = html! {
        h1 { "Is it you?" }
        p.lead { "You signed in a while ago. Before your address is changed we ask for the password again." }
        form.fields method="post" action="/account/confirm" {
            (username(user))
            (field("Your password", "password", "current-password"))
            @if let Some(why) = why { p.wrong role="alert" { (why) } }
            button.main { "Go on" }
        }
        (back())
    };
    Page::of(session, "Is it you?", &content)
}

pub(crate) fn back() -> Markup {
    html! { p { a href="/account" { "← Your account" } } }
}

/// Tells a password manager which one to fill in.
fn username(user: &User) -> Markup {
    html! { input type="hidden" name="email" value=(user.email) autocomplete="username"; }
}

fn field(label: &str, name: &str, autocomplete: &str) -> Markup {
    html! {
        label {
            (label)
            input type="password" name=(name) required maxlength="128" autocomplete=(autocomplete);
        }
    }
}
