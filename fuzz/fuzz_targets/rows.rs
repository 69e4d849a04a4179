//! Any fields beside the genuine secret of a session: whatever somebody writes into a row who cannot forge a MAC, or may
//! still leave it out, nothing panics, and the session can be ended.
#![no_main]

use std::{convert::Infallible, time::Duration};

use http::{HeaderValue, Request, Response, header};
use libfuzzer_sys::fuzz_target;
use tenure::{
    Handle, Keyring, ServerKey, Session, SessionLayer, SessionSlot, Timestamp,
    store::{MemoryStore, Record, SessionStore, Version},
    testing::signed_in,
};
use tower::{Layer, ServiceExt, service_fn};

fuzz_target!(|parts: (Vec<(u8, Vec<u8>)>, Vec<u8>, bool)| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (fields, values, is_keyed) = parts;
        let store = MemoryStore::new();
        let plain = SessionLayer::new(store.clone());
        let cookie = signed_in(&plain, "1").await;
        let handle = plain.sessions().list("1").await.unwrap()[0].handle();
        let good = store.load(&handle).await.unwrap().unwrap().record;
        // Format, secret, generation.
        let mut planted = good.header()[..1 + 3 + 32 + 3 + 8].to_vec();
        for (tag, content) in &fields {
            let len = u16::try_from(content.len()).unwrap_or(u16::MAX);
            planted.push(*tag % 20);
            planted.extend(len.to_be_bytes());
            planted.extend(&content[..usize::from(len)]);
        }
        let planted = Record::new(Version::from_u64(7), planted, values);
        let hour = Duration::from_secs(3_600);
        store.update(&handle, good.version(), &planted, hour).await.unwrap();
        let layer = match is_keyed {
            false => plain,
            true => {
                let keyring = Keyring::new(ServerKey::generate().unwrap());
                let keyring = keyring.with_unkeyed_until(Timestamp::from_millis(u64::MAX));
                let builder = SessionLayer::builder(store.clone()).with_keyring(keyring);
                builder.with_sealed_values().build().unwrap()
            }
        };
        for deed in 0..5 {
            send(&layer, &cookie, deed).await;
        }
        list(&layer, handle).await;
    });
});

async fn list(layer: &SessionLayer, handle: Handle) {
    let sessions = layer.sessions();
    sessions.repair().await.unwrap();
    sessions.list("1").await.unwrap();
    sessions.revoke_all("1").await.unwrap();
    sessions.revoke_of_anybody(handle).await.unwrap();
    assert!(!sessions.revoke_of_anybody(handle).await.unwrap());
}

async fn send(layer: &SessionLayer, cookie: &HeaderValue, deed: u8) {
    let service = layer.layer(service_fn(move |request: Request<()>| async move {
        let slot = SessionSlot::<tenure::Main>::from_extensions(request.extensions()).unwrap();
        if let Ok(session) = slot.session().await {
            act(&session, deed).await;
        }
        Ok::<_, Infallible>(Response::new(String::new()))
    }));
    let mut request = Request::new(());
    request.headers_mut().insert(header::COOKIE, cookie.clone());
    service.oneshot(request).await.unwrap();
}

/// Does one of several things; what a handler is refused is no matter.
async fn act(session: &Session, deed: u8) {
    let _ = (session.keys(), session.principal(), session.expires_at(), session.label());
    let done = match deed {
        0 => session.update("a", |count: &mut u32| *count += 1),
        1 => session.set_label("phone"),
        2 => match session.detach() {
            Ok(live) => live.keep_alive().await,
            Err(error) => Err(error),
        },
        3 => session.finish_login().map(drop),
        _ => session.cycle_id(),
    };
    let _ = done;
}
