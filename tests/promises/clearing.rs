//! What the browser is told to clear when its user has signed out.

use http::{HeaderMap, Request, Response, StatusCode};
use tenure::{Session, SiteData};

use crate::support::{Answered, Fault, Handler, Site, handler};

fn site() -> Site {
    Site::with(|builder| builder.with_clear_site_data([SiteData::Storage, SiteData::Cache]))
}

/// Reads what is to be cleared.
fn cleared(headers: &HeaderMap) -> Option<&str> {
    let field = headers.get("clear-site-data")?;
    Some(field.to_str().unwrap())
}

async fn logout(session: Session) -> Answered {
    session.logout()?;
    Ok(StatusCode::OK)
}

#[tokio::test]
async fn the_site_is_cleared_when_its_user_has_ended_a_session_and_none_goes_on() {
    let all = Some("\"cache\", \"storage\"");
    let cases: Vec<(&str, Handler, Option<&str>)> = vec![
        ("logout", handler(logout), all),
        (
            "destroy",
            handler(|session| async move {
                session.destroy()?;
                Ok(StatusCode::OK)
            }),
            all,
        ),
        (
            "logout, committed at once",
            handler(|session| async move {
                session.logout()?;
                session.commit().await?;
                Ok(StatusCode::OK)
            }),
            all,
        ),
        (
            "logout, and the handler fails",
            handler(|session| async move {
                session.logout()?;
                Ok(StatusCode::INTERNAL_SERVER_ERROR)
            }),
            all,
        ),
        (
            "read",
            handler(|session| async move {
                session.get::<u32>("a")?;
                Ok(StatusCode::OK)
            }),
            None,
        ),
        (
            "logout, and another session begins",
            handler(|session| async move {
                session.logout()?;
                session.insert("a", 1)?;
                Ok(StatusCode::OK)
            }),
            None,
        ),
        (
            "logout, committed at once, and another session begins",
            handler(|session| async move {
                session.logout()?;
                session.commit().await?;
                session.insert("a", 1)?;
                Ok(StatusCode::OK)
            }),
            None,
        ),
        (
            "login as another",
            handler(|session| async move {
                session.login("eve")?;
                Ok(StatusCode::OK)
            }),
            None,
        ),
        (
            "logout, taken back",
            handler(|session| async move {
                session.logout()?;
                session.discard();
                Ok(StatusCode::OK)
            }),
            None,
        ),
    ];
    let site = site();
    for (case, handler, expected) in cases {
        let member = site.member("ada").await;
        let response = member.send(Request::default(), handler).await;
        assert_eq!(cleared(response.headers()), expected, "{case}");
    }
}

#[tokio::test]
async fn nothing_is_cleared_for_an_end_that_was_not_carried_out() {
    let site = site();
    let member = site.member("ada").await;
    site.store.fail("delete", Fault::Unavailable);
    let refused = member.send(Request::default(), logout).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(cleared(refused.headers()), None);
    for (case, response) in [
        (
            "nobody",
            site.browser().send(Request::default(), logout).await,
        ),
        ("an id that is unknown", unknown(&site).await),
    ] {
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(cleared(response.headers()), None, "{case}");
    }
}

async fn unknown(site: &Site) -> Response<String> {
    let mut browser = site.browser();
    browser.cookie = Some(format!("__Host-Http-id={}", "A".repeat(64)));
    browser.send(Request::default(), logout).await
}

#[tokio::test]
async fn a_login_that_fails_after_the_old_session_was_replaced_clears_nothing() {
    let site = site();
    let member = site.member("ada").await;
    site.store.fail("create", Fault::Unavailable);
    let login = |session: Session| async move {
        session.login_fresh("ada")?;
        Ok(StatusCode::OK)
    };
    let response = member.send(Request::default(), login).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(cleared(response.headers()), None);
}

#[tokio::test]
async fn a_layer_that_was_not_asked_to_clears_nothing() {
    let site = Site::new();
    let member = site.member("ada").await;
    let response = member.send(Request::default(), logout).await;
    assert_eq!(cleared(response.headers()), None);
}

#[tokio::test]
async fn what_a_handler_has_set_stays_beside_it() {
    use tower::{Layer, ServiceExt, service_fn};
    let site = site();
    let member = site.member("ada").await;
    let service = site
        .layer
        .layer(service_fn(async |request: Request<String>| {
            let slot = tenure::SessionSlot::<tenure::Main>::from_extensions(request.extensions());
            slot.unwrap().session().await?.logout()?;
            let response = Response::builder().header("clear-site-data", "\"executionContexts\"");
            Ok::<_, tower::BoxError>(response.body(String::new())?)
        }));
    let request = Request::builder().header("cookie", member.cookie.unwrap());
    let request = request.body(String::new()).unwrap();
    let response = service.oneshot(request).await.unwrap();
    let fields: Vec<_> = response
        .headers()
        .get_all("clear-site-data")
        .iter()
        .collect();
    assert_eq!(fields, ["\"executionContexts\"", "\"cache\", \"storage\""]);
}

#[test]
fn over_plain_http_where_no_browser_follows_it_is_an_error_that_names_the_mend() {
    let layer = tenure::SessionLayer::builder(tenure::store::MemoryStore::new());
    let layer = layer.with_clear_site_data([SiteData::Cache]);
    let error = layer.with_insecure_cookie().build().unwrap_err();
    assert!(error.to_string().contains("drop `with_insecure_cookie`"));
}
