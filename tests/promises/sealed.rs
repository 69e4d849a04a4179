//! Sealed values: what the store holds, who opens it, and that nothing else is different.

use http::{Request, StatusCode};
use proptest::prelude::*;
use tenure::{Keyring, Renewal, Session, SessionLayer, store::Record};

use crate::{
    keys::{Keyed, NO_SESSION, detach, handle, key, login, logout, look, write},
    support::{Answered, Browser, Gate, Told, told},
};

fn sealed() -> Keyed {
    Keyed::with_settings(Keyring::new(key()), |builder| builder.with_sealed_values())
}

const CANARY: &str = "the number of a passport";

async fn write_the_canary(session: Session) -> Answered {
    session.insert("passport", CANARY)?;
    Ok(StatusCode::OK)
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

#[tokio::test]
async fn the_store_holds_neither_values_nor_their_names_and_the_browser_sees_them_all() {
    let site = sealed();
    let mut browser = site.site.member("ada").await;
    let stored = handle(&browser).await;
    let check = async |expected: bool| {
        let record = site.load(stored).await.unwrap().record;
        for bytes in [record.header(), record.values()] {
            assert!(!contains(bytes, CANARY) && !contains(bytes, "passport"));
        }
        assert!(contains(record.header(), "ada"), "whom lists show");
        assert_eq!(record.values().len() > 60, expected);
    };
    check(false).await;
    browser.visit(write_the_canary).await;
    check(true).await;
    browser.visit(login).await;
    check(true).await;
    assert_eq!(
        look(&browser).await,
        (StatusCode::OK, Some(1), Some("ada".to_owned()))
    );
    let read = async |session: Session| {
        assert_eq!(session.get::<String>("passport")?.as_deref(), Some(CANARY));
        Ok(StatusCode::OK)
    };
    let response = browser.send(Request::new(String::new()), read).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn whatever_byte_of_a_sealed_row_is_changed_there_is_no_session_and_one_answer() {
    let site = sealed();
    let browser = site.site.member("ada").await;
    let handle = handle(&browser).await;
    let good = site.load(handle).await.unwrap().record;
    let (header, values) = (good.header().len(), good.values().len());
    for at in 0..header + values {
        site.alter(handle, |header_of, values_of| match at < header {
            true => header_of[at] ^= 1,
            false => values_of[at - header] ^= 1,
        })
        .await;
        assert_eq!(look(&browser).await, NO_SESSION, "byte {at}");
        site.write(handle, &good).await;
    }
    assert_eq!(look(&browser).await.1, Some(1));
}

#[tokio::test]
async fn values_of_another_session_or_of_another_time_are_nothing_in_this_one() {
    let site = sealed();
    let (mut browser, other) = (site.site.member("ada").await, site.site.member("ada").await);
    let (own, others) = (handle(&browser).await, handle(&other).await);
    let before = site.load(own).await.unwrap().record;
    browser.visit(write).await;
    let good = site.load(own).await.unwrap().record;
    for values in [before, site.load(others).await.unwrap().record] {
        let mixed = Record::new(good.version(), good.header(), values.values());
        site.write(own, &mixed).await;
        assert_eq!(look(&browser).await, NO_SESSION);
        site.write(own, &good).await;
    }
    assert_eq!(look(&browser).await.1, Some(2));
}

/// Signs somebody in by a layer that sees the index of the store.
async fn listed_member(site: &Keyed) -> Browser {
    let builder = SessionLayer::builder(site.store().clone());
    let builder = builder.with_keyring(site.keyring.clone());
    let layer = builder.with_sealed_values().build().unwrap();
    let cookie = tenure::testing::signed_in(&layer, "ada").await;
    Browser {
        layer,
        cookie: Some(cookie.to_str().unwrap().to_owned()),
    }
}

#[tokio::test]
async fn lists_labels_and_the_end_of_a_sealed_session_need_no_cookie() {
    let site = sealed();
    let mut browser = listed_member(&site).await;
    let label = async |session: Session| {
        session.set_label("phone")?;
        session.insert("a", 1)?;
        Ok(StatusCode::OK)
    };
    browser.visit(label).await;
    let sessions = site.sessions();
    let listed = sessions.list("ada").await.unwrap();
    assert_eq!(listed[0].label(), Some("phone"));
    assert!(listed[0].was_shown());
    assert!(sessions.revoke("ada", listed[0].handle()).await.unwrap());
    assert_eq!(look(&browser).await, NO_SESSION);
}

/// The MAC of a record has only the tag of what is sealed, and who lists sessions has no key that it could be checked with.
#[tokio::test]
async fn a_session_of_which_somebody_has_changed_what_is_sealed_opens_for_nobody_and_is_still_listed_and_ended()
 {
    let site = sealed();
    let mut browser = listed_member(&site).await;
    browser.visit(write).await;
    let handle = handle(&browser).await;
    assert_eq!(look(&browser).await.1, Some(2));
    let last = |values: &mut Vec<u8>| *values.last_mut().unwrap() ^= 1;
    site.alter(handle, |_, values| last(values)).await;
    assert_eq!(look(&browser).await, NO_SESSION);
    let sessions = site.sessions();
    assert_eq!(sessions.list("ada").await.unwrap()[0].handle(), handle);
    assert!(sessions.revoke("ada", handle).await.unwrap());
    assert!(site.load(handle).await.is_none());
}

#[tokio::test]
async fn an_id_that_a_login_replaced_is_superseded_before_anything_is_opened() {
    let site = sealed();
    let before = site.site.visitor().await;
    let mut after = before.clone();
    after.visit(login).await;
    site.happened();
    let late = before.clone().visit(write).await;
    assert_eq!(
        (late.status(), told(&late)),
        (StatusCode::CONFLICT, Told::Nothing)
    );
    assert_eq!(site.happened(), "session_superseded");
    assert_eq!(look(&after).await.1, Some(1));
}

#[tokio::test]
async fn a_session_from_before_is_sealed_with_its_next_login_and_not_earlier() {
    let plain = Keyed::with_settings(Keyring::new(key()), |builder| builder);
    let mut browser = plain.site.visitor().await;
    browser.visit(write_the_canary).await;
    let stored = handle(&browser).await;
    let holds_the_canary = async || {
        let record = plain.load(stored).await.unwrap().record;
        contains(record.values(), CANARY)
    };
    let builder = SessionLayer::builder(plain.site.store.clone());
    let builder = builder.with_keyring(plain.keyring.clone());
    browser.layer = builder.with_sealed_values().build().unwrap();
    browser.visit(write).await;
    assert!(holds_the_canary().await);
    browser.visit(login).await;
    assert!(!holds_the_canary().await);
    assert_eq!(
        look(&browser).await,
        (StatusCode::OK, Some(2), Some("ada".to_owned()))
    );
}

#[tokio::test]
async fn a_renewal_leaves_the_sealed_values_as_they_are_and_both_ids_open_them() {
    let minute = std::time::Duration::from_secs(60);
    let site = Keyed::with_settings(Keyring::new(key()), |builder| {
        builder
            .with_sealed_values()
            .with_renewal(Renewal::every(minute))
    });
    let old = site.site.visitor().await;
    let handle = handle(&old).await;
    let before = site.load(handle).await.unwrap().record;
    site.site.clock.advance(minute);
    let mut new = old.clone();
    let look_on = async |session: Session| {
        session.get::<u32>("a")?;
        Ok(StatusCode::OK)
    };
    assert_eq!(told(&new.visit(look_on).await), Told::Id);
    let renewed = site.load(handle).await.unwrap().record;
    assert_eq!(renewed.values(), before.values());
    assert_ne!(renewed.header(), before.header());
    for browser in [&new, &old] {
        assert_eq!(look(browser).await.1, Some(1));
    }
    new.visit(write).await;
    for browser in [&new, &old] {
        assert_eq!(look(browser).await.1, Some(2));
    }
}

#[tokio::test]
async fn a_live_session_reads_and_writes_sealed_values_without_a_cookie() {
    let site = sealed();
    let browser = site.site.member("ada").await;
    let live = detach(&browser).await;
    let session = live.reload().await.unwrap();
    session.update("a", |a: &mut u32| *a += 5).unwrap();
    session.commit().await.unwrap();
    assert_eq!(look(&browser).await.1, Some(6));
    let mut tab = browser.clone();
    tab.visit(write).await;
    assert_eq!(
        live.reload().await.unwrap().get::<u32>("a").unwrap(),
        Some(2)
    );
}

#[tokio::test]
async fn a_session_goes_on_sealed_under_the_next_key_and_ends_with_its_own() {
    let (old, new) = (key(), key());
    let site = Keyed::with_settings(Keyring::new(old.clone()), |builder| {
        builder.with_sealed_values()
    });
    let (mut moved, stays) = (site.site.member("ada").await, site.site.member("eve").await);
    let both = Keyring::new(new.clone()).with_next(old).unwrap();
    site.keyring.replace(both);
    let mut stays = stays;
    stays.visit(write).await;
    moved.visit(login).await;
    for (browser, expected) in [(&moved, Some(1)), (&stays, Some(2))] {
        assert_eq!(look(browser).await.1, expected);
    }
    site.keyring.replace(Keyring::new(new));
    assert_eq!(look(&moved).await.1, Some(1));
    assert_eq!(look(&stays).await, NO_SESSION);
}

#[tokio::test]
async fn the_limit_of_a_session_is_that_of_its_values_as_they_are() {
    let site = sealed();
    let mut browser = site.site.visitor().await;
    let fill = async |session: Session| {
        session.insert("text", "x".repeat(32_700))?;
        Ok(StatusCode::OK)
    };
    assert_eq!(browser.visit(fill).await.status(), StatusCode::OK);
    assert_eq!(look(&browser).await.1, Some(1));
    assert_eq!(told(&browser.visit(logout).await), Told::Removal);
    assert!(site.store().is_empty());
}

#[tokio::test]
async fn a_login_that_meets_another_write_seals_what_that_has_written() {
    let site = sealed();
    let browser = site.site.visitor().await;
    let gate = Gate::new();
    let (mut late, waiting) = (browser.clone(), gate.clone());
    let late = tokio::spawn(async move {
        let login = async move |session: Session| {
            waiting.pass().await;
            session.insert("b", 7)?;
            session.login("ada")?;
            Ok(StatusCode::OK)
        };
        assert_eq!(told(&late.visit(login).await), Told::Id);
        late
    });
    gate.reached().await;
    browser.clone().visit(write).await;
    gate.open();
    let after = late.await.unwrap();
    assert_eq!(
        look(&after).await,
        (StatusCode::OK, Some(2), Some("ada".to_owned()))
    );
    assert_eq!(after.read("b").await, Some(7));
}

proptest! {
    #[test]
    fn whatever_is_put_into_a_row_there_is_no_session_no_error_and_no_panic(
        in_header in any::<bool>(),
        at in any::<prop::sample::Index>(),
        removed in 0_usize..80,
        added in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let site = sealed();
            let mut browser = site.site.member("ada").await;
            let handle = handle(&browser).await;
            let good = site.load(handle).await.unwrap().record;
            let (mut header, mut values) = (good.header().to_vec(), good.values().to_vec());
            let part = if in_header { &mut header } else { &mut values };
            let at = at.index(part.len() + 1);
            let end = part.len().min(at + removed);
            part.splice(at..end, added);
            let bad = Record::new(good.version(), header, values);
            if bad != good {
                site.write(handle, &bad).await;
                assert_eq!(look(&browser).await, NO_SESSION);
                assert_eq!(site.load(handle).await.unwrap().record, bad);
                assert_eq!(told(&browser.visit(logout).await), Told::Removal);
            }
        });
    }
}
