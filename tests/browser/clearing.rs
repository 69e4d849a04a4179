//! What the browser clears when its user signs out of a layer that asks for it.

use axum::{
    Router,
    response::Html,
    routing::{get, post},
};
use tenure::{Error, Session, SessionLayer, SiteData, store::MemoryStore};

use crate::bed::{Browser, Site};

#[tokio::test]
async fn at_sign_out_the_browser_clears_what_scripts_have_stored_and_no_sooner() {
    let (site, browser) = (Site::serve(app()).await, Browser::start().await);
    browser.goto(site.at_localhost("/login")).await.unwrap();
    let keep = "localStorage.setItem('draft', 'Dear Eve'); document.cookie = 'theme=dark'";
    browser.execute(keep, []).await.unwrap();
    browser.goto(site.at_localhost("/")).await.unwrap();
    assert_eq!(kept(&browser).await, "Dear Eve, theme=dark");
    browser.press("button").await;
    assert_eq!(browser.text("body").await, "Goodbye.");
    assert_eq!(kept(&browser).await, "null, theme=dark");
    assert!(browser.cookie().await.is_none());
}

async fn kept(browser: &Browser) -> String {
    let script = "return localStorage.getItem('draft') + ', ' + document.cookie";
    let kept = browser.execute(script, []).await.unwrap();
    kept.json().as_str().unwrap().to_owned()
}

fn app() -> Router {
    let layer = SessionLayer::builder(MemoryStore::new())
        .with_clear_site_data([SiteData::Storage])
        .build()
        .unwrap();
    Router::new()
        .route("/login", get(login))
        .route("/", get(page))
        .route("/logout", post(logout))
        .layer(layer)
}

async fn login(session: Session) -> Result<&'static str, Error> {
    session.login("ada")?;
    Ok("Welcome.")
}

async fn page(_: Session) -> Html<&'static str> {
    Html("<form method=post action=/logout><button>Sign out</button></form>")
}

async fn logout(session: Session) -> Result<&'static str, Error> {
    session.logout()?;
    Ok("Goodbye.")
}
