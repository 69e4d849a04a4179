//! Any bytes in any number of `Authorization` fields, and in a header of the layer's own: no panic, no session but by a
//! genuine id, and the cookie counts where the header is missing and nowhere else.
#![no_main]

use std::{convert::Infallible, sync::LazyLock};

use http::{HeaderName, HeaderValue, Request, Response, header};
use libfuzzer_sys::fuzz_target;
use tenure::{
    HeaderTransport, Session, SessionLayer, SessionSlot, Transport, store::MemoryStore,
    testing::signed_in,
};
use tokio::runtime::{Builder, Runtime};
use tower::{Layer, ServiceExt, service_fn};

struct Site {
    runtime: Runtime,
    layers: [SessionLayer; 2],
    cookies: [HeaderValue; 2],
}

const NAMED: HeaderName = HeaderName::from_static("shop-session");

static SITE: LazyLock<Site> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let layers = [HeaderTransport::bearer(), HeaderTransport::named(NAMED)].map(|transport| {
        let builder = SessionLayer::builder(MemoryStore::new()).with_header(transport);
        builder.build().unwrap()
    });
    let cookies = [0, 1].map(|at| runtime.block_on(signed_in(&layers[at], "1")));
    Site { runtime, layers, cookies }
});

fuzz_target!(|fields: Vec<(bool, Vec<u8>)>| {
    for (at, name) in [header::AUTHORIZATION, NAMED].into_iter().enumerate() {
        let mut request = Request::new(());
        for (bears, field) in &fields {
            let scheme: &[u8] = if *bears { b"Bearer " } else { b"" };
            if let Ok(field) = HeaderValue::from_bytes(&[scheme, field].concat()) {
                request.headers_mut().append(name.clone(), field);
            }
        }
        let is_ours = |field: &HeaderValue| match at {
            0 => {
                let bytes = field.as_bytes();
                let scheme = bytes.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer"));
                scheme && bytes.get(6).is_none_or(|byte| matches!(byte, b' ' | b'\t'))
            }
            _ => true,
        };
        let has_header = request.headers().get_all(&name).iter().any(is_ours);
        request.headers_mut().append(header::COOKIE, SITE.cookies[at].clone());
        let service = SITE.layers[at].layer(service_fn(|request: Request<()>| async move {
            let session: Session = SessionSlot::from_extensions(request.extensions()).unwrap().session().await.unwrap();
            let printed = format!("{:?}", request.headers().get_all("authorization").iter().collect::<Vec<_>>());
            assert!(!printed.contains("Bearer "), "{printed}");
            Ok::<_, Infallible>(Response::new((session.transport(), session.principal().is_some())))
        }));
        let found = SITE.runtime.block_on(service.oneshot(request)).unwrap().into_body();
        let expected = match has_header {
            true => (Transport::Header, false),
            false => (Transport::Cookie, true),
        };
        assert_eq!(found, expected);
    }
});
