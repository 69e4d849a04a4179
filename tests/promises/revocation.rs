//! Sessions of a principal that are ended while something goes wrong.

use futures::FutureExt;
use http::{Request, StatusCode};
use tenure::{
    CredentialStamp, Ended, ErrorKind, Handle, LiveSession, Session, SessionInfo, SessionLimit,
    store::{PrincipalIndex, Record, SessionStore, Updated, Version},
};
use tokio::sync::oneshot;

use crate::support::{Answered, Browser, Fault, Gate, Handler, Site, handler};

fn site() -> Site {
    Site::with_index(|builder| builder)
}

async fn login(session: Session) -> Answered {
    session.login("ada")?;
    Ok(StatusCode::OK)
}

async fn change(session: Session) -> Answered {
    session
        .credentials_changed(CredentialStamp::of("new"))
        .await?;
    Ok(StatusCode::OK)
}

async fn revoke_others(session: Session) -> Answered {
    session.revoke_others().await?;
    Ok(StatusCode::OK)
}

async fn open(browser: &Browser) -> LiveSession {
    let (sender, receiver) = oneshot::channel();
    let detach = async move |session: Session| {
        sender.send(session.detach()?).unwrap();
        Ok(StatusCode::OK)
    };
    browser.send(Request::new(String::new()), detach).await;
    receiver.await.unwrap()
}

#[tokio::test]
async fn to_sign_out_everywhere_is_finished_though_the_client_goes_away() {
    for verb in ["entries", "load_all", "delete"] {
        let deeds: [(&str, Handler); 2] = [
            ("others", handler(revoke_others)),
            ("credential", handler(change)),
        ];
        for (deed, handler) in deeds {
            // A changed credential asks for the entries as it is remembered.
            let verb = match (deed, verb) {
                ("credential", "entries") => "restamp",
                _ => verb,
            };
            let site = site();
            let (owner, other) = (site.member("ada").await, site.member("ada").await);
            let gate = Gate::new();
            site.store.fail(verb, Fault::Gate(gate.clone()));
            let request =
                tokio::spawn(async move { owner.send(Request::new(String::new()), handler).await });
            gate.reached().await;
            request.abort();
            assert!(request.await.is_err());
            gate.open();
            site.layer.drained().await;
            assert_eq!(other.principal().await, None, "{deed}, left at {verb}");
        }
    }
}

#[tokio::test]
async fn sessions_end_though_they_cannot_be_loaded_together() {
    let site = site();
    let browsers = [site.member("ada").await, site.member("ada").await];
    site.store.fail("load_all", Fault::Unavailable);
    assert_eq!(site.layer.sessions().revoke_all("ada").await.unwrap(), 2);
    for browser in browsers {
        assert_eq!(browser.principal().await, None);
    }
}

#[tokio::test]
async fn one_session_that_cannot_be_loaded_keeps_no_other_alive_and_is_told() {
    let site = site();
    let browsers = [site.member("ada").await, site.member("ada").await];
    site.store.fail("load_all", Fault::Unavailable);
    site.store.fail("load", Fault::Unavailable);
    let error = site.layer.sessions().revoke_all("ada").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert_eq!(site.layer.sessions().count("ada").await.unwrap(), 1);
    let alive = [browsers[0].principal().await, browsers[1].principal().await];
    assert_eq!(alive, [Some("ada".to_owned()), None]);
    site.store.fail("delete", Fault::Unavailable);
    let everyone = site.layer.sessions().revoke_everyone().await;
    assert_eq!(everyone.unwrap_err().kind(), ErrorKind::Store);
}

#[tokio::test(start_paused = true)]
async fn what_asks_a_store_that_hangs_is_answered_in_time() {
    for verb in ["entries", "restamp", "walk", "enter"] {
        let site = site();
        let browser = site.member("ada").await;
        let sessions = site.layer.sessions();
        if verb == "enter" {
            // Something is missing in the index.
            let entries = site.store.inner.entries(&"ada".into()).await.unwrap();
            let left = site.store.inner.leave(&"ada".into(), &entries);
            left.await.unwrap();
        }
        site.store.fail(verb, Fault::HangBefore);
        let asked = match verb {
            "entries" => sessions.revoke_all("ada").await.map(drop),
            "restamp" => {
                let stamp = CredentialStamp::of("new");
                sessions.credentials_changed("ada", stamp).await.map(drop)
            }
            "walk" => sessions.revoke_everyone().await.map(drop),
            _ => sessions.repair().await.map(drop),
        };
        assert!(asked.is_err(), "{verb}");
        assert_eq!(browser.principal().await.as_deref(), Some("ada"), "{verb}");
    }
}

#[tokio::test]
async fn a_copy_of_the_id_is_worthless_once_the_credential_has_changed_though_the_handler_fails() {
    let site = site();
    let owner = site.member("ada").await;
    let copy = owner.clone();
    let failing = async |session: Session| {
        change(session).await?;
        Ok(StatusCode::INTERNAL_SERVER_ERROR)
    };
    owner.send(Request::new(String::new()), failing).await;
    assert_eq!(copy.principal().await, None);
}

#[tokio::test]
async fn a_session_that_somebody_else_takes_over_while_its_credential_changes_ends() {
    let take_over: [(&str, Handler); 2] = [
        (
            "an old password",
            handler(async |session: Session| {
                session.login_with("ada", CredentialStamp::of("old"))?;
                Ok(StatusCode::OK)
            }),
        ),
        (
            "another id",
            handler(async |session: Session| {
                session.cycle_id()?;
                Ok(StatusCode::OK)
            }),
        ),
    ];
    for (case, take_over) in take_over {
        let site = site();
        let owner = site.member("ada").await;
        let mut thief = owner.clone();
        let at_gate = Gate::new();
        let passing = at_gate.clone();
        let changing = async move |session: Session| {
            assert!(session.principal().is_some());
            passing.pass().await;
            change(session).await
        };
        let changing =
            tokio::spawn(async move { owner.send(Request::new(String::new()), changing).await });
        at_gate.reached().await;
        thief.visit(take_over).await;
        assert_eq!(thief.principal().await.as_deref(), Some("ada"), "{case}");
        at_gate.open();
        assert_eq!(
            changing.await.unwrap().status(),
            StatusCode::CONFLICT,
            "{case}"
        );
        assert_eq!(thief.principal().await, None, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_live_session_is_logged_out_however_the_store_refuses_it() {
    for verb in ["load", "delete"] {
        let site = site();
        let browser = site.member("ada").await;
        let live = open(&browser).await;
        let session = live.reload().await.unwrap();
        session.logout().unwrap();
        site.store.fail(verb, Fault::Unavailable);
        let error = session.commit().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store, "{verb}");
        assert_eq!(live.ended().now_or_never(), Some(Ended::Gone), "{verb}");
        site.layer.drained().await;
        assert_eq!(browser.principal().await, None, "{verb}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_live_session_that_is_logged_out_late_ends_nobody_who_has_signed_in_since() {
    let site = site();
    let mut planted = site.visitor().await;
    let attacker = open(&planted).await;
    let session = attacker.reload().await.unwrap();
    session.logout().unwrap();
    site.store.fail("load", Fault::Unavailable);
    assert!(session.commit().await.is_err());
    planted.visit(login).await;
    site.layer.drained().await;
    assert_eq!(planted.principal().await.as_deref(), Some("ada"));
}

#[tokio::test]
async fn who_signs_in_again_and_again_in_one_session_has_two_entries() {
    let site = site();
    let mut browser = site.member("ada").await;
    for _ in 0..20 {
        assert_eq!(browser.visit(login).await.status(), StatusCode::OK);
        site.layer.drained().await;
    }
    let entries = site.store.inner.entries(&"ada".into()).await.unwrap();
    assert_eq!(
        entries.len(),
        2,
        "one of the first login and one of all later ones"
    );
    assert_eq!(site.layer.sessions().count("ada").await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_login_takes_nobodys_place_though_the_index_does_not_answer_at_first() {
    let site = Site::with_index(|builder| builder.with_session_limit(SessionLimit::reject(1)));
    let mut browser = site.member("ada").await;
    let mut cart = site.visitor().await;
    site.store.fail("leave", Fault::Unavailable);
    assert_eq!(cart.visit(login).await.status(), StatusCode::FORBIDDEN);
    site.layer.drained().await;
    let logout = async |session: Session| {
        session.logout()?;
        Ok(StatusCode::OK)
    };
    browser.visit(logout).await;
    assert_eq!(browser.visit(login).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_repair_keeps_the_order_of_logins_and_enters_what_is_missing() {
    let site = site();
    for _ in 0..8 {
        let browser = site.member("ada").await;
        assert!(
            browser.principal().await.is_some(),
            "its record is another since"
        );
    }
    let sessions = site.layer.sessions();
    let before = listed(&site).await;
    let entries = site.store.inner.entries(&"ada".into()).await.unwrap();
    assert_eq!(sessions.repair().await.unwrap(), 8);
    assert_eq!(listed(&site).await, before);
    let after = site.store.inner.entries(&"ada".into()).await.unwrap();
    assert_eq!(after, entries);
    let lost = site.store.inner.leave(&"ada".into(), &entries[..1]);
    lost.await.unwrap();
    assert_eq!(sessions.repair().await.unwrap(), 8);
    assert_eq!(listed(&site).await.len(), 8);
}

async fn listed(site: &Site) -> Vec<Handle> {
    let listed = site.layer.sessions().list("ada").await.unwrap();
    listed.iter().map(SessionInfo::handle).collect()
}

/// Engines refuse such a principal, and one row that somebody has spoilt is not to keep all others out of the index.
#[tokio::test]
async fn a_repair_passes_by_a_principal_that_nobody_can_sign_in_as() {
    let site = site();
    for principal in ["ada", "eve"] {
        site.member(principal).await;
    }
    let sessions = site.layer.sessions();
    let spoilt = sessions.list("eve").await.unwrap()[0].handle();
    let good = site.store.inner.load(&spoilt).await.unwrap().unwrap();
    let good = good.record;
    let at = good.header().windows(3).position(|part| part == b"eve");
    let at = at.unwrap();
    let (before, stamp) = good.header()[..at].split_at(at - 8);
    let long = "e".repeat(256);
    let len = u16::try_from(8 + long.len()).unwrap().to_be_bytes();
    let behind = &good.header()[at + 3..];
    let header = [
        &before[..before.len() - 2],
        &len,
        stamp,
        long.as_bytes(),
        behind,
    ]
    .concat();
    let record = Record::new(Version::from_u64(7), header, good.values());
    assert_eq!(record.principal(), Some(&*long));
    let hour = std::time::Duration::from_secs(3_600);
    let written = site
        .store
        .inner
        .update(&spoilt, good.version(), &record, hour);
    assert_eq!(written.await.unwrap(), Updated::Done);
    assert_eq!(sessions.repair().await.unwrap(), 1);
    let entries = site.store.inner.entries(&long.into()).await.unwrap();
    assert_eq!(entries, []);
    assert_eq!(sessions.count("ada").await.unwrap(), 1);
}
