//! Ids, logins, and what nobody may see of them.

use std::sync::{Arc, Mutex};

use http::StatusCode;
use tenure::{Event, Session, SessionLayer, store::MemoryStore};

use crate::support::{Answered, Site, Told, told};

async fn login(session: Session) -> Answered {
    session.login("1")?;
    Ok(StatusCode::OK)
}

async fn logout(session: Session) -> Answered {
    session.logout()?;
    Ok(StatusCode::OK)
}

async fn cycle(session: Session) -> Answered {
    session.cycle_id()?;
    Ok(StatusCode::OK)
}

/// Asks a session for its handle and generation.
async fn about(browser: &crate::support::Browser) -> (Option<tenure::Handle>, u64) {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let ask = |session: Session| async move {
        sender
            .send((session.handle(), session.generation()))
            .unwrap();
        Ok(StatusCode::OK)
    };
    browser.clone().visit(ask).await;
    receiver.await.unwrap()
}

#[tokio::test]
async fn a_login_keeps_values_and_handle_and_makes_the_old_id_worthless() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let planted = browser.clone();
    let (handle, _) = about(&browser).await;
    browser.visit(login).await;
    assert_eq!(browser.read("a").await, Some(1));
    assert_eq!(about(&browser).await, (handle, 1));
    assert_eq!(planted.principal().await, None);
    assert_eq!(planted.read("a").await, None);
}

#[tokio::test]
async fn every_privilege_change_raises_the_generation_and_nothing_else_does() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    assert_eq!(about(&browser).await.1, 0);
    browser.visit(cycle).await;
    browser.visit(login).await;
    browser.visit(login).await;
    assert_eq!(about(&browser).await.1, 3);
    browser
        .visit(|session| async move {
            session.insert("b", 1)?;
            Ok(StatusCode::OK)
        })
        .await;
    assert_eq!(about(&browser).await.1, 3);
}

#[tokio::test]
async fn a_handler_is_told_the_generation_that_its_response_will_have() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(|session| async move {
            assert_eq!(session.generation(), 0);
            session.cycle_id()?;
            session.login("1")?;
            assert_eq!(session.generation(), 1);
            Ok(StatusCode::OK)
        })
        .await;
    assert_eq!(about(&browser).await.1, 1);
}

#[tokio::test]
async fn a_login_as_another_keeps_nothing() {
    let site = Site::new();
    let mut browser = site.member("0").await;
    let (handle, _) = about(&browser).await;
    browser.visit(login).await;
    assert_eq!(browser.read("a").await, None);
    assert_ne!(about(&browser).await.0, handle);
    assert_eq!(site.store.inner.len(), 1, "the old record is deleted");
}

#[tokio::test]
async fn a_wrong_secret_opens_nothing_and_changes_nothing() {
    let site = Site::new();
    let browser = site.visitor().await;
    let mut guess = browser.clone();
    let cookie = guess.cookie.as_mut().unwrap();
    let last = if cookie.ends_with('A') { "B" } else { "A" };
    cookie.replace_range(cookie.len() - 1.., last);
    site.clock.advance(std::time::Duration::from_secs(600));
    assert_eq!(guess.read("a").await, None);
    assert_eq!(site.store.calls(), "load", "no touch");
    assert_eq!(told(&guess.clone().visit(logout).await), Told::Removal);
    assert_eq!(browser.read("a").await, Some(1), "its logout ended nothing");
}

#[tokio::test]
async fn more_than_four_changes_in_a_minute_forget_the_oldest_id() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tabs = vec![browser.clone()];
    for _ in 0..5 {
        browser.visit(cycle).await;
        tabs.push(browser.clone());
    }
    let write = |session: Session| async move {
        session.insert("b", 1)?;
        Ok(StatusCode::OK)
    };
    let mut statuses = Vec::new();
    for tab in &tabs {
        statuses.push(tab.clone().visit(write).await.status().as_u16());
    }
    assert_eq!(statuses, [200, 409, 409, 409, 409, 200]);
    assert_eq!(
        site.store.inner.len(),
        2,
        "the forgotten id began a session of its own"
    );
}

#[tokio::test]
async fn a_life_is_observed_in_owasps_words() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = events.clone();
    let layer = SessionLayer::builder(MemoryStore::new())
        .with_observer(move |event: &Event<'_>| seen.lock().unwrap().push(event.kind().name()))
        .build()
        .unwrap();
    let mut site = Site::new();
    site.layer = layer;
    let mut browser = site.visitor().await;
    let old = browser.clone();
    browser.visit(login).await;
    browser.visit(cycle).await;
    old.read("a").await;
    browser.visit(logout).await;
    old.read("a").await;
    let mut malformed = site.browser();
    malformed.cookie = Some("__Host-Http-id=x".into());
    malformed.read("a").await;
    site.browser()
        .send(crate::support::cross_site_post(), login)
        .await;
    assert_eq!(
        *events.lock().unwrap(),
        [
            "session_created",
            "session_authenticated",
            "session_cycled",
            "session_superseded",
            "session_logout",
            "session_id_unknown",
            "session_id_malformed",
            "session_cross_site",
        ]
    );
}

#[tokio::test]
async fn no_secret_is_printed_by_anything() {
    let printed = Arc::new(Mutex::new(String::new()));
    let seen = printed.clone();
    let site = Site::with(move |builder| {
        builder.with_observer(move |event: &Event<'_>| {
            *seen.lock().unwrap() +=
                &format!("{event:?} {:?}", event.error().map(ToString::to_string));
        })
    });
    let mut browser = site.visitor().await;
    let say = printed.clone();
    browser
        .visit(move |session| async move {
            session.login("1")?;
            *say.lock().unwrap() += &format!("{session:?}");
            session.commit().await?;
            *say.lock().unwrap() += &format!("{session:?}");
            Ok(StatusCode::OK)
        })
        .await;
    let cookie = browser.cookie.clone().unwrap();
    let printed =
        printed.lock().unwrap().clone() + &format!("{:?} {:?}", site.layer, site.store.inner);
    assert!(printed.contains("Session {"), "{printed}");
    let secret = &cookie[cookie.len() - 42..];
    for part in 0..secret.len() - 8 {
        assert!(!printed.contains(&secret[part..part + 8]), "{printed}");
    }
}

#[tokio::test]
async fn no_error_of_a_value_quotes_it() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let seen = told.clone();
    let site = Site::with(move |builder| {
        builder.with_observer(move |event: &Event<'_>| {
            let causes = std::iter::successors(event.error(), |error| error.source());
            let causes = causes.map(|error| format!("{error} {error:?}"));
            seen.lock().unwrap().extend(causes);
        })
    });
    let mut browser = site.visitor().await;
    browser
        .visit(|session| async move {
            session.insert("code", "one-time code")?;
            session.get::<u32>("code").unwrap_err();
            session.take::<u32>("code").unwrap_err();
            session.claim::<u32>("code").await.unwrap_err();
            session.update("code", |_: &mut u32| {}).unwrap_err();
            Ok(StatusCode::OK)
        })
        .await;
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 8, "four errors and their sources");
    assert!(
        !told.iter().any(|text| text.contains("one-time")),
        "{told:?}"
    );
}

#[tokio::test]
async fn the_store_holds_nothing_that_can_be_replayed() {
    use tenure::store::SessionStore;
    let site = Site::new();
    let browser = site.member("1").await;
    let handle = about(&browser).await.0.unwrap();
    let record = site
        .store
        .inner
        .load(&handle)
        .await
        .unwrap()
        .unwrap()
        .record;
    let cookie = browser.cookie.clone().unwrap();
    let value = cookie.split_once('=').unwrap().1;
    let stored = [record.header(), record.values()].concat();
    let bytes = base64url(value);
    for window in bytes[16..].windows(8) {
        assert!(!stored.windows(8).any(|stored| stored == window));
    }
    assert!(!String::from_utf8_lossy(&stored).contains(&value[24..32]));
}

fn base64url(text: &str) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let value = |char: u8| alphabet.iter().position(|known| *known == char).unwrap() as u32;
    let words = text
        .as_bytes()
        .chunks(4)
        .map(|group| group.iter().fold(0, |word, char| word << 6 | value(*char)));
    words
        .flat_map(|word| word.to_be_bytes()[1..].to_vec())
        .collect()
}
