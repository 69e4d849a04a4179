//! What somebody writes under the keys of a server, where records are authenticated and their values sealed.

use http::StatusCode;
use tenure::{Keyring, ServerKey, Session, SessionLayer, testing::signed_in};
use tokio::sync::oneshot;

use super::bed::{redis::Space, visitor::send};

/// Asks who is signed in, and writes; says how that was answered.
async fn visit(layer: &SessionLayer, cookie: &str) -> (StatusCode, Option<String>) {
    let (sender, receiver) = oneshot::channel();
    let ask = async move |session: Session| {
        let principal = session.principal().map(|principal| principal.to_string());
        sender.send(principal).unwrap();
        session.insert("a", 1)
    };
    let response = send(layer, Some(cookie), ask).await;
    (response.status(), receiver.await.ok().flatten())
}

#[tokio::test]
async fn whatever_stands_under_a_key_nobody_is_signed_in_by_it_and_everybody_can_be_ended() {
    let space = Space::new();
    let (store, console) = (space.open().await, space.console().await);
    let keyring = Keyring::new(ServerKey::generate().unwrap());
    let builder = SessionLayer::builder(store).with_keyring(keyring);
    let layer = builder.with_sealed_values().build().unwrap();
    let sessions = layer.sessions();
    for junk in JUNK {
        let cookie = signed_in(&layer, "ada").await;
        let cookie = cookie.to_str().unwrap();
        let handle = sessions.list("ada").await.unwrap()[0].handle();
        let key = format!("{}{handle}", space.prefix());
        console.run::<()>(&format!("DEL {key}")).await;
        console.run::<()>(&junk.replace("KEY", &key)).await;
        let (status, principal) = visit(&layer, cookie).await;
        assert_eq!(principal, None, "{junk}");
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{junk}");
        assert_eq!(sessions.list("ada").await.unwrap(), [], "{junk}");
        signed_in(&layer, "ada").await;
        assert_eq!(sessions.revoke_everyone().await.unwrap(), 2, "{junk}");
        assert!(
            space.keys().iter().all(|key| key.contains('@')),
            "{junk}: {:?}",
            space.keys()
        );
    }
}

const JUNK: [&str; 6] = [
    "SET KEY eve",
    "SETRANGE KEY 60 x",
    "SETRANGE KEY 100000 x",
    "RPUSH KEY eve",
    "HSET KEY header eve",
    "SADD KEY eve",
];
