//! What is promised of sessions that have left their request, on a site of two nodes on one engine, for each store.

use std::{any::Any, time::Duration};

use http::StatusCode;
use tenure::{
    Ended, ErrorKind, Lifetime, LiveSession, Session, SessionLayer,
    store::{PrincipalIndex, SessionStore},
};
use tokio::sync::oneshot;

use super::visitor::{arrive, count_at_once, counted, log_out, visit};

/// Two nodes that ask the store often, and what has to be there for as long as they are.
pub struct Site {
    nodes: [SessionLayer; 2],
    /// The sessions of these are over in a moment.
    hasty: [SessionLayer; 2],
    _kept: Box<dyn Any>,
}

impl Site {
    pub fn new<S: SessionStore + PrincipalIndex + Clone>(nodes: [S; 2], kept: impl Any) -> Self {
        let layer = |store, lifetime| {
            let builder = SessionLayer::builder(store).with_lifetime(lifetime);
            builder.with_watch_interval(INTERVAL).build().unwrap()
        };
        let hasty = Lifetime::new().with_idle(MOMENT);
        Self {
            nodes: nodes.clone().map(|store| layer(store, Lifetime::new())),
            hasty: nodes.map(|store| layer(store, hasty)),
            _kept: Box::new(kept),
        }
    }
}

/// Makes a test of each promise; the expression makes a site.
macro_rules! live {
    ($site:expr) => {
        $crate::bed::live::live! { $site;
            a_login_on_one_node_ends_what_was_open_on_the_other
            a_logout_on_one_node_ends_what_was_open_on_the_other
            a_session_that_expires_ends_what_was_open
            a_session_that_is_revoked_on_one_node_ends_what_was_open_on_the_other
            requests_and_a_live_session_count_without_a_loss
        }
    };
    ($site:expr; $($promise:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                $crate::bed::live::$promise(&$site).await;
            }
        )*
    };
}
pub(crate) use live;

/// Opens something on a node that outlives its request.
pub async fn open(layer: &SessionLayer, cookie: &str) -> LiveSession {
    let (sender, receiver) = oneshot::channel();
    let detach = async move |session: Session| {
        sender.send(session.detach()?).unwrap();
        Ok(())
    };
    let (status, _) = visit(layer, Some(cookie), detach).await;
    assert_eq!(status, StatusCode::OK);
    receiver.await.unwrap()
}

async fn sign_in(layer: &SessionLayer, cookie: Option<&str>, who: &str) -> String {
    let who = who.to_owned();
    let login = async move |session: Session| session.login(who);
    let (status, cookie) = visit(layer, cookie, login).await;
    assert_eq!(status, StatusCode::OK);
    cookie.unwrap()
}

async fn refusal(live: &LiveSession) -> ErrorKind {
    live.reload().await.unwrap_err().kind()
}

pub async fn a_login_on_one_node_ends_what_was_open_on_the_other(site: &Site) {
    let [here, there] = &site.nodes;
    let planted = arrive(here).await;
    let live = open(there, &planted).await;
    let before = live.reload().await.unwrap();
    let victim = sign_in(here, Some(&planted), "victim").await;
    assert_eq!(live.ended().await, Ended::PrivilegeChanged);
    assert_eq!(refusal(&live).await, ErrorKind::Superseded);
    before.insert("count", 1_000).unwrap();
    let refused = before.commit().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Superseded);
    assert_eq!(counted(here, &victim).await, Some(0));
    let reconnected = open(there, &victim).await;
    assert_eq!(reconnected.handle(), live.handle());
    assert!(reconnected.reload().await.is_ok());
}

pub async fn a_logout_on_one_node_ends_what_was_open_on_the_other(site: &Site) {
    let [here, there] = &site.nodes;
    let (cookie, other) = (arrive(here).await, arrive(here).await);
    let (live, goes_on) = (open(there, &cookie).await, open(there, &other).await);
    log_out(here, &cookie).await;
    assert_eq!(live.ended().await, Ended::Gone);
    assert_eq!(refusal(&live).await, ErrorKind::Gone);
    assert!(goes_on.reload().await.is_ok());
}

pub async fn a_session_that_expires_ends_what_was_open(site: &Site) {
    let [here, there] = &site.hasty;
    let cookie = arrive(here).await;
    let live = open(there, &cookie).await;
    assert_eq!(live.ended().await, Ended::Expired);
    assert_eq!(counted(here, &cookie).await, None);
}

pub async fn a_session_that_is_revoked_on_one_node_ends_what_was_open_on_the_other(site: &Site) {
    let [here, there] = &site.nodes;
    let ada = format!("user{:016x}", getrandom::u64().unwrap());
    let (left, kept) = (
        sign_in(here, None, &ada).await,
        sign_in(there, None, &ada).await,
    );
    let (live, goes_on) = (open(there, &left).await, open(there, &kept).await);
    let revoked = here.sessions().revoke(&*ada, live.handle()).await;
    assert!(revoked.unwrap());
    assert_eq!(live.ended().await, Ended::Gone);
    let session = goes_on.reload().await.unwrap();
    assert_eq!(session.principal().unwrap(), *ada);
    assert_eq!(here.sessions().revoke_all(&*ada).await.unwrap(), 1);
    assert_eq!(goes_on.ended().await, Ended::Gone);
}

pub async fn requests_and_a_live_session_count_without_a_loss(site: &Site) {
    let [here, there] = &site.nodes;
    let cookie = arrive(here).await;
    let live = open(there, &cookie).await;
    let counting = tokio::spawn(async move {
        for _ in 0..COUNTS {
            let session = live.reload().await.unwrap();
            let count = |count: &mut u32| *count += 1;
            session.update_now("count", count).await.unwrap();
        }
    });
    for _ in 0..COUNTS / 4 {
        count_at_once(&site.nodes, &cookie, 4).await;
    }
    counting.await.unwrap();
    assert_eq!(counted(here, &cookie).await, Some(2 * COUNTS as u32));
}

const COUNTS: usize = 20;
const INTERVAL: Duration = Duration::from_millis(50);
const MOMENT: Duration = Duration::from_secs(1);
