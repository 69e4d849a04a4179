//! How long sessions live, by the store's clock.

use std::time::Duration;

use http::StatusCode;
use tenure::{Lifetime, Session};

use crate::support::{Answered, Site};

const MINUTE: Duration = Duration::from_secs(60);

fn site() -> Site {
    Site::with(|builder| {
        let hour = Lifetime::new()
            .with_idle(10 * MINUTE)
            .with_absolute(60 * MINUTE);
        builder.with_lifetime(hour.with_touch_every(MINUTE))
    })
}

async fn login(session: Session) -> Answered {
    session.login("1")?;
    Ok(StatusCode::OK)
}

#[tokio::test]
async fn an_idle_session_ends_between_idle_and_idle_plus_touch() {
    let site = site();
    let browser = site.visitor().await;
    site.clock.advance(11 * MINUTE - Duration::from_millis(1));
    assert_eq!(browser.read("a").await, Some(1));
    site.clock.advance(11 * MINUTE);
    assert_eq!(browser.read("a").await, None);
}

#[tokio::test]
async fn a_session_lives_at_least_its_idle_time_after_the_last_request_that_loaded_it() {
    let site = site();
    let browser = site.visitor().await;
    // This one is too early for a touch.
    site.clock.advance(MINUTE - Duration::from_millis(1));
    assert_eq!(browser.read("a").await, Some(1));
    assert_eq!(site.store.calls(), "load");
    site.clock.advance(10 * MINUTE);
    assert_eq!(browser.read("a").await, Some(1));
}

#[tokio::test]
async fn a_busy_session_ends_at_its_absolute_deadline() {
    let site = site();
    let browser = site.visitor().await;
    for _ in 0..59 {
        site.clock.advance(MINUTE);
        assert_eq!(browser.read("a").await, Some(1));
    }
    site.clock.advance(MINUTE);
    assert_eq!(browser.read("a").await, None);
}

#[tokio::test]
async fn a_login_starts_the_absolute_time_again_and_so_does_a_re_authentication() {
    let site = site();
    let mut browser = site.visitor().await;
    for _ in 0..3 {
        for _ in 0..6 {
            site.clock.advance(9 * MINUTE);
            assert_eq!(browser.read("a").await, Some(1));
        }
        assert_eq!(browser.visit(login).await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_cycled_id_does_not_prolong_the_absolute_time() {
    let site = site();
    let mut browser = site.visitor().await;
    for _ in 0..6 {
        site.clock.advance(9 * MINUTE);
        browser
            .visit(|session| async move {
                session.cycle_id()?;
                Ok(StatusCode::OK)
            })
            .await;
    }
    assert_eq!(browser.read("a").await, Some(1));
    site.clock.advance(6 * MINUTE);
    assert_eq!(browser.read("a").await, None);
}

#[tokio::test]
async fn a_lifetime_of_its_own_is_kept_by_later_writes() {
    let site = site();
    let mut browser = site.visitor().await;
    browser
        .visit(|session| async move {
            session.set_lifetime(Lifetime::persistent())?;
            Ok(StatusCode::OK)
        })
        .await;
    browser
        .visit(|session| async move {
            session.insert("b", 2)?;
            Ok(StatusCode::OK)
        })
        .await;
    site.clock.advance(24 * 60 * MINUTE);
    assert_eq!(browser.read("b").await, Some(2));
}

#[tokio::test]
async fn a_slow_handler_does_not_outlive_its_session_because_the_load_has_touched_it() {
    let site = site();
    let mut browser = site.visitor().await;
    site.clock.advance(9 * MINUTE);
    let clock = site.clock.clone();
    let response = browser
        .visit(move |session| async move {
            clock.advance(9 * MINUTE);
            session.insert("b", 2)?;
            Ok(StatusCode::OK)
        })
        .await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(site.store.calls(), "load touch update");
}

#[tokio::test]
async fn a_touch_interval_of_zero_touches_on_every_read() {
    let site = Site::with(|builder| {
        builder.with_lifetime(Lifetime::new().with_touch_every(Duration::ZERO))
    });
    let browser = site.visitor().await;
    browser.read("a").await;
    browser.read("a").await;
    assert_eq!(site.store.calls(), "load touch load touch");
}

#[tokio::test]
async fn a_session_tells_its_deadlines() {
    let site = site();
    let mut browser = site.visitor().await;
    site.clock.advance(5 * MINUTE);
    let clock = site.clock.clone();
    browser
        .visit(move |session| async move {
            let now = clock.now();
            assert_eq!(now.since(session.created_at().unwrap()), 5 * MINUTE);
            assert_eq!(session.idle_expires_at().unwrap(), now + 11 * MINUTE);
            assert_eq!(session.expires_at().unwrap(), now + 55 * MINUTE);
            session.login("1")?;
            session.commit().await?;
            assert_eq!(
                (session.authenticated_at(), session.rotated_at()),
                (Some(now), Some(now))
            );
            assert_eq!(session.expires_at().unwrap(), now + 60 * MINUTE);
            Ok(StatusCode::OK)
        })
        .await;
}

#[tokio::test]
async fn a_shorter_lifetime_of_the_layer_ends_sessions_that_began_under_a_longer_one() {
    let site = site();
    let mut browser = site.visitor().await;
    let shorter = Lifetime::new().with_idle(MINUTE).with_touch_every(MINUTE);
    browser.layer = tenure::SessionLayer::builder(site.store.clone())
        .with_lifetime(shorter)
        .build()
        .unwrap();
    site.clock.advance(2 * MINUTE - Duration::from_millis(1));
    assert_eq!(browser.read("a").await, Some(1));
    site.clock.advance(2 * MINUTE);
    assert_eq!(browser.read("a").await, None);
    assert_eq!(site.store.inner.len(), 1, "the store would have kept it");
}

#[tokio::test]
async fn a_lifetime_that_is_set_again_is_no_change_however_long_or_fine_it_is() {
    for lifetime in [
        Lifetime::new().with_idle(Duration::from_nanos(60_000_000_001)),
        Lifetime::new().with_absolute(Duration::MAX),
        Lifetime::new().with_touch_every(Duration::MAX),
    ] {
        let site = site();
        let mut browser = site.visitor().await;
        let set = move |session: Session| async move {
            session.set_lifetime(lifetime)?;
            Ok(StatusCode::OK)
        };
        browser.visit(set).await;
        site.store.calls();
        browser.visit(set).await;
        assert_eq!(site.store.calls(), "load", "{lifetime:?}");
    }
}

#[tokio::test]
async fn a_session_that_is_given_less_than_its_age_ends() {
    let site = Site::new();
    let mut browser = site.member("1").await;
    for _ in 0..3 {
        site.clock.advance(Duration::from_secs(25 * 60));
        browser.read("a").await;
    }
    let hour = Lifetime::new().with_absolute(Duration::from_secs(60 * 60));
    browser
        .visit(move |session| async move {
            session.set_lifetime(hour)?;
            Ok(StatusCode::OK)
        })
        .await;
    assert_eq!(browser.principal().await, None);
}
