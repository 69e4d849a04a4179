//! Where somebody is signed in, and signing out there.

use axum::{extract::Form, response::Redirect};
use maud::{Markup, html};
use serde::Deserialize;
use tenure::{Clock, Handle, PrincipalId, Session, SessionInfo, Sessions};

use crate::{
    account::{self, Next},
    insight::ago,
    page::{FLASH, Page},
    problem::Problem,
};

pub(crate) async fn list(session: Session, sessions: Sessions) -> Result<Page, Problem> {
    let user = signed_in(&session)?;
    let mut devices = sessions.list(user).await?;
    let this = session.handle();
    // This one first, then who was here last.
    devices.sort_by_key(|device| (Some(device.handle()) != this, -last_seen(device)));
    let content = html! {
        h1 { "Your account" }
        h2 { "Where you are signed in" }
        ul.devices {
            @for device in &devices { (row(device, Some(device.handle()) == this)) }
        }
        @if devices.len() > 1 {
            form method="post" action="/account/sign-out-others" {
                button { "Sign out everywhere else" }
            }
        }
        h2 { "Yours to change" }
        p.next {
            a.button href="/account/password" { "Change the password" }
            a.button href="/account/address" { "Your address" }
            a href="/orders" { "Your orders" }
        }
    };
    Page::of(&session, "Your account", &content)
}

fn row(device: &SessionInfo, is_this: bool) -> Markup {
    let now = Clock::system().now();
    let seen = match is_this {
        true => "This device".to_owned(),
        false => format!("Last seen {}", ago(device.last_seen_at(), now)),
    };
    let name = device.label().unwrap_or("An unknown browser");
    html! {
        li.this[is_this] {
            span.name {
                strong { (name) }
                small { (seen) ", signed in " (ago(device.authenticated_at(), now)) }
            }
            @if is_this {
                form method="post" action="/logout" { button { "Sign out" } }
            } @else {
                form method="post" action="/account/sign-out" {
                    input type="hidden" name="device" value=(device.handle());
                    button aria-label=(format!("Sign out {name}")) { "Sign out" }
                }
            }
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Device {
    device: String,
}

/// Another person's device is "not found", like one that is gone.
pub(crate) async fn sign_out(
    session: Session,
    sessions: Sessions,
    Form(form): Form<Device>,
) -> Result<Redirect, Problem> {
    let user = signed_in(&session)?;
    let device: Handle = form.device.parse().map_err(|_| Problem::NotFound)?;
    if session.handle() == Some(device) {
        return account::logout(session).await;
    }
    if !sessions.revoke(user, device).await? {
        return Err(Problem::NotFound);
    }
    session.insert(FLASH, "That device is signed out.".to_owned())?;
    Ok(Redirect::to("/account"))
}

pub(crate) async fn sign_out_others(session: Session) -> Result<Redirect, Problem> {
    signed_in(&session)?;
    let others = session.revoke_others().await?;
    session.insert(FLASH, said(others))?;
    Ok(Redirect::to("/account"))
}

pub(crate) fn said(others: usize) -> String {
    match others {
        0 => "You were signed in nowhere else.".to_owned(),
        1 => "One other device is signed out.".to_owned(),
        _ => format!("{others} other devices are signed out."),
    }
}

fn signed_in(session: &Session) -> Result<PrincipalId, Problem> {
    session
        .principal()
        .ok_or(Problem::SignInFirst(Next::Account))
}

fn last_seen(device: &SessionInfo) -> i64 {
    device.last_seen_at().as_millis().cast_signed()
}
