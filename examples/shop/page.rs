//! What every page has: the head, the navigation, a message that is shown once, and the corner about the session.

use axum::{
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use maud::{DOCTYPE, Markup, html};
use tenure::{Session, SessionKey};

use crate::{account::NAME, cart::CART, insight, problem::Problem};

/// What to say on the next page.
pub(crate) const FLASH: SessionKey<String> = SessionKey::new("flash");

pub(crate) struct Page {
    status: StatusCode,
    markup: Markup,
}

impl Page {
    /// Puts a page's content between what all pages have.
    pub(crate) fn of(session: &Session, title: &str, content: &Markup) -> Result<Self, Problem> {
        let count = session.get(CART)?.unwrap_or_default().count();
        let flash = session.take(FLASH)?;
        let name = session.get(NAME)?;
        let name = session.principal().and(name);
        let body = html! {
            (navigation(count, name.as_deref()))
            div.sheet {
                main {
                    @if let Some(message) = flash { p.flash role="status" { (message) } }
                    (content)
                }
                (insight::corner(session, name.as_deref()))
            }
        };
        Ok(Self {
            status: StatusCode::OK,
            markup: frame(title, &body),
        })
    }

    /// Shows the page with another status than 200.
    pub(crate) fn with(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn into_markup(self) -> Markup {
        self.markup
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        (self.status, self.markup).into_response()
    }
}

/// Makes a page without a session to show: nothing in its head tells whether somebody is signed in.
pub(crate) fn bare(title: &str, content: &Markup) -> Markup {
    let body = html! {
        header.top { nav { a.home href="/" { "Leaf & Clay" } } }
        div.sheet { main { (content) } }
    };
    frame(title, &body)
}

pub(crate) fn price(cents: u32) -> String {
    format!("€ {}.{:02}", cents / 100, cents % 100)
}

/// Does not take the session, and so costs no store call.
pub(crate) async fn style() -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, "text/css; charset=utf-8"),
        (CACHE_CONTROL, "max-age=300"),
    ];
    (headers, include_str!("style.css"))
}

fn frame(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Leaf & Clay" }
                link rel="stylesheet" href="/style.css";
                link rel="icon" href=(ICON);
            }
            body { (body) }
        }
    }
}

fn navigation(count: u32, name: Option<&str>) -> Markup {
    html! {
        header.top {
            nav {
                a.home href="/" { "Leaf & Clay" }
                @if let Some(name) = name {
                    a href="/orders" { "Orders" }
                    a href="/account" { "Account" }
                    a href="/help" { "Help" }
                    form method="post" action="/logout" {
                        button.link title=(format!("Signed in as {name}")) { "Sign out" }
                    }
                } @else {
                    a href="/login" { "Sign in" }
                }
                a.cart href="/cart" { "Cart " span.count { (count) } }
            }
        }
    }
}

const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E\
    %3Cpath d='M4 28C2 12 14 3 29 3c0 15-8 26-21 24' fill='%234c7a4f'/%3E%3C/svg%3E";
