//! Any bytes as a stored record: no panic, and whatever does not decode, or is not trusted, is left as it is.
#![no_main]

use std::{convert::Infallible, time::Duration};

use http::{Request, Response, header};
use libfuzzer_sys::fuzz_target;
use tenure::{
    Handle, Keyring, ServerKey, Session, SessionLayer, SessionSlot,
    store::{MemoryStore, Record, SessionStore, Version},
};
use tower::{Layer, ServiceExt, service_fn};

fuzz_target!(|parts: (Vec<u8>, Vec<u8>)| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let store = MemoryStore::new();
        let handle = Handle::from_bytes([0; 16]);
        let record = Record::new(Version::from_u64(1), parts.0, parts.1);
        store.create(&handle, &record, Duration::from_secs(60)).await.unwrap();
        let keyed = SessionLayer::builder(store.clone()).with_keyring(Keyring::new(ServerKey::generate().unwrap()));
        for layer in [SessionLayer::new(store.clone()), keyed.with_sealed_values().build().unwrap()] {
            let service = layer.layer(service_fn(|request: Request<()>| async move {
                let slot = SessionSlot::<tenure::Main>::from_extensions(request.extensions()).unwrap();
                let session: Option<Session> = slot.session().await.ok();
                Ok::<_, Infallible>(Response::new(session.is_some_and(|session| session.keys().is_ok())))
            }));
            let cookie = format!("__Host-Http-id={}", "A".repeat(64));
            let request = Request::builder().header(header::COOKIE, cookie).body(()).unwrap();
            service.oneshot(request).await.unwrap();
            assert_eq!(store.load(&handle).await.unwrap().unwrap().record, record);
        }
    });
});
