//! Signing up, in and out.
//!
//! What a real shop does besides: it slows down who tries many passwords, and tells by e-mail alone that an address has
//! an account.

use axum::{
    extract::{Form, Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use serde::Deserialize;
use tenure::{Lifetime, Session, SessionKey};

use crate::{
    credentials,
    data::{Shop, User},
    page::{self, FLASH, Page},
    password,
    problem::Problem,
};

/// What to call the one who is signed in, so that no page asks the database for it.
pub(crate) const NAME: SessionKey<String> = SessionKey::new("name");

/// Where to go once signed in: one of these, never an address that somebody put into a link.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Next {
    Account,
    #[default]
    Cart,
    Checkout,
    Help,
    Orders,
}

impl Next {
    const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Cart => "cart",
            Self::Checkout => "checkout",
            Self::Help => "help",
            Self::Orders => "orders",
        }
    }

    pub(crate) fn login(self) -> String {
        format!("/login?next={}", self.name())
    }
}

#[derive(Default, Deserialize)]
pub(crate) struct After {
    #[serde(default)]
    next: Next,
}

#[derive(Default, Deserialize)]
pub(crate) struct Credentials {
    /// Asked at sign-up alone.
    #[serde(default)]
    name: String,
    email: String,
    password: String,
    /// "Keep me signed in": a checkbox sends it or not.
    remember: Option<String>,
    #[serde(default)]
    next: Next,
}

impl Credentials {
    fn before(next: Next) -> Self {
        Self {
            next,
            ..Self::default()
        }
    }

    fn email(&self) -> String {
        self.email.trim().to_lowercase()
    }

    fn objection(&self) -> Option<&'static str> {
        let (name, email) = (self.name.trim(), self.email());
        if !(1..=60).contains(&name.chars().count()) {
            return Some("Tell us what to call you, in 60 letters at most.");
        }
        if !(3..=254).contains(&email.len()) || !email.contains('@') {
            return Some("This is not an e-mail address.");
        }
        password::objection(&self.password, &email)
    }
}

pub(crate) async fn login_page(
    session: Session,
    Query(after): Query<After>,
) -> Result<Page, Problem> {
    login_form(&session, &Credentials::before(after.next), None)
}

pub(crate) async fn login(
    session: Session,
    State(shop): State<Shop>,
    Form(form): Form<Credentials>,
) -> Result<Response, Problem> {
    let user = shop.user(&form.email()).await?;
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    let is_right = password::verify(form.password.clone(), hash).await;
    match user.filter(|_| is_right) {
        Some(user) => enter(&session, &user, &form),
        None => {
            let why = "That is not the address and password of an account.";
            let page = login_form(&session, &form, Some(why))?;
            Ok(page.with(StatusCode::UNPROCESSABLE_ENTITY).into_response())
        }
    }
}

pub(crate) async fn sign_up_page(
    session: Session,
    Query(after): Query<After>,
) -> Result<Page, Problem> {
    sign_up_form(&session, &Credentials::before(after.next), None)
}

pub(crate) async fn sign_up(
    session: Session,
    State(shop): State<Shop>,
    Form(form): Form<Credentials>,
) -> Result<Response, Problem> {
    let refused = |why| {
        let page = sign_up_form(&session, &form, Some(why))?;
        Ok(page.with(StatusCode::UNPROCESSABLE_ENTITY).into_response())
    };
    if let Some(why) = form.objection() {
        return refused(why);
    }
    let hash = password::hash(form.password.clone()).await;
    let name = form.name.trim();
    match shop.add_user(&form.email(), name, &hash).await? {
        Some(user) => enter(&session, &user, &form),
        None => refused("This address has an account already."),
    }
}

/// The session gets a new secret and keeps the cart.
fn enter(session: &Session, user: &User, form: &Credentials) -> Result<Response, Problem> {
    session.login_with(user.id, credentials::stamp(&user.password_hash))?;
    if form.remember.is_some() {
        session.set_lifetime(Lifetime::persistent())?;
    }
    session.insert(NAME, user.name.clone())?;
    session.insert(FLASH, format!("Welcome, {}.", user.name))?;
    Ok(Redirect::to(&format!("/{}", form.next.name())).into_response())
}

pub(crate) async fn logout(session: Session) -> Result<Redirect, Problem> {
    session.logout()?;
    Ok(Redirect::to("/goodbye"))
}

/// Takes no session: a message in one would begin another just to say that there is none.
pub(crate) async fn goodbye() -> Markup {
    let content = html! {
        section.notice {
            h1 { "You are signed out" }
            p {
                "The session is gone from the server, and what was in your cart with it, so the cookie that you had \
                 opens nothing any more, wherever it may be. Your orders are kept."
            }
            p.next { a.button.main href="/" { "To the shop" } a href="/login" { "Sign in again" } }
        }
    };
    page::bare("Signed out", &content)
}

fn login_form(session: &Session, form: &Credentials, why: Option<&str>) -> Result<Page, Problem> {
    let content = html! {
        h1 { "Sign in" }
        form.fields method="post" action="/login" {
            (fields(form, "current-password", why))
            button.main { "Sign in" }
        }
        p { "New here? " a href=(format!("/signup?next={}", form.next.name())) { "Create an account" } }
    };
    Page::of(session, "Sign in", &content)
}

fn sign_up_form(session: &Session, form: &Credentials, why: Option<&str>) -> Result<Page, Problem> {
    let content = html! {
        h1 { "Create an account" }
        form.fields method="post" action="/signup" {
            label { "Your name" input name="name" value=(form.name) required maxlength="60" autocomplete="name"; }
            (fields(form, "new-password", why))
            button.main { "Create the account" }
        }
        p { "You have one? " a href=(form.next.login()) { "Sign in" } }
    };
    Page::of(session, "Create an account", &content)
}

/// What was typed stays, but for the password.
fn fields(form: &Credentials, password: &str, why: Option<&str>) -> Markup {
    html! {
        label { "E-mail" input type="email" name="email" value=(form.email) required maxlength="254" autocomplete="username"; }
        label {
            "Password"
            input type="password" name="password" required maxlength="128" autocomplete=(password);
            @if password == "new-password" { small { "Eight characters or more; a few words are best." } }
        }
        label.check { input type="checkbox" name="remember" checked[form.remember.is_some()]; "Keep me signed in" }
        input type="hidden" name="next" value=(form.next.name());
        @if let Some(why) = why { p.wrong role="alert" { (why) } }
    }
}
