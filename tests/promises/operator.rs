//! What an operator sees, and what he can do.

use http::{
    Method, Request, Response, StatusCode,
    header::{ACCEPT, ALLOW, LOCATION, ORIGIN},
};
use serde_json::{Value, json};
use tenure::{Handle, OperatorView, Session, SessionLayer, store::MemoryStore, testing::signed_in};
use tower::ServiceExt;

use crate::{
    bed::visitor::visit,
    support::{Fault, Site},
};

async fn ask(layer: &SessionLayer, request: http::request::Builder) -> Response<String> {
    let view = OperatorView::new(layer.sessions());
    let request = request.body(()).unwrap();
    view.oneshot(request).await.unwrap()
}

async fn page(layer: &SessionLayer, method: Method, query: &str) -> Response<String> {
    let uri = format!("/operator{query}");
    ask(layer, Request::builder().method(method).uri(uri)).await
}

async fn json(layer: &SessionLayer, method: Method, query: &str) -> (StatusCode, Value) {
    let uri = format!("/operator{query}");
    let request = Request::builder().method(method).uri(uri);
    let response = ask(layer, request.header(ACCEPT, "application/json")).await;
    let told = serde_json::from_str(response.body()).unwrap();
    (response.status(), told)
}

/// Returns the handle of a principal's only session.
async fn handle(layer: &SessionLayer, principal: &str) -> String {
    let listed = layer.sessions().list(principal).await.unwrap();
    assert_eq!(listed.len(), 1);
    listed[0].handle().to_string()
}

#[tokio::test]
async fn an_operator_counts_lists_and_ends_sessions() {
    let layer = SessionLayer::new(MemoryStore::new());
    signed_in(&layer, "ada").await;
    signed_in(&layer, "grace").await;
    let ada = handle(&layer, "ada").await;
    let counted = page(&layer, Method::GET, "").await;
    assert!(counted.body().contains("Live sessions: 2<"), "{counted:?}");
    let list = page(&layer, Method::GET, "?principal=ada").await;
    let action = format!(r#"action="?principal=ada&amp;handle={ada}""#);
    assert!(list.body().contains(&action), "{list:?}");
    let end = format!("?principal=ada&handle={ada}");
    for _ in 0..2 {
        let ended = page(&layer, Method::POST, &end).await;
        assert_eq!(ended.status(), StatusCode::SEE_OTHER);
        assert_eq!(ended.headers()[LOCATION], "?principal=ada");
    }
    let list = page(&layer, Method::GET, "?principal=ada").await;
    assert!(list.body().contains("No live sessions"), "{list:?}");
    assert_eq!(layer.sessions().count("grace").await.unwrap(), 1);
}

#[tokio::test]
async fn an_operator_is_answered_in_json_if_he_likes() {
    let layer = SessionLayer::new(MemoryStore::new());
    signed_in(&layer, "ada").await;
    let ada = layer.sessions().list("ada").await.unwrap().remove(0);
    let counted = json(&layer, Method::GET, "").await;
    assert_eq!(counted, (StatusCode::OK, json!({ "live": 1 })));
    let (status, list) = json(&layer, Method::GET, "?principal=ada").await;
    let session = json!({
        "handle": ada.handle().to_string(),
        "label": null,
        "was_shown": false,
        "created_at": ada.created_at().as_millis(),
        "authenticated_at": ada.authenticated_at().as_millis(),
        "last_seen_at": ada.last_seen_at().as_millis(),
        "idle_expires_at": ada.idle_expires_at().as_millis(),
        "expires_at": ada.expires_at().as_millis(),
    });
    let expected = json!({ "principal": "ada", "sessions": [session] });
    assert_eq!((status, list), (StatusCode::OK, expected));
    let end = format!("?handle={}", ada.handle());
    for (status, revoked) in [(StatusCode::OK, true), (StatusCode::NOT_FOUND, false)] {
        let answer = json(&layer, Method::POST, &end).await;
        assert_eq!(answer, (status, json!({ "revoked": revoked })));
    }
}

#[tokio::test]
async fn an_operator_sees_which_logins_nobody_has_come_with() {
    let layer = SessionLayer::new(MemoryStore::new());
    let cookie = signed_in(&layer, "ada").await;
    for was_shown in [false, true] {
        let list = page(&layer, Method::GET, "?principal=ada").await;
        let says_so = list.body().contains("no request has come with its id");
        assert_eq!(says_so, !was_shown, "{list:?}");
        let (_, list) = json(&layer, Method::GET, "?principal=ada").await;
        assert_eq!(list["sessions"][0]["was_shown"], was_shown);
        visit(&layer, cookie.to_str().ok(), async |session: Session| {
            session.get::<u32>("a").map(drop)
        })
        .await;
    }
}

#[tokio::test]
async fn a_page_of_another_origin_ends_nothing() {
    let layer = SessionLayer::new(MemoryStore::new());
    signed_in(&layer, "ada").await;
    let uri = format!("/operator?handle={}", handle(&layer, "ada").await);
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        (ORIGIN.as_str(), "https://elsewhere.example"),
    ] {
        let request = Request::post(&uri).header(name, value);
        let request = request.header("host", "shop.example");
        assert_eq!(ask(&layer, request).await.status(), StatusCode::FORBIDDEN);
    }
    assert_eq!(layer.sessions().count("ada").await.unwrap(), 1);
}

#[tokio::test]
async fn no_answer_shows_a_secret_or_can_be_kept_or_framed() {
    let layer = SessionLayer::new(MemoryStore::new());
    let cookie = signed_in(&layer, "ada").await;
    let cookie = cookie.to_str().unwrap();
    let (_, value) = cookie.split_once('=').unwrap();
    let secret = &value[handle(&layer, "ada").await.len()..];
    for (method, query) in [
        (Method::GET, ""),
        (Method::GET, "?principal=ada"),
        (Method::POST, "?handle=x"),
        (Method::PUT, ""),
    ] {
        for accept in ["text/html", "application/json"] {
            let request = Request::builder().method(&method).uri(format!("/{query}"));
            let response = ask(&layer, request.header(ACCEPT, accept)).await;
            assert!(!response.body().contains(secret));
            let policy = response.headers()["content-security-policy"].to_str();
            assert!(policy.unwrap().contains("frame-ancestors 'none'"));
            assert_eq!(response.headers()["cache-control"], "no-store");
        }
    }
    let refused = page(&layer, Method::PUT, "").await;
    assert_eq!(refused.headers()[ALLOW], "GET, HEAD, POST");
    let view = OperatorView::new(layer.sessions());
    assert_eq!(format!("{view:?}"), "OperatorView { .. }");
}

#[tokio::test]
async fn what_visitors_call_themselves_is_harmless_on_the_page() {
    let layer = SessionLayer::new(MemoryStore::new());
    let odd = r#""><script>alert(1)</script>"#;
    let login = async move |session: Session| {
        session.login(odd)?;
        session.set_label(odd)
    };
    visit(&layer, None, login).await;
    let query = "?principal=%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
    let list = page(&layer, Method::GET, query).await;
    assert!(list.body().contains("<ul>"), "{list:?}");
    assert!(!list.body().contains("<script"), "{list:?}");
}

#[tokio::test]
async fn a_store_that_cannot_say_it_is_no_empty_list() {
    let site = Site::new();
    for query in ["", "?principal=ada"] {
        let refused = page(&site.layer, Method::GET, query).await;
        assert_eq!(refused.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(
            refused.body().contains("does not keep an index"),
            "{refused:?}"
        );
    }
    site.store.fail("delete", Fault::Unavailable);
    let end = format!("?handle={}", Handle::from_bytes([7; 16]));
    let (status, _) = json(&site.layer, Method::POST, &end).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}
