//! The page, and its script in a file of its own.

use axum::{
    http::header,
    response::{Html, IntoResponse},
};
use maud::{DOCTYPE, html};
use tenure::Principal;

const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(crate) async fn show(who: Option<Principal<String>>) -> impl IntoResponse {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { "Chat" }
                script src="/chat.js" defer {}
            }
            body {
                @match who {
                    Some(Principal(name)) => {
                        p { "You are " b { (name) } "." }
                        ul id="said" {}
                        p id="state" { "connecting" }
                        form id="say" { input name="words" aria-label="Words" required autocomplete="off"; button { "Say" } }
                        form method="post" action="/logout" { button id="out" { "Sign out" } }
                        form method="post" action="/others" { button id="others" { "Sign out everywhere else" } }
                    }
                    None => form method="post" action="/login" {
                        input name="name" aria-label="Name" required; button { "Sign in" }
                    }
                }
            }
        }
    };
    let headers = [(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY)];
    (headers, Html(page.into_string()))
}

pub(crate) async fn script() -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];
    (headers, include_str!("chat.js"))
}
