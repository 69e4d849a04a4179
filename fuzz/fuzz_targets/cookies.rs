//! Any bytes in any number of `Cookie` fields: no panic, and a genuine id beside them is still found unless what stands
//! beside it is an id too.
#![no_main]

use std::{convert::Infallible, sync::LazyLock};

use http::{HeaderValue, Request, Response, header};
use libfuzzer_sys::fuzz_target;
use tenure::{Session, SessionLayer, SessionSlot, store::MemoryStore, testing::signed_in};
use tokio::runtime::{Builder, Runtime};
use tower::{Layer, ServiceExt, service_fn};

struct Site {
    runtime: Runtime,
    layer: SessionLayer,
    cookie: HeaderValue,
}

static SITE: LazyLock<Site> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let layer = SessionLayer::new(MemoryStore::new());
    let cookie = runtime.block_on(signed_in(&layer, "1"));
    Site { runtime, layer, cookie }
});

fuzz_target!(|fields: Vec<Vec<u8>>| {
    let mut request = Request::new(());
    for field in &fields {
        if let Ok(field) = HeaderValue::from_bytes(field) {
            request.headers_mut().append(header::COOKIE, field);
        }
    }
    let scanned: usize = request.headers().get_all(header::COOKIE).iter().map(HeaderValue::len).sum();
    let mentioned = fields.iter().any(|field| field.windows(14).any(|window| window == b"__Host-Http-id"));
    request.headers_mut().append(header::COOKIE, SITE.cookie.clone());
    let service = SITE.layer.layer(service_fn(|request: Request<()>| async move {
        let session: Session = SessionSlot::from_extensions(request.extensions()).unwrap().session().await.unwrap();
        let found = session.principal().is_some();
        Ok::<_, Infallible>(Response::new(found))
    }));
    let found = SITE.runtime.block_on(service.oneshot(request)).unwrap().into_body();
    assert!(found || mentioned || scanned + SITE.cookie.len() > 16 * 1024, "the genuine id is lost");
});
