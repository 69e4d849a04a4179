//! What every page has: the head, the navigation, a message that is shown once.

use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use tenure::{Session, SessionKey};

use crate::{cart::CART, problem::Problem};

/// What to say on the next page.
pub(crate) const FLASH: SessionKey<String> = SessionKey::new("flash");

pub(crate) struct Page(Html<String>);

impl Page {
    /// Puts a page's content between what all pages have.
    pub(crate) fn of(session: &Session, title: &str, content: &Markup) -> Result<Self, Problem> {
        let count = session.get(CART)?.unwrap_or_default().count();
        let flash = session.take(FLASH)?;
        let signed_in = session.principal().is_some();
        Ok(Self(frame(
            title,
            &html! {
                (navigation(count, signed_in))
                main {
                    @if let Some(message) = flash { p.flash role="status" { (message) } }
                    (content)
                }
                (about(session))
            },
        )))
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

/// Makes a page without a session to show.
pub(crate) fn bare(title: &str, content: &Markup) -> Html<String> {
    frame(title, &html! { main { (content) } })
}

pub(crate) fn price(cents: u32) -> String {
    format!("€ {}.{:02}", cents / 100, cents % 100)
}

fn frame(title: &str, body: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    };
    Html(page.into_string())
}

fn navigation(count: u32, signed_in: bool) -> Markup {
    html! {
        nav {
            a.home href="/" { "Tea shop" }
            a href="/cart" { "Cart (" (count) ")" }
            @if signed_in {
                a href="/orders" { "Orders" }
                form method="post" action="/logout" { button { "Sign out" } }
            } @else {
                a href="/login" { "Sign in" }
            }
        }
    }
}

/// Shows what the session is at this moment, so that the shop teaches what happens.
fn about(session: &Session) -> Markup {
    let handle = session
        .handle()
        .map_or("none yet".to_owned(), |handle| handle.to_string());
    html! {
        footer {
            "Session " code { (handle) } ", generation " (session.generation())
        }
    }
}

const STYLE: &str = "
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; --accent: #a3441f; }
body { margin: 0 auto; max-width: 60rem; padding: 0 1rem; }
nav { display: flex; flex-wrap: wrap; gap: 1rem; align-items: center; padding: 1rem 0; border-bottom: 1px solid #8884; }
nav .home { font-weight: 700; margin-right: auto; }
a { color: inherit; }
button { font: inherit; padding: .35rem .8rem; border: 1px solid #8888; border-radius: .4rem; background: none; color: inherit; cursor: pointer; }
button.main { background: var(--accent); border-color: var(--accent); color: #fff; }
.products { list-style: none; padding: 0; display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fill, minmax(12rem, 1fr)); }
.products li { display: grid; gap: .4rem; justify-items: start; }
.picture { display: block; width: 100%; }
.product { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); }
.price { font-variant-numeric: tabular-nums; }
table { width: 100%; border-collapse: collapse; margin-bottom: 1rem; }
td { padding: .5rem 0; border-bottom: 1px solid #8884; }
td.price { text-align: right; }
.total { font-weight: 700; }
.quantity { display: flex; gap: .4rem; }
.quantity input { width: 4rem; font: inherit; }
.account { display: grid; gap: .8rem; max-width: 22rem; justify-items: start; }
.account label:not(.check) { display: grid; width: 100%; }
.account input:not([type=checkbox]) { font: inherit; padding: .35rem; }
.flash { background: #f3c96b44; border-left: .3rem solid #d99a1c; padding: .6rem 1rem; }
footer { margin: 3rem 0 1rem; font-size: .8rem; opacity: .7; overflow-wrap: anywhere; }
";
