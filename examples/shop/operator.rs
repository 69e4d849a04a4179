//! The page of the one who runs the shop: `--operator` says by which account.
//!
//! It has a layer of its own, with another cookie and another login, so that whoever finds the shop open on a screen does not find
//! this open too. A real shop would make sure that the address is his before it lets anybody in by it.

use std::{sync::Arc, time::Duration};

use axum::{
    Form, Router,
    extract::{Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use maud::{Markup, html};
use serde::Deserialize;
use tenure::{
    ConfigError, Lifetime, OperatorView, PrincipalId, SameSite, Session, SessionKey, SessionLayer,
    SessionSlot, Sessions, store::SessionStore,
};
use tower_http::csrf::CsrfLayer;

use crate::{
    credentials,
    data::{Shop, User},
    headers,
    keys::Keys,
    page, password,
    problem::{self, Problem},
};

/// Tells this layer's sessions from those of the shop.
pub(crate) struct Office;

/// Makes the layer. Its sessions end soon, and no link from elsewhere finds one.
pub(crate) fn layer(
    store: impl SessionStore,
    keys: &Keys,
    is_insecure: bool,
) -> Result<SessionLayer<Office>, ConfigError> {
    let builder = SessionLayer::builder(store)
        .with_marker::<Office>()
        .with_same_site(SameSite::Strict)
        .with_lifetime(LIFETIME);
    let builder = keys.given_to(builder);
    match is_insecure {
        true => builder.with_insecure_cookie().with_name("operator"),
        false => builder.with_name("__Host-Http-operator"),
    }
    .build()
}

/// The view asks nobody who he is, so it is behind a guard; it shows the sessions of the shop.
pub(crate) fn routes(
    office: SessionLayer<Office>,
    customers: Sessions,
    shop: Shop,
    email: &str,
) -> Router {
    let operator = Operator {
        shop,
        email: email.to_lowercase().into(),
    };
    Router::new()
        .route_service("/operator", OperatorView::new(customers))
        .route_layer(middleware::from_fn_with_state(operator.clone(), guard))
        .route("/operator/login", get(login_page).post(login))
        .route("/operator/logout", post(logout))
        .with_state(operator)
        .layer(office)
        .layer(CsrfLayer::new())
        .layer(middleware::map_response(problem::in_words))
        .layer(middleware::map_response(headers::secure))
}

#[derive(Clone)]
struct Operator {
    shop: Shop,
    email: Arc<str>,
}

/// Everybody else is asked to sign in here, whoever he is in the shop.
async fn guard(
    State(operator): State<Operator>,
    slot: SessionSlot<Office>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    match operator.is_in(&slot.session().await?).await? {
        true => Ok(next.run(request).await),
        false => Ok(Redirect::to("/operator/login").into_response()),
    }
}

impl Operator {
    async fn account(&self) -> Result<Option<User>, Problem> {
        Ok(self.shop.user(&self.email).await?)
    }

    /// His password may have been changed in the shop, of which this layer's sessions are not told.
    async fn is_in(&self, session: &Session<Office>) -> Result<bool, Problem> {
        let (who, checked) = (session.principal(), session.get(CHECKED)?);
        let (Some(who), Some(user)) = (who, self.account().await?) else {
            return Ok(false);
        };
        Ok(who == PrincipalId::from(user.id) && checked == Some(digest(&user)))
    }
}

async fn login_page(
    State(operator): State<Operator>,
    session: Session<Office>,
) -> Result<Markup, Problem> {
    Ok(match operator.is_in(&session).await? {
        true => signed_in(),
        false => form(None),
    })
}

#[derive(Deserialize)]
struct Password {
    password: String,
}

async fn login(
    State(operator): State<Operator>,
    session: Session<Office>,
    Form(said): Form<Password>,
) -> Result<Response, Problem> {
    let user = operator.account().await?;
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    let is_right = password::verify(said.password, hash).await;
    let Some(user) = user.filter(|_| is_right) else {
        let page = form(Some("That is not the password."));
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    };
    session.login_fresh(user.id)?;
    session.insert(CHECKED, digest(&user))?;
    Ok(Redirect::to("/operator").into_response())
}

async fn logout(session: Session<Office>) -> Result<Redirect, Problem> {
    session.logout()?;
    Ok(Redirect::to("/operator/login"))
}

fn digest(user: &User) -> [u8; 32] {
    *credentials::stamp(&user.password_hash).as_bytes()
}

fn form(why: Option<&str>) -> Markup {
    let content = html! {
        h1 { "The office" }
        p.lead { "This page has a sign-in of its own: what you are in the shop does not count here." }
        form.fields method="post" action="/operator/login" {
            label {
                "The operator's password"
                input type="password" name="password" required maxlength="128" autocomplete="current-password";
            }
            @if let Some(why) = why { p.wrong role="alert" { (why) } }
            button.main { "Sign in" }
        }
    };
    page::bare("The office", &content)
}

fn signed_in() -> Markup {
    let content = html! {
        h1 { "The office" }
        p.next {
            a.button.main href="/operator" { "Who is signed in to the shop" }
        }
        form method="post" action="/operator/logout" { button { "Sign out here" } }
    };
    page::bare("The office", &content)
}

/// What was checked at the login.
const CHECKED: SessionKey<[u8; 32]> = SessionKey::new("checked");

const LIFETIME: Lifetime = Lifetime::new()
    .with_idle(Duration::from_secs(15 * 60))
    .with_absolute(Duration::from_secs(60 * 60));
