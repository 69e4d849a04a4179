//! Several layers in one application, told apart by markers.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::FromRequestParts,
    handler::Handler,
    http::{HeaderValue, Request, StatusCode},
    routing::get,
};
use http_body_util::BodyExt;
use tenure::{
    CredentialStamp, Ended, Error, ErrorKind, Event, Fresh, LiveSession, Of, OperatorView,
    Principal, PrincipalId, Session, SessionLayer, SessionLimit, SessionSlot, Sessions,
    require_fresh, store::MemoryStore, testing::signed_in,
};
#[cfg(feature = "keyring")]
use tenure::{
    Keyring, ServerKey,
    store::{SessionStore, Updated},
};
use tower::ServiceExt;

struct Admin;

/// Two layers on one store.
struct Site {
    store: MemoryStore,
    customers: SessionLayer,
    admins: SessionLayer<Admin>,
}

impl Site {
    fn new() -> Self {
        let store = MemoryStore::new();
        Self {
            customers: SessionLayer::new(store.clone()),
            admins: SessionLayer::builder(store.clone())
                .with_marker::<Admin>()
                .with_name("__Host-Http-admin")
                .build()
                .unwrap(),
            store,
        }
    }

    /// Gives both one keyring, lets them seal, and notes what they tell.
    #[cfg(feature = "keyring")]
    fn keyed(told: &Arc<Mutex<Vec<&'static str>>>) -> Self {
        let keyring = Keyring::new(ServerKey::generate().unwrap());
        let store = MemoryStore::new();
        let builder = || {
            let (keyring, told) = (keyring.clone(), told.clone());
            SessionLayer::builder(store.clone())
                .with_keyring(keyring)
                .with_sealed_values()
                .with_observer(move |event: &Event<'_>| {
                    told.lock().unwrap().push(event.kind().name());
                })
        };
        let admins = builder().with_marker::<Admin>();
        Self {
            customers: builder().build().unwrap(),
            admins: admins.with_name("__Host-Http-admin").build().unwrap(),
            store,
        }
    }

    fn around(&self, app: Router) -> Router {
        app.layer(self.admins.clone()).layer(self.customers.clone())
    }

    async fn admin(&self) -> HeaderValue {
        signed_in(&self.admins, "1").await
    }

    async fn customer(&self) -> HeaderValue {
        signed_in(&self.customers, "1").await
    }

    /// Asks a handler with the cookie of an administrator, of a customer, and of nobody.
    async fn ask<T: 'static>(&self, handler: impl Handler<T, ()>) -> [StatusCode; 3] {
        let app = self.around(Router::new().route("/", get(handler)));
        let cookies = [Some(self.admin().await), Some(self.customer().await), None];
        let mut told = [StatusCode::IM_A_TEAPOT; 3];
        for (told, cookie) in told.iter_mut().zip(cookies) {
            *told = send(&app, "GET", cookie.iter()).await.status();
        }
        told
    }
}

async fn send(
    app: &Router,
    method: &str,
    cookies: impl IntoIterator<Item = &HeaderValue>,
) -> axum::response::Response {
    let mut request = Request::builder().method(method).uri("/");
    for cookie in cookies {
        request = request.header("cookie", cookie);
    }
    let request = request.body(Body::empty()).unwrap();
    app.clone().oneshot(request).await.unwrap()
}

async fn text(response: axum::response::Response) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn each_extractor_asks_the_layer_that_it_names() {
    let site = Site::new();
    let (yes, no, or) = (
        StatusCode::OK,
        StatusCode::UNAUTHORIZED,
        StatusCode::NO_CONTENT,
    );
    let some = move |is_some: bool| if is_some { yes } else { or };
    for (case, told, expected) in [
        (
            "Principal",
            site.ask(async |_: Of<Principal, Admin>| ()).await,
            [yes, no, no],
        ),
        (
            "Principal of all",
            site.ask(async |_: Principal| ()).await,
            [no, yes, no],
        ),
        (
            "Option<Principal>",
            site.ask(async move |it: Option<Of<Principal<u32>, Admin>>| some(it.is_some()))
                .await,
            [yes, or, or],
        ),
        (
            "Fresh",
            site.ask(async |_: Of<Fresh<u32>, Admin>| ()).await,
            [yes, no, no],
        ),
        (
            "Session",
            site.ask(async move |it: Session<Admin>| some(it.principal().is_some()))
                .await,
            [yes, or, or],
        ),
        (
            "SessionSlot",
            site.ask(async move |slot: SessionSlot<Admin>| {
                let session = slot.session().await?;
                session.require_principal::<u32>()?;
                Ok::<_, Error>(())
            })
            .await,
            [yes, no, no],
        ),
    ] {
        assert_eq!(told, expected, "{case}");
    }
}

#[tokio::test]
async fn a_guard_asks_the_layer_that_it_names() {
    let site = Site::new();
    let guard = require_fresh(Duration::from_secs(60)).of::<Admin>();
    let guarded = Router::new().route("/", get(|| async {})).layer(guard);
    let app = site.around(guarded);
    let (admin, customer) = (site.admin().await, site.customer().await);
    assert_eq!(send(&app, "GET", [&admin]).await.status(), StatusCode::OK);
    assert_eq!(
        send(&app, "GET", [&customer]).await.status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn on_one_request_each_layer_has_its_own_session_and_a_logout_ends_one() {
    async fn both(customer: Session, admin: Session<Admin>) -> String {
        let name = |handle: Option<tenure::Handle>| handle.map(|handle| handle.to_string());
        format!("{:?} {:?}", name(customer.handle()), name(admin.handle()))
    }
    async fn leave(admin: Session<Admin>) -> Result<(), Error> {
        admin.logout()
    }
    let site = Site::new();
    let app = site.around(Router::new().route("/", get(both).post(leave)));
    let (admin, customer) = (site.admin().await, site.customer().await);
    let before = text(send(&app, "GET", [&admin, &customer]).await).await;
    assert!(!before.contains("None"), "{before}");
    let left = send(&app, "POST", [&admin, &customer]).await;
    let told: Vec<_> = left.headers().get_all("set-cookie").iter().collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].to_str().unwrap().starts_with("__Host-Http-admin=;"));
    let after = text(send(&app, "GET", [&admin, &customer]).await).await;
    assert!(
        after.ends_with(" None") && !after.starts_with("None"),
        "{after}"
    );
    assert_eq!(site.store.len(), 1);
}

#[tokio::test]
async fn a_live_session_of_one_layer_outlives_the_logout_of_the_other() {
    type Kept = Arc<Mutex<Vec<(LiveSession, LiveSession<Admin>)>>>;
    let kept = Kept::default();
    let keep = kept.clone();
    let open = async move |customer: Session, admin: Session<Admin>| {
        keep.lock()
            .unwrap()
            .push((customer.detach()?, admin.detach()?));
        Ok::<_, Error>(())
    };
    let leave = async |admin: Session<Admin>| admin.logout();
    let site = Site::new();
    let app = site.around(Router::new().route("/", get(open).post(leave)));
    let cookies = [&site.admin().await, &site.customer().await];
    assert_eq!(send(&app, "GET", cookies).await.status(), StatusCode::OK);
    assert_eq!(send(&app, "POST", cookies).await.status(), StatusCode::OK);
    let (customer, admin) = kept.lock().unwrap().pop().unwrap();
    assert_eq!(admin.ended().await, Ended::Gone);
    assert!(admin.reload().await.is_err());
    assert!(customer.reload().await.is_ok());
}

#[tokio::test]
async fn in_layers_that_share_a_store_one_number_is_two_people() {
    let site = Site::new();
    let (admins, customers) = (site.admins.sessions(), site.customers.sessions());
    let (admin, customer) = (site.admin().await, site.customer().await);
    site.customer().await;
    assert_eq!(admins.count("1").await.unwrap(), 1);
    assert_eq!(customers.count("1").await.unwrap(), 2);
    let foreign = admins.list("1").await.unwrap()[0].handle();
    assert!(!customers.revoke("1", foreign).await.unwrap());
    let stamp = CredentialStamp::of("new");
    assert_eq!(customers.credentials_changed("1", stamp).await.unwrap(), 2);
    let app = site.around(Router::new().route("/", get(who)));
    let told = text(send(&app, "GET", [&admin, &customer]).await).await;
    assert_eq!(told, "admin Some(\"1\"), customer None");
    assert_eq!(admins.revoke_all("1").await.unwrap(), 1);
}

async fn who(admin: Session<Admin>, customer: Session) -> String {
    let name = |who: Option<PrincipalId>| who.map(|who| who.to_string());
    let (admin, customer) = (name(admin.principal()), name(customer.principal()));
    format!("admin {admin:?}, customer {customer:?}")
}

#[tokio::test]
async fn nobody_names_himself_into_another_layer() {
    let site = Site::new();
    let admin = site.admin().await;
    let forged = "\u{1f}__Host-Http-admin\u{1f}1";
    let session = Session::<tenure::Main>::for_test([("a", 1)]);
    assert_eq!(
        session.login(forged).unwrap_err().kind(),
        ErrorKind::InvalidPrincipal
    );
    let customers = site.customers.sessions();
    assert_eq!(customers.count(forged).await.unwrap(), 0);
    assert_eq!(customers.revoke_all(forged).await.unwrap(), 0);
    let app = site.around(Router::new().route("/", get(async |_: Of<Principal, Admin>| ())));
    assert_eq!(send(&app, "GET", [&admin]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn every_way_to_sign_in_and_to_ask_who_that_is_speaks_of_the_own_name() {
    async fn all(session: Session<Admin>) -> Result<(), Error> {
        let stamp = CredentialStamp::of("hash");
        session.begin_login("a", stamp)?;
        assert_eq!(session.begun_login().unwrap(), "a");
        assert_eq!(session.finish_login()?, "a");
        assert_eq!(session.principal().unwrap(), "a");
        session.commit().await?;
        session.login_with("b", stamp)?;
        assert_eq!(session.principal().unwrap(), "b");
        session.commit().await?;
        session.login_fresh("c")?;
        session.commit().await?;
        session.login_keeping("1", &[])?;
        session.commit().await?;
        assert_eq!(session.require_principal::<u32>()?, 1);
        assert!(!format!("{session:?}").contains("admin"), "{session:?}");
        assert_eq!(session.revoke_others().await?, 1);
        assert_eq!(session.credentials_changed(stamp).await?, 0);
        Ok(())
    }
    let site = Site::new();
    site.admin().await;
    let app = site.around(Router::new().route("/", get(all)));
    let response = send(&app, "GET", []).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(site.admins.sessions().count("1").await.unwrap(), 1);
}

#[tokio::test]
async fn a_limit_counts_the_sessions_of_its_own_layer() {
    let store = MemoryStore::new();
    let limit = SessionLimit::reject(9).with_most_for(|who| (who == "1").then_some(1));
    let admins = SessionLayer::builder(store.clone())
        .with_marker::<Admin>()
        .with_name("__Host-Http-admin")
        .with_session_limit(limit)
        .build()
        .unwrap();
    let customers = SessionLayer::new(store);
    signed_in(&customers, "1").await;
    signed_in(&admins, "1").await;
    let login = async |session: Session<Admin>| session.login("1");
    let app = Router::new().route("/", get(login)).layer(admins);
    assert_eq!(send(&app, "GET", []).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_operator_of_one_layer_sees_nobody_of_the_other() {
    let site = Site::new();
    site.customer().await;
    for (sessions, expected) in [(site.customers.sessions(), 1), (site.admins.sessions(), 0)] {
        let request = Request::get("/?principal=1").header("accept", "application/json");
        let view = OperatorView::new(sessions);
        let response = view.oneshot(request.body(()).unwrap()).await.unwrap();
        assert_eq!(response.body().matches("handle").count(), expected);
        assert!(response.body().contains("\"principal\":\"1\""));
    }
}

#[tokio::test]
async fn an_index_that_is_repaired_knows_everybody_of_each_layer() {
    let site = Site::new();
    site.admin().await;
    site.customer().await;
    site.customers.sessions().repair().await.unwrap();
    assert_eq!(site.customers.sessions().count("1").await.unwrap(), 1);
    assert_eq!(site.admins.sessions().count("1").await.unwrap(), 1);
}

#[tokio::test]
async fn an_id_of_one_layer_is_nothing_under_the_name_of_the_other() {
    let site = Site::new();
    let app = site.around(Router::new().route("/", get(async |_: Of<Principal, Admin>| ())));
    let customer = site.customer().await;
    let (_, id) = customer.to_str().unwrap().split_once('=').unwrap();
    let forged = HeaderValue::try_from(format!("__Host-Http-admin={id}")).unwrap();
    assert_eq!(
        send(&app, "GET", [&forged]).await.status(),
        StatusCode::UNAUTHORIZED
    );
}

/// The layers of one application have one key file: the guide on keys says so.
#[cfg(feature = "keyring")]
#[tokio::test]
async fn one_keyring_in_two_layers_on_one_store_opens_nothing_of_one_in_the_other() {
    let told = Arc::<Mutex<Vec<_>>>::default();
    let site = Site::keyed(&told);
    let (admin, customer) = (site.admin().await, site.customer().await);
    let sessions = [site.admins.sessions(), site.customers.sessions()];
    sessions[1].repair().await.unwrap();
    let [admins, customers] = [
        sessions[0].list("1").await.unwrap(),
        sessions[1].list("1").await.unwrap(),
    ];
    assert_eq!((admins.len(), customers.len()), (1, 1));
    assert!(!told.lock().unwrap().contains(&"session_forged"));

    let app = site.around(Router::new().route("/", get(who)));
    let as_admin = |cookie: &HeaderValue| {
        let (_, id) = cookie.to_str().unwrap().split_once('=').unwrap();
        HeaderValue::try_from(format!("__Host-Http-admin={id}")).unwrap()
    };
    let nobody = "admin None, customer None";
    assert_eq!(
        text(send(&app, "GET", [&as_admin(&customer)]).await).await,
        nobody
    );
    // Whoever writes to the store puts the administrator's row into the customer's place, and comes with either id.
    let stolen = site.store.load(&admins[0].handle()).await.unwrap().unwrap();
    let place = customers[0].handle();
    let known = site
        .store
        .load(&place)
        .await
        .unwrap()
        .unwrap()
        .record
        .version();
    let hour = Duration::from_secs(3_600);
    let put = site.store.update(&place, known, &stolen.record, hour).await;
    assert_eq!(put.unwrap(), Updated::Done);
    for cookie in [&as_admin(&customer), &customer] {
        assert_eq!(text(send(&app, "GET", [cookie]).await).await, nobody);
    }
    assert!(told.lock().unwrap().contains(&"session_forged"));
    assert_eq!(sessions[1].revoke_all("1").await.unwrap(), 0);
    let told = text(send(&app, "GET", [&admin]).await).await;
    assert_eq!(told, "admin Some(\"1\"), customer None");
    assert_eq!(sessions[1].revoke_everyone().await.unwrap(), 1);
}

#[tokio::test]
async fn a_layer_that_is_missing_is_said_to_be_whatever_others_are_there() {
    let site = Site::new();
    async fn status<X: FromRequestParts<(), Rejection = Error> + Send + 'static>(
        site: &Site,
    ) -> StatusCode {
        let app = Router::new().route("/", get(async |_: X| ()));
        send(&app.layer(site.customers.clone()), "GET", [])
            .await
            .status()
    }
    for (case, status) in [
        ("Session", status::<Session<Admin>>(&site).await),
        ("Principal", status::<Of<Principal, Admin>>(&site).await),
        ("Fresh", status::<Of<Fresh, Admin>>(&site).await),
        ("Sessions", status::<Of<Sessions, Admin>>(&site).await),
    ] {
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{case}");
    }
}

#[tokio::test]
async fn a_handler_that_asks_by_another_marker_is_told_which_there_are() {
    let site = Site::new();
    let said = async |app: Router| text(send(&app, "GET", []).await).await;
    let customer = Router::new().route("/", get(async |_: Session| ()));
    let wrong = said(customer.layer(site.admins.clone())).await;
    assert_eq!(
        wrong,
        "no session of `tenure::session::Main`, only of `promises::layers::Admin` (`__Host-Http-admin`); ask by that one's marker, as in \
         `Session<Admin>`, or apply the other `SessionLayer` to this route too"
    );
    let admin = Router::new().route("/", get(async |_: Of<Sessions, Admin>| ()));
    let wrong = said(admin.layer(site.customers.clone())).await;
    assert!(
        wrong.starts_with("no session of `promises::layers::Admin`, only of `tenure::session::Main` (`__Host-Http-id`);"),
        "{wrong}"
    );
}

#[tokio::test]
async fn what_happens_is_told_with_the_name_of_its_layer() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let seen = told.clone();
    let observer = move |event: &Event<'_>| {
        assert!(event.principal().is_none_or(|who| who == "1"));
        let line = format!("{}: {}", event.layer(), event.kind().name());
        seen.lock().unwrap().push(line);
    };
    let store = MemoryStore::new();
    let customers = SessionLayer::builder(store.clone()).with_observer(observer.clone());
    let admins = SessionLayer::builder(store)
        .with_observer(observer)
        .with_marker::<Admin>();
    signed_in(&customers.build().unwrap(), "1").await;
    signed_in(&admins.with_name("__Host-Http-admin").build().unwrap(), "1").await;
    let expected = ["__Host-Http-id", "__Host-Http-admin"]
        .into_iter()
        .flat_map(|layer| {
            ["session_created", "session_authenticated"].map(|event| format!("{layer}: {event}"))
        });
    assert_eq!(*told.lock().unwrap(), expected.collect::<Vec<_>>());
}

#[test]
fn a_layer_with_a_marker_needs_a_name_of_its_own() {
    let layer = || SessionLayer::builder(MemoryStore::new());
    let marked = || layer().with_marker::<Admin>();
    for (case, built, is_ok) in [
        ("no name", marked().build().is_ok(), false),
        (
            "the name of all",
            marked().with_name("__Host-Http-id").build().is_ok(),
            false,
        ),
        (
            "plain, no name",
            marked().with_insecure_cookie().build().is_ok(),
            false,
        ),
        (
            "plain, the name of all",
            marked()
                .with_name("id")
                .with_insecure_cookie()
                .build()
                .is_ok(),
            false,
        ),
        (
            "a name",
            marked().with_name("__Host-Http-admin").build().is_ok(),
            true,
        ),
        (
            "plain, a name",
            marked()
                .with_name("admin")
                .with_insecure_cookie()
                .build()
                .is_ok(),
            true,
        ),
        ("no marker", layer().build().is_ok(), true),
        (
            "no marker, plain",
            layer().with_insecure_cookie().build().is_ok(),
            true,
        ),
    ] {
        assert_eq!(built, is_ok, "{case}");
    }
}
