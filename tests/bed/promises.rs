//! What users are promised of a site of two nodes on one engine, for each store.

use std::{any::Any, sync::Arc};

use http::StatusCode;
use tenure::{Error, Session, SessionLayer, SessionLayerBuilder, store::SessionStore};
#[cfg(feature = "keyring")]
use tenure::{Keyring, ServerKey};

use super::visitor::{
    Told, Waiting, arrive, begin, count_at_once, counted, principal, send, told, visit,
};

/// Two nodes, and what has to be there for as long as they are.
pub struct Site {
    nodes: [SessionLayer; 2],
    stores: [Arc<dyn SessionStore>; 2],
    _kept: Box<dyn Any>,
}

impl Site {
    pub fn new(stores: [impl SessionStore; 2], kept: impl Any) -> Self {
        let stores = stores.map(|store| Arc::new(store) as Arc<dyn SessionStore>);
        Self {
            nodes: stores.clone().map(SessionLayer::new),
            stores,
            _kept: Box::new(kept),
        }
    }

    /// Gives the nodes a keyring.
    #[cfg(feature = "keyring")]
    #[must_use]
    pub fn keyed(self) -> Self {
        let keyring = Keyring::new(ServerKey::generate().unwrap());
        self.with(|builder| builder.with_keyring(keyring.clone()))
    }

    /// Lets the nodes seal the values.
    #[cfg(feature = "keyring")]
    #[must_use]
    pub fn sealed(self) -> Self {
        let keyring = Keyring::new(ServerKey::generate().unwrap());
        self.with(|builder| builder.with_keyring(keyring.clone()).with_sealed_values())
    }

    fn with(self, settings: impl Fn(SessionLayerBuilder) -> SessionLayerBuilder) -> Self {
        let node = |store| settings(SessionLayer::builder(store)).build().unwrap();
        Self {
            nodes: self.stores.clone().map(node),
            ..self
        }
    }
}

/// Makes a test of each promise; the expression makes a site.
macro_rules! promises {
    ($site:expr) => {
        $crate::bed::promises::promises! { all $site }

        /// With a keyring, and with values that are sealed, nothing else is different.
        #[cfg(feature = "keyring")]
        mod sealed {
            use super::*;

            $crate::bed::promises::promises! { all $site.sealed() }
        }
    };
    (all $site:expr) => {
        $crate::bed::promises::promises! { $site;
            a_login_is_seen_by_every_node
            a_logout_on_one_node_ends_the_session_on_all
            a_request_in_flight_does_not_bring_back_what_another_node_has_ended
            a_request_that_loaded_before_a_login_elsewhere_is_refused
            a_value_is_claimed_by_exactly_one_request
            a_write_of_what_was_read_and_has_changed_elsewhere_is_refused
            parallel_updates_over_two_nodes_all_count
            the_id_from_before_a_login_opens_nothing_and_its_writes_are_refused
            two_nodes_that_write_different_keys_at_once_both_win
        }
    };
    ($site:expr; $($promise:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                $crate::bed::promises::$promise(&$site).await;
            }
        )*
    };
}
pub(crate) use promises;

/// Sends a request that waits between its load and its change.
async fn holding(
    layer: &SessionLayer,
    cookie: &str,
    change: impl FnOnce(&Session) -> Result<(), Error> + Send + 'static,
) -> Waiting {
    let handler = |session: Session, gate: super::visitor::Gate| async move {
        gate.pass().await;
        change(&session)
    };
    begin(layer, Some(cookie), handler).await
}

async fn sign_in(layer: &SessionLayer, cookie: &str) -> String {
    let login = async |session: Session| session.login("ada");
    let (status, cookie) = visit(layer, Some(cookie), login).await;
    assert_eq!(status, StatusCode::OK);
    cookie.unwrap()
}

async fn sign_out(layer: &SessionLayer, cookie: &str) {
    let response = send(layer, Some(cookie), async |session: Session| {
        session.logout()
    })
    .await;
    assert_eq!(
        (response.status(), told(&response)),
        (StatusCode::OK, Told::Removal)
    );
}

pub async fn a_login_is_seen_by_every_node(site: &Site) {
    let [here, there] = &site.nodes;
    let cookie = arrive(here).await;
    let cookie = sign_in(here, &cookie).await;
    assert_eq!(principal(there, &cookie).await.as_deref(), Some("ada"));
}

pub async fn a_logout_on_one_node_ends_the_session_on_all(site: &Site) {
    let [here, there] = &site.nodes;
    let cookie = arrive(here).await;
    let cookie = sign_in(here, &cookie).await;
    assert_eq!(counted(there, &cookie).await, Some(0));
    sign_out(there, &cookie).await;
    for node in &site.nodes {
        assert_eq!(principal(node, &cookie).await, None);
        assert_eq!(counted(node, &cookie).await, None);
    }
}

pub async fn a_request_in_flight_does_not_bring_back_what_another_node_has_ended(site: &Site) {
    let [here, there] = &site.nodes;
    let cookie = arrive(here).await;
    let cookie = sign_in(here, &cookie).await;
    let writer = holding(here, &cookie, |session| session.insert("count", 7)).await;
    let updater = holding(here, &cookie, |session| {
        session.update("count", |count: &mut u32| *count += 1)
    })
    .await;
    sign_out(there, &cookie).await;
    for late in [writer, updater] {
        let response = late.go().await;
        assert_eq!(
            (response.status(), told(&response)),
            (StatusCode::CONFLICT, Told::Nothing)
        );
    }
    assert_eq!(counted(here, &cookie).await, None);
}

pub async fn a_request_that_loaded_before_a_login_elsewhere_is_refused(site: &Site) {
    let [here, there] = &site.nodes;
    let before = arrive(here).await;
    let late = holding(here, &before, |session| session.insert("count", 7)).await;
    let after = sign_in(there, &before).await;
    let response = late.go().await;
    assert_eq!(
        (response.status(), told(&response)),
        (StatusCode::CONFLICT, Told::Nothing)
    );
    assert_eq!(counted(here, &after).await, Some(0));
}

pub async fn a_value_is_claimed_by_exactly_one_request(site: &Site) {
    let cookie = arrive(&site.nodes[0]).await;
    let claims: Vec<_> = (0..20)
        .map(|number| {
            let (layer, cookie) = (site.nodes[number % 2].clone(), cookie.clone());
            tokio::spawn(async move { claim(&layer, &cookie).await })
        })
        .collect();
    let mut given = 0;
    for claim in claims {
        given += usize::from(claim.await.unwrap());
    }
    assert_eq!(given, 1);
    assert_eq!(counted(&site.nodes[1], &cookie).await, None);
}

/// Claims the count of a session; tells whether it was given.
async fn claim(layer: &SessionLayer, cookie: &str) -> bool {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let claim = async move |session: Session| {
        let claimed = session.claim::<u32>("count").await?;
        sender.send(claimed.is_some()).unwrap();
        Ok(())
    };
    let response = send(layer, Some(cookie), claim).await;
    assert_eq!(response.status(), StatusCode::OK);
    receiver.await.unwrap()
}

pub async fn a_write_of_what_was_read_and_has_changed_elsewhere_is_refused(site: &Site) {
    let [here, there] = &site.nodes;
    let cookie = arrive(here).await;
    let read_then_write = |session: Session, gate: super::visitor::Gate| async move {
        let count = session.get::<u32>("count")?.unwrap_or(0);
        gate.pass().await;
        session.insert("count", count + 1)
    };
    let late = begin(here, Some(&cookie), read_then_write).await;
    count_at_once(std::slice::from_ref(there), &cookie, 1).await;
    assert_eq!(late.go().await.status(), StatusCode::CONFLICT);
    assert_eq!(counted(here, &cookie).await, Some(1));
}

pub async fn parallel_updates_over_two_nodes_all_count(site: &Site) {
    let cookie = arrive(&site.nodes[0]).await;
    let update = |session: &Session| session.update("count", |count: &mut u32| *count += 1);
    let [here, there] = &site.nodes;
    let (first, second) = (
        holding(here, &cookie, update).await,
        holding(there, &cookie, update).await,
    );
    for request in [second, first] {
        assert_eq!(request.go().await.status(), StatusCode::OK);
    }
    count_at_once(&site.nodes, &cookie, 20).await;
    assert_eq!(counted(there, &cookie).await, Some(22));
}

pub async fn the_id_from_before_a_login_opens_nothing_and_its_writes_are_refused(site: &Site) {
    let [here, there] = &site.nodes;
    let before = arrive(here).await;
    let after = sign_in(here, &before).await;
    assert_eq!(counted(there, &before).await, None);
    let write = async |session: Session| session.insert("count", 7);
    let response = send(there, Some(&before), write).await;
    assert_eq!(
        (response.status(), told(&response)),
        (StatusCode::CONFLICT, Told::Nothing)
    );
    assert_eq!(counted(there, &after).await, Some(0));
}

pub async fn two_nodes_that_write_different_keys_at_once_both_win(site: &Site) {
    let [here, there] = &site.nodes;
    let cookie = arrive(here).await;
    let first = holding(here, &cookie, |session| session.insert("a", 1)).await;
    let second = holding(there, &cookie, |session| session.insert("b", 2)).await;
    assert_eq!(second.go().await.status(), StatusCode::OK);
    assert_eq!(first.go().await.status(), StatusCode::OK);
    let both = async |session: Session| {
        assert_eq!(
            (session.get::<u32>("a")?, session.get::<u32>("b")?),
            (Some(1), Some(2))
        );
        Ok(())
    };
    assert_eq!(
        send(there, Some(&cookie), both).await.status(),
        StatusCode::OK
    );
}
