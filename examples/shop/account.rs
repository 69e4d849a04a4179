//! Signing up, in and out.

use axum::{
    extract::{Form, State},
    response::Redirect,
};
use maud::{Markup, html};
use serde::Deserialize;
use tenure::{Lifetime, Session};

use crate::{
    data::Shop,
    page::{FLASH, Page},
    problem::Problem,
};

#[derive(Deserialize)]
pub(crate) struct Credentials {
    email: String,
    password: String,
    /// "Keep me signed in": a checkbox sends it or not.
    remember: Option<String>,
}

pub(crate) async fn login_page(session: Session) -> Result<Page, Problem> {
    let forms = html! {
        h1 { "Sign in" }
        (form("/login", "Sign in", "current-password"))
        h2 { "New here?" }
        (form("/signup", "Create an account", "new-password"))
    };
    Page::of(&session, "Sign in", &forms)
}

pub(crate) async fn login(
    session: Session,
    State(shop): State<Shop>,
    Form(form): Form<Credentials>,
) -> Result<Redirect, Problem> {
    match shop
        .check_password(&form.email, form.password.clone())
        .await
    {
        Some(user) => enter(&session, user, &form),
        None => refuse(
            &session,
            "That is not the address and password of an account.",
        ),
    }
}

pub(crate) async fn sign_up(
    session: Session,
    State(shop): State<Shop>,
    Form(form): Form<Credentials>,
) -> Result<Redirect, Problem> {
    if !form.email.contains('@') || form.password.chars().count() < 8 {
        return refuse(
            &session,
            "An account needs an e-mail address and a password of eight characters.",
        );
    }
    match shop
        .sign_up(form.email.clone(), form.password.clone())
        .await
    {
        Some(user) => enter(&session, user, &form),
        None => refuse(&session, "This address has an account already."),
    }
}

/// The session gets a new id and keeps the cart.
fn enter(session: &Session, user: u64, form: &Credentials) -> Result<Redirect, Problem> {
    session.login(user)?;
    if form.remember.is_some() {
        session.set_lifetime(Lifetime::persistent())?;
    }
    session.insert(FLASH, format!("Welcome, {}.", form.email))?;
    Ok(Redirect::to("/cart"))
}

fn refuse(session: &Session, why: &str) -> Result<Redirect, Problem> {
    session.insert(FLASH, why.to_owned())?;
    Ok(Redirect::to("/login"))
}

pub(crate) async fn logout(session: Session) -> Result<Redirect, Problem> {
    session.logout()?;
    Ok(Redirect::to("/"))
}

fn form(action: &str, button: &str, autocomplete: &str) -> Markup {
    html! {
        form.account method="post" action=(action) {
            label { "E-mail" input type="email" name="email" required autocomplete="username"; }
            label { "Password" input type="password" name="password" required autocomplete=(autocomplete); }
            label.check { input type="checkbox" name="remember"; "Keep me signed in" }
            button.main { (button) }
        }
    }
}
