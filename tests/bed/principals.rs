//! What is promised of the sessions of a principal, on a site of two nodes on one engine, for each store.

use std::any::Any;

use http::StatusCode;
use tenure::{
    CredentialStamp, Error, Handle, Session, SessionInfo, SessionLayer, SessionLimit, Sessions,
    store::{Entered, Entry, PrincipalIndex, SessionStore, Version},
};
use tokio::task::JoinHandle;

use super::{
    gated::{Gate, Gated},
    visitor::{Told, begin, counted, log_out, principal, send, told, visit},
};

/// Two nodes, a gate for their logins, and what has to be there for as long as they are.
pub struct Site {
    unlimited: [SessionLayer; 2],
    rejecting: [SessionLayer; 2],
    evicting: [SessionLayer; 2],
    gate: Gate,
    index: Box<dyn PrincipalIndex>,
    _kept: Box<dyn Any>,
}

impl Site {
    pub fn new<S: SessionStore + PrincipalIndex + Clone>(nodes: [S; 2], kept: impl Any) -> Self {
        let gate = Gate::new();
        let index = Box::new(nodes[0].clone());
        let stores = nodes.map(|store| Gated::new(store, gate.clone()));
        let limited = |limit: SessionLimit| {
            stores.clone().map(|store| {
                let builder = SessionLayer::builder(store).with_session_limit(limit.clone());
                builder.build().unwrap()
            })
        };
        Self {
            unlimited: stores.clone().map(SessionLayer::new),
            rejecting: limited(SessionLimit::reject(LIMIT)),
            evicting: limited(SessionLimit::evict_oldest(LIMIT)),
            gate,
            index,
            _kept: Box::new(kept),
        }
    }

    fn sessions(&self) -> Sessions {
        self.unlimited[1].sessions()
    }
}

/// Makes a test of each promise; the expression makes a site.
macro_rules! principals {
    ($site:expr) => {
        $crate::bed::principals::principals! { $site;
            a_browser_that_signs_in_as_somebody_else_is_listed_there_alone
            a_handle_used_as_a_cookie_is_nothing
            a_label_is_listed_and_kept_whatever_else_is_written
            a_login_that_checked_the_old_password_does_not_get_in_after_the_change
            a_login_in_place_of_another_that_is_revoked_while_it_is_made_has_ended_the_others_session
            a_login_removes_some_of_many_entries_that_are_outdated
            a_login_that_is_refused_leaves_nothing_in_the_index
            a_login_that_was_never_shown_is_listed_as_such_and_ends_first
            a_lost_index_is_repaired
            a_session_is_ended_by_its_principal_and_nobody_else
            an_operator_counts_all_sessions_and_ends_any
            everybody_can_be_signed_out
            fifty_logins_at_once_beyond_the_limit_leave_exactly_three_by_eviction
            fifty_logins_at_once_beyond_the_limit_leave_exactly_three_by_rejection
            others_are_ended_and_this_one_goes_on
            what_has_ended_is_not_listed
            when_all_are_revoked_no_login_that_was_being_made_gets_in
        }
    };
    ($site:expr; $($promise:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                $crate::bed::principals::$promise(&$site).await;
            }
        )*
    };
}
pub(crate) use principals;

/// Signs somebody in with a new browser; returns the status and the cookie.
async fn sign_in(layer: &SessionLayer, who: &str) -> (StatusCode, Option<String>) {
    let who = who.to_owned();
    visit(layer, None, async move |session: Session| {
        session.login(who)
    })
    .await
}

async fn signed_in(layer: &SessionLayer, who: &str) -> String {
    let (status, cookie) = sign_in(layer, who).await;
    assert_eq!(status, StatusCode::OK);
    cookie.unwrap()
}

/// Signs somebody in with fifty browsers at once, in turn on each node.
fn fifty_at_once(
    nodes: &[SessionLayer; 2],
    who: &str,
) -> Vec<JoinHandle<(StatusCode, Option<String>)>> {
    let log_in = |number: usize| {
        let (layer, who) = (nodes[number % 2].clone(), who.to_owned());
        tokio::spawn(async move { sign_in(&layer, &who).await })
    };
    (0..FIFTY).map(log_in).collect()
}

/// Waits for logins; returns the cookies of those that got in, and the statuses of the others.
async fn outcome(
    logins: Vec<JoinHandle<(StatusCode, Option<String>)>>,
) -> (Vec<String>, Vec<StatusCode>) {
    let (mut cookies, mut refused) = (Vec::new(), Vec::new());
    for login in logins {
        match login.await.unwrap() {
            (StatusCode::OK, cookie) => cookies.push(cookie.unwrap()),
            (status, cookie) => {
                assert_eq!(cookie, None, "refused with a cookie");
                refused.push(status);
            }
        }
    }
    (cookies, refused)
}

/// Counts the browsers that are signed in.
async fn alive(layer: &SessionLayer, cookies: &[String], who: &str) -> usize {
    let mut alive = 0;
    for cookie in cookies {
        let found = principal(layer, cookie).await;
        assert!(found.as_deref().is_none_or(|found| found == who));
        alive += usize::from(found.is_some());
    }
    alive
}

async fn handle(layer: &SessionLayer, cookie: &str) -> Handle {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let ask = async move |session: Session| {
        sender.send(session.handle().unwrap()).unwrap();
        Ok(())
    };
    send(layer, Some(cookie), ask).await;
    receiver.await.unwrap()
}

/// Returns somebody new, so that tests may share an engine.
fn somebody() -> String {
    format!("user{:016x}", getrandom::u64().unwrap())
}

pub async fn a_browser_that_signs_in_as_somebody_else_is_listed_there_alone(site: &Site) {
    let (ada, grace) = (somebody(), somebody());
    let cookie = signed_in(&site.unlimited[0], &ada).await;
    let login = {
        let grace = grace.clone();
        async move |session: Session| session.login(grace)
    };
    let (status, _) = visit(&site.unlimited[1], Some(&cookie), login).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(site.sessions().count(&ada).await.unwrap(), 0);
    assert_eq!(site.sessions().count(&grace).await.unwrap(), 1);
}

pub async fn a_handle_used_as_a_cookie_is_nothing(site: &Site) {
    let [layer, _] = &site.unlimited;
    let ada = somebody();
    let cookie = signed_in(layer, &ada).await;
    let handle = handle(layer, &cookie).await.to_string();
    let name = cookie.split('=').next().unwrap();
    let value = cookie.split('=').nth(1).unwrap();
    for forged in [
        handle.clone(),
        format!("{handle}{}", "A".repeat(value.len() - handle.len())),
    ] {
        assert_eq!(principal(layer, &format!("{name}={forged}")).await, None);
    }
    assert_eq!(site.sessions().count(&ada).await.unwrap(), 1);
}

pub async fn a_label_is_listed_and_kept_whatever_else_is_written(site: &Site) {
    let [here, there] = &site.unlimited;
    let ada = somebody();
    let cookie = signed_in(here, &ada).await;
    let label = async || {
        let listed = site.sessions().list(&ada).await.unwrap();
        listed[0].label().map(str::to_owned)
    };
    assert_eq!(label().await, None);
    // Each is made again on what the other has written meanwhile.
    let write = |session: Session, gate: super::visitor::Gate| async move {
        session.insert("count", 1_u32)?;
        gate.pass().await;
        Ok(())
    };
    let set = |label: &'static str| {
        move |session: Session, gate: super::visitor::Gate| async move {
            session.set_label(label)?;
            gate.pass().await;
            Ok(())
        }
    };
    let writing = begin(there, Some(&cookie), write).await;
    let labelling = begin(here, Some(&cookie), set("Firefox on Linux")).await;
    let renaming = begin(there, Some(&cookie), set("Die Küche")).await;
    for waiting in [labelling, writing] {
        assert_eq!(waiting.go().await.status(), StatusCode::OK);
        assert_eq!(label().await.as_deref(), Some("Firefox on Linux"));
    }
    assert_eq!(renaming.go().await.status(), StatusCode::OK);
    let count = async |session: Session| session.update("count", |count: &mut u32| *count += 1);
    let (status, cookie) = visit(here, Some(&cookie), count).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(counted(there, &cookie.unwrap()).await, Some(2));
    assert_eq!(label().await.as_deref(), Some("Die Küche"));
}

pub async fn a_login_that_checked_the_old_password_does_not_get_in_after_the_change(site: &Site) {
    let [here, there] = &site.unlimited;
    let ada = somebody();
    let changing = signed_in(here, &ada).await;
    let other = signed_in(there, &ada).await;
    let [old, new] = ["old", "new"].map(CredentialStamp::of);
    let log_in = |stamp: CredentialStamp| {
        let ada = ada.clone();
        move |session: Session, password_is_checked: super::visitor::Gate| async move {
            password_is_checked.pass().await;
            session.login_with(ada, stamp)
        }
    };
    let late = begin(there, None, log_in(old)).await;
    let right = begin(there, None, log_in(new)).await;
    let change = async move |session: Session| {
        assert_eq!(session.credentials_changed(new).await?, 1);
        Ok(())
    };
    let (status, changed) = visit(here, Some(&changing), change).await;
    assert_eq!(status, StatusCode::OK);
    let changed = changed.unwrap();
    assert_ne!(changed, changing, "it has a new id");
    let late = late.go().await;
    assert_eq!(
        (late.status(), told(&late)),
        (StatusCode::FORBIDDEN, Told::Nothing)
    );
    assert_eq!(right.go().await.status(), StatusCode::OK);
    assert_eq!(principal(there, &changed).await.as_deref(), Some(&*ada));
    assert_eq!(principal(there, &changing).await, None);
    assert_eq!(principal(here, &other).await, None);
    assert_eq!(site.sessions().count(&ada).await.unwrap(), 2);
}

pub async fn a_login_that_is_refused_leaves_nothing_in_the_index(site: &Site) {
    let [layer, _] = &site.rejecting;
    let ada = somebody();
    for _ in 0..LIMIT {
        signed_in(layer, &ada).await;
    }
    assert_eq!(sign_in(layer, &ada).await.0, StatusCode::FORBIDDEN);
    layer.drained().await;
    let entries = site.index.entries(&ada.into()).await.unwrap();
    assert_eq!(entries.len(), LIMIT);
}

pub async fn a_login_that_was_never_shown_is_listed_as_such_and_ends_first(site: &Site) {
    let [here, there] = &site.evicting;
    let mut cookies = Vec::new();
    for _ in 0..LIMIT {
        cookies.push(signed_in(here, "ada").await);
    }
    let shown = [0, 2];
    for place in shown {
        let found = principal(there, &cookies[place]).await;
        assert_eq!(found.as_deref(), Some("ada"));
    }
    let listed = site.sessions().list("ada").await.unwrap();
    let listed: Vec<_> = listed.iter().map(SessionInfo::was_shown).collect();
    assert_eq!(listed, [true, false, true]);
    cookies.push(signed_in(there, "ada").await);
    for (place, cookie) in cookies.iter().enumerate() {
        let is_alive = principal(here, cookie).await.is_some();
        assert_eq!(is_alive, place != 1, "{place}");
    }
}

pub async fn a_lost_index_is_repaired(site: &Site) {
    let ada = somebody();
    let cookies = [
        signed_in(&site.unlimited[0], &ada).await,
        signed_in(&site.unlimited[1], &ada).await,
    ];
    let entries = site.index.entries(&ada.as_str().into()).await.unwrap();
    site.index
        .leave(&ada.as_str().into(), &entries)
        .await
        .unwrap();
    assert_eq!(site.sessions().count(&ada).await.unwrap(), 0, "it is lost");
    assert!(site.sessions().repair().await.unwrap() >= 2);
    assert_eq!(site.sessions().revoke_all(&ada).await.unwrap(), 2);
    assert_eq!(alive(&site.unlimited[0], &cookies, &ada).await, 0);
}

pub async fn a_session_is_ended_by_its_principal_and_nobody_else(site: &Site) {
    let [here, there] = &site.unlimited;
    let (ada, grace) = (somebody(), somebody());
    let cookies = [signed_in(here, &ada).await, signed_in(there, &ada).await];
    let handles = [
        handle(here, &cookies[0]).await,
        handle(here, &cookies[1]).await,
    ];
    let listed: Vec<_> = site
        .sessions()
        .list(&ada)
        .await
        .unwrap()
        .iter()
        .map(|info| info.handle())
        .collect();
    assert_eq!(listed, handles, "in the order of their logins");
    assert!(!site.sessions().revoke(&grace, handles[0]).await.unwrap());
    assert_eq!(alive(there, &cookies, &ada).await, 2);
    assert!(site.sessions().revoke(&ada, handles[0]).await.unwrap());
    assert!(
        !site.sessions().revoke(&ada, handles[0]).await.unwrap(),
        "it has ended"
    );
    assert_eq!(principal(there, &cookies[0]).await, None);
    assert_eq!(principal(there, &cookies[1]).await.as_deref(), Some(&*ada));
}

pub async fn an_operator_counts_all_sessions_and_ends_any(site: &Site) {
    let [here, there] = &site.unlimited;
    let cookies = [
        signed_in(here, &somebody()).await,
        signed_in(there, &somebody()).await,
        super::visitor::arrive(here).await,
    ];
    let counted = async || site.sessions().count_everyone().await.unwrap();
    let can_count = counted().await.is_some();
    assert_eq!(counted().await, can_count.then_some(3));
    for (cookie, left) in cookies.iter().zip([2, 1, 0]) {
        let handle = handle(there, cookie).await;
        let revoke = || async { site.sessions().revoke_of_anybody(handle).await.unwrap() };
        assert!(revoke().await);
        assert!(!revoke().await, "it has ended");
        assert_eq!(principal(here, cookie).await, None);
        assert_eq!(counted().await, can_count.then_some(left));
    }
}

pub async fn everybody_can_be_signed_out(site: &Site) {
    let (ada, grace) = (somebody(), somebody());
    let cookies = [
        signed_in(&site.unlimited[0], &ada).await,
        signed_in(&site.unlimited[1], &grace).await,
    ];
    assert!(site.sessions().revoke_everyone().await.unwrap() >= 2);
    for cookie in &cookies {
        assert_eq!(principal(&site.unlimited[0], cookie).await, None);
        assert_eq!(counted(&site.unlimited[1], cookie).await, None);
    }
    signed_in(&site.unlimited[0], &ada).await;
    assert_eq!(site.sessions().count(&ada).await.unwrap(), 1);
}

pub async fn fifty_logins_at_once_beyond_the_limit_leave_exactly_three_by_eviction(site: &Site) {
    let ada = somebody();
    site.gate.close();
    let logins = fifty_at_once(&site.evicting, &ada);
    site.gate.arrived(FIFTY).await;
    site.gate.open();
    let (cookies, refused) = outcome(logins).await;
    assert!(
        refused.iter().all(|status| *status == StatusCode::CONFLICT),
        "{refused:?}"
    );
    assert_eq!(alive(&site.evicting[0], &cookies, &ada).await, LIMIT);
    let (more, refused) = outcome(fifty_at_once(&site.evicting, &ada)).await;
    assert!(
        refused.iter().all(|status| *status == StatusCode::CONFLICT),
        "{refused:?}"
    );
    let alive = alive(&site.evicting[0], &[cookies, more].concat(), &ada).await;
    assert_eq!(
        (alive, site.sessions().count(&ada).await.unwrap()),
        (LIMIT, LIMIT)
    );
}

pub async fn fifty_logins_at_once_beyond_the_limit_leave_exactly_three_by_rejection(site: &Site) {
    let ada = somebody();
    site.gate.close();
    let logins = fifty_at_once(&site.rejecting, &ada);
    site.gate.arrived(LIMIT).await;
    let mut logins = logins;
    while logins.iter().filter(|login| login.is_finished()).count() < FIFTY - LIMIT {
        tokio::task::yield_now().await;
    }
    logins.retain(|login| !login.is_finished());
    assert_eq!(logins.len(), LIMIT);
    site.gate.open();
    let (cookies, refused) = outcome(logins).await;
    assert!(refused.is_empty(), "{refused:?}");
    let (more, refused) = outcome(fifty_at_once(&site.rejecting, &ada)).await;
    assert_eq!(
        (more.len(), refused),
        (0, vec![StatusCode::FORBIDDEN; FIFTY])
    );
    assert_eq!(alive(&site.rejecting[0], &cookies, &ada).await, LIMIT);
    log_out(&site.rejecting[0], &cookies[1]).await;
    signed_in(&site.rejecting[1], &ada).await;
    assert_eq!(site.sessions().count(&ada).await.unwrap(), LIMIT);
}

pub async fn others_are_ended_and_this_one_goes_on(site: &Site) {
    let [here, there] = &site.unlimited;
    let ada = somebody();
    let cookies = [
        signed_in(here, &ada).await,
        signed_in(there, &ada).await,
        signed_in(here, &ada).await,
    ];
    let end = async |session: Session| {
        assert_eq!(session.revoke_others().await?, 2);
        Ok(())
    };
    assert_eq!(
        send(there, Some(&cookies[1]), end).await.status(),
        StatusCode::OK
    );
    assert_eq!(principal(here, &cookies[1]).await.as_deref(), Some(&*ada));
    assert_eq!(alive(there, &cookies, &ada).await, 1);
    let nobody = async |session: Session| session.revoke_others().await.map(drop);
    assert_eq!(
        send(here, None, nobody).await.status(),
        StatusCode::UNAUTHORIZED
    );
}

pub async fn a_login_removes_some_of_many_entries_that_are_outdated(site: &Site) {
    let ada = somebody();
    let ada_herself = ada.as_str().into();
    for number in 0..30 {
        let handle = Handle::from_bytes([number; Handle::LEN]);
        let gone = Entry::new(handle, Version::from_u64(1));
        let entered = site.index.enter(&ada_herself, gone, None, 0).await.unwrap();
        assert_eq!(entered, Entered::After(vec![]));
    }
    signed_in(&site.unlimited[0], &ada).await;
    let left = site.index.entries(&ada_herself).await.unwrap().len();
    assert!(left <= 30 + 1 - 8, "{left}");
}

pub async fn what_has_ended_is_not_listed(site: &Site) {
    let [layer, _] = &site.unlimited;
    let ada = somebody();
    let (left, kept) = (signed_in(layer, &ada).await, signed_in(layer, &ada).await);
    log_out(layer, &left).await;
    let listed = site.sessions().list(&ada).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].handle(), handle(layer, &kept).await);
    let entries = site.index.entries(&ada.into()).await.unwrap();
    assert_eq!(entries.len(), 1, "the list has tidied up");
}

pub async fn when_all_are_revoked_no_login_that_was_being_made_gets_in(site: &Site) {
    let ada = somebody();
    let before = signed_in(&site.unlimited[0], &ada).await;
    site.gate.close();
    let logins = fifty_at_once(&site.unlimited, &ada);
    site.gate.arrived(1 + FIFTY).await;
    assert_eq!(site.sessions().revoke_all(&ada).await.unwrap(), 1);
    site.gate.open();
    let (cookies, refused) = outcome(logins).await;
    assert_eq!(cookies, Vec::<String>::new());
    assert_eq!(refused, [StatusCode::CONFLICT; FIFTY]);
    assert_eq!(principal(&site.unlimited[1], &before).await, None);
    assert_eq!(site.sessions().count(&ada).await.unwrap(), 0);
    signed_in(&site.unlimited[0], &ada).await;
    let crowd = fifty_at_once(&site.unlimited, &ada);
    for _ in 0..10 {
        site.sessions().revoke_all(&ada).await.unwrap();
    }
    let (cookies, _) = outcome(crowd).await;
    site.sessions().revoke_all(&ada).await.unwrap();
    assert_eq!(alive(&site.unlimited[0], &cookies, &ada).await, 0);
}

pub async fn a_login_in_place_of_another_that_is_revoked_while_it_is_made_has_ended_the_others_session(
    site: &Site,
) {
    let (ada, bob) = (somebody(), somebody());
    let [layer, other] = &site.unlimited;
    let cookie = signed_in(layer, &bob).await;
    site.gate.close();
    let login = tokio::spawn({
        let (layer, cookie, ada) = (layer.clone(), cookie.clone(), ada.clone());
        async move {
            let log_in = async move |session: Session| session.login(ada);
            send(&layer, Some(&cookie), log_in).await
        }
    });
    site.gate.arrived(2).await;
    site.sessions().revoke_all(&ada).await.unwrap();
    site.gate.open();
    let answered = login.await.unwrap();
    let expected = (StatusCode::CONFLICT, Told::Removal);
    assert_eq!((answered.status(), told(&answered)), expected);
    assert_eq!(principal(other, &cookie).await, None);
    for who in [ada, bob] {
        assert_eq!(site.sessions().count(&who).await.unwrap(), 0);
    }
}

const LIMIT: usize = 3;
const FIFTY: usize = 50;
