//! What lists call a session: set by the application, or made of a header at each login.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::{Request, StatusCode, header::USER_AGENT};
use tenure::{Session, SessionLayer, store::MemoryStore};

use crate::support::{Answered, Browser, Handler, Site, handler};

/// A layer that labels logins, and how often it has made a label.
fn layer() -> (SessionLayer, Arc<AtomicUsize>) {
    let made = Arc::new(AtomicUsize::new(0));
    let count = made.clone();
    let describe = move |agent: &str| {
        count.fetch_add(1, Ordering::Relaxed);
        agent.to_uppercase()
    };
    let builder = SessionLayer::builder(MemoryStore::new());
    let layer = builder.with_label_from(USER_AGENT, describe).build();
    (layer.unwrap(), made)
}

/// Returns a browser that has not been here yet.
fn browser(layer: &SessionLayer) -> Browser {
    Browser {
        layer: layer.clone(),
        cookie: None,
    }
}

/// Sends a request of a browser that says its name, if it has one.
async fn send(browser: &mut Browser, agent: Option<&str>, handler: Handler) -> StatusCode {
    let mut request = Request::new(String::new());
    if let Some(agent) = agent {
        let agent = agent.parse().unwrap();
        request.headers_mut().insert(USER_AGENT, agent);
    }
    let response = browser.send(request, handler).await;
    browser.take_in(response.headers());
    response.status()
}

/// A case, what it does, and the label that the session has then.
type Row = (&'static str, fn() -> Handler, Option<&'static str>);

/// Returns the label of each of a principal's sessions.
async fn labels(layer: &SessionLayer, principal: &str) -> Vec<Option<String>> {
    let listed = layer.sessions().list(principal).await.unwrap();
    let labels = listed.iter().map(|info| info.label().map(str::to_owned));
    labels.collect()
}

#[tokio::test]
async fn every_login_is_labelled_unless_its_session_has_a_label() {
    let rows: &[Row] = &[
        ("login", || handler(login), Some("FOX")),
        ("login_with", || handler(login_with), Some("FOX")),
        ("login_fresh", || handler(login_fresh), Some("FOX")),
        ("login_keeping", || handler(login_keeping), Some("FOX")),
        ("two factors", || handler(two_factors), Some("FOX")),
        ("a label before", || handler(label_then_login), Some("Mine")),
        ("a label after", || handler(login_then_label), Some("Mine")),
        ("no label after", || handler(login_then_no_label), None),
        ("another before", || handler(grace_then_login), Some("FOX")),
    ];
    for (case, handler, label) in rows {
        let (layer, _) = layer();
        let mut browser = browser(&layer);
        let status = send(&mut browser, Some("Fox"), handler()).await;
        assert_eq!(status, StatusCode::OK, "{case}");
        assert_eq!(
            labels(&layer, "ada").await,
            [label.map(str::to_owned)],
            "{case}"
        );
    }
}

#[tokio::test]
async fn a_login_without_the_header_has_no_label() {
    let (layer, made) = layer();
    send(&mut browser(&layer), None, handler(login)).await;
    assert_eq!(labels(&layer, "ada").await, [None]);
    assert_eq!(made.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn who_signs_in_again_keeps_the_label_and_another_gets_his_own() {
    let (layer, _) = layer();
    let mut browser = browser(&layer);
    send(&mut browser, Some("Fox"), handler(login)).await;
    send(&mut browser, Some("Fox 2"), handler(login)).await;
    assert_eq!(labels(&layer, "ada").await, [Some("FOX".to_owned())]);
    send(&mut browser, Some("Fox 3"), handler(login_as_grace)).await;
    assert_eq!(labels(&layer, "ada").await, []);
    assert_eq!(labels(&layer, "grace").await, [Some("FOX 3".to_owned())]);
}

#[tokio::test]
async fn a_label_that_was_planted_before_the_login_gives_way_to_the_one_of_the_header() {
    let (layer, _) = layer();
    let mut browser = browser(&layer);
    let plant = async |session: Session| {
        session.insert("a", 1)?;
        session.set_label("Your phone")?;
        Ok(StatusCode::OK)
    };
    send(&mut browser, None, handler(plant)).await;
    send(&mut browser, Some("Fox"), handler(login)).await;
    assert_eq!(labels(&layer, "ada").await, [Some("FOX".to_owned())]);
    let rename = async |session: Session| {
        session.set_label("The kitchen")?;
        Ok(StatusCode::OK)
    };
    send(&mut browser, Some("Fox"), handler(rename)).await;
    send(&mut browser, Some("Fox"), handler(login)).await;
    let kept = [Some("The kitchen".to_owned())];
    assert_eq!(
        labels(&layer, "ada").await,
        kept,
        "it is of who was signed in"
    );
}

#[tokio::test]
async fn a_label_is_made_at_a_login_alone() {
    let (layer, made) = layer();
    let mut browser = browser(&layer);
    send(&mut browser, Some("Fox"), handler(login)).await;
    assert_eq!(made.load(Ordering::Relaxed), 1);
    for handler in [handler(read), handler(write), handler(logout)] {
        send(&mut browser, Some("Fox"), handler).await;
    }
    assert_eq!(made.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_session_that_begins_has_the_label_that_it_was_given() {
    let site = Site::new();
    let mut browser = site.browser();
    let begin = async |session: Session| {
        session.insert("a", 1)?;
        session.set_label("The kitchen")?;
        Ok(StatusCode::OK)
    };
    browser.visit(begin).await;
    let look = async |session: Session| {
        assert_eq!(session.label().as_deref(), Some("The kitchen"));
        Ok(StatusCode::OK)
    };
    assert_eq!(browser.visit(look).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_label_waits_for_the_session_and_is_shown_at_once() {
    let layer = SessionLayer::new(MemoryStore::new());
    let mut browser = browser(&layer);
    let answered = browser.visit(async |session: Session| {
        session.set_label("The kitchen")?;
        session.commit().await?;
        assert!(session.is_new(), "a label alone begins no session");
        assert_eq!(session.label().as_deref(), Some("The kitchen"));
        session.login("ada")?;
        session.commit().await?;
        assert_eq!(session.label().as_deref(), Some("The kitchen"));
        session.set_label("")?;
        assert_eq!(session.label(), None);
        session.discard();
        assert_eq!(session.label().as_deref(), Some("The kitchen"));
        Ok(StatusCode::OK)
    });
    assert_eq!(answered.await.status(), StatusCode::OK);
    assert_eq!(
        labels(&layer, "ada").await,
        [Some("The kitchen".to_owned())]
    );
}

async fn login(session: Session) -> Answered {
    session.login("ada")?;
    Ok(StatusCode::OK)
}

async fn login_as_grace(session: Session) -> Answered {
    session.login("grace")?;
    Ok(StatusCode::OK)
}

async fn login_with(session: Session) -> Answered {
    session.login_with("ada", tenure::CredentialStamp::of("hash"))?;
    Ok(StatusCode::OK)
}

async fn login_fresh(session: Session) -> Answered {
    session.login_fresh("ada")?;
    Ok(StatusCode::OK)
}

async fn login_keeping(session: Session) -> Answered {
    session.login_keeping("ada", &["cart"])?;
    Ok(StatusCode::OK)
}

async fn two_factors(session: Session) -> Answered {
    session.begin_login("ada", None)?;
    session.commit().await?;
    session.finish_login()?;
    Ok(StatusCode::OK)
}

async fn label_then_login(session: Session) -> Answered {
    session.set_label("Mine")?;
    login(session).await
}

async fn login_then_label(session: Session) -> Answered {
    session.login("ada")?;
    session.set_label("Mine")?;
    Ok(StatusCode::OK)
}

async fn login_then_no_label(session: Session) -> Answered {
    session.login("ada")?;
    session.set_label("")?;
    Ok(StatusCode::OK)
}

async fn grace_then_login(session: Session) -> Answered {
    session.login("grace")?;
    session.set_label("Hers")?;
    session.commit().await?;
    login(session).await
}

async fn read(session: Session) -> Answered {
    session.get::<u32>("a")?;
    Ok(StatusCode::OK)
}

async fn write(session: Session) -> Answered {
    session.insert("a", 1)?;
    Ok(StatusCode::OK)
}

async fn logout(session: Session) -> Answered {
    session.logout()?;
    Ok(StatusCode::OK)
}
