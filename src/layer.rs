//! Every setting, its default and why.

use std::{
    any::{TypeId, type_name},
    fmt,
    future::Future,
    marker::PhantomData,
    sync::Arc,
    time::Duration,
};

use http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use tower_layer::Layer;

#[cfg(feature = "keyring")]
use crate::keyring::Keyring;
use crate::{
    context::{Background, Context, Marker, OnFailure, Queues},
    cookie::{ConfigError, HeaderTransport, SameSite, Settings, Writer},
    error::{DefaultOnError, Error},
    guard::Guard,
    id::Random,
    label::LabelSource,
    lifetime::Lifetime,
    limit::SessionLimit,
    meter,
    observe::{Event, Hook, Observer, PeerKey, PeerOf},
    principal::Realm,
    renewal::Renewal,
    service::SessionService,
    session::Main,
    sessions::Sessions,
    site_data::{self, SiteData},
    store::SessionStore,
    watch::Watchers,
};

/// Gives every request of a service a [session](crate::Session).
///
/// Clones are the same layer. Where a request meets it twice, as with nested routers, the inner one steps aside; two
/// layers that are not clones need different cookie names.
///
/// ```
/// use axum::{Router, routing::get};
/// use tenure::{SessionLayer, store::MemoryStore};
///
/// let app: Router = Router::new()
///     .route("/", get(|| async { "hello" }))
///     .layer(SessionLayer::new(MemoryStore::new()));
/// ```
pub struct SessionLayer<L = Main, E = DefaultOnError> {
    context: Arc<Context>,
    on_error: E,
    layer: PhantomData<fn() -> L>,
}

impl SessionLayer {
    /// Makes a layer with the defaults, each of which is safe; [`SessionLayerBuilder`] lists them.
    ///
    /// ```
    /// use tenure::{SessionLayer, store::MemoryStore, testing::signed_in};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let layer = SessionLayer::new(MemoryStore::new());
    /// let cookie = signed_in(&layer, "42").await;
    /// assert!(cookie.to_str().unwrap().starts_with("__Host-Http-id="));
    /// # });
    /// ```
    #[expect(clippy::missing_panics_doc, reason = "the defaults go together")]
    pub fn new(store: impl SessionStore) -> Self {
        Self::builder(store)
            .build()
            .expect("the defaults go together")
    }

    /// Begins a layer with other settings.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tenure::{Lifetime, SameSite, SessionLayer, store::MemoryStore};
    ///
    /// # fn main() -> Result<(), tenure::ConfigError> {
    /// let layer = SessionLayer::builder(MemoryStore::new())
    ///     .with_same_site(SameSite::Strict)
    ///     .with_lifetime(Lifetime::new().with_idle(Duration::from_secs(5 * 60)))
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(store: impl SessionStore) -> SessionLayerBuilder {
        SessionLayerBuilder {
            options: Options {
                store: Arc::new(store),
                cookie: Settings::default(),
                clear_site_data: None,
                header: None,
                lifetime: Lifetime::new(),
                limit: None,
                label_source: None,
                renewal: None,
                #[cfg(feature = "keyring")]
                keyring: None,
                #[cfg(feature = "keyring")]
                seals: false,
                load_timeout: Duration::from_secs(2),
                commit_timeout: Duration::from_secs(5),
                on_failure: OnFailure::Discard,
                observer: None,
                peer_of: None,
                watch_interval: Duration::from_secs(5),
            },
            on_error: DefaultOnError,
            layer: PhantomData,
        }
    }
}

impl<L, E> SessionLayer<L, E> {
    /// Waits until everything is finished that requests have left behind: commits and logouts of clients that went
    /// away, and deletions that the store has refused so far. Await it when the server has shut down.
    ///
    /// ```
    /// use axum::{Router, body::Body, http::Request, routing::get};
    /// use tenure::{Error, Session, SessionLayer, store::MemoryStore};
    ///
    /// async fn slow_logout(session: Session) -> Result<(), Error> {
    ///     session.insert("visits", 1)?;
    ///     session.commit().await?;
    ///     session.logout()?;
    ///     std::future::pending().await
    /// }
    ///
    /// # use {futures::FutureExt, tower::ServiceExt};
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let store = MemoryStore::new();
    /// let layer = SessionLayer::new(store.clone());
    /// let app: Router = Router::new().route("/", get(slow_logout)).layer(layer.clone());
    /// let response = app.oneshot(Request::new(Body::empty())).now_or_never();
    /// assert!(response.is_none()); // the client has gone away
    /// layer.drained().await;
    /// assert!(store.is_empty());
    /// # });
    /// ```
    pub fn drained(&self) -> impl Future<Output = ()> + Send + use<L, E> {
        let background = self.context.background.clone();
        async move { background.drained().await }
    }

    /// Returns the sessions of principals, to list them and to end them.
    ///
    /// ```
    /// use tenure::{SessionLayer, store::MemoryStore, testing::signed_in};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let layer = SessionLayer::new(MemoryStore::new());
    /// signed_in(&layer, "ada").await;
    /// assert_eq!(layer.sessions().count("ada").await.unwrap(), 1);
    /// # });
    /// ```
    #[must_use]
    pub fn sessions(&self) -> Sessions {
        Sessions::new(self.context.clone())
    }

    pub(crate) const fn context(&self) -> &Arc<Context> {
        &self.context
    }
}

impl<S, L, E: Clone> Layer<S> for SessionLayer<L, E> {
    type Service = SessionService<S, L, E>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService::new(inner, self.context.clone(), self.on_error.clone())
    }
}

impl<L, E: Clone> Clone for SessionLayer<L, E> {
    fn clone(&self) -> Self {
        Self {
            context: self.context.clone(),
            on_error: self.on_error.clone(),
            layer: PhantomData,
        }
    }
}

impl<L, E> fmt::Debug for SessionLayer<L, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayer")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

/// The settings of a [`SessionLayer`].
///
/// | setting | default | why |
/// |---|---|---|
/// | cookie | `__Host-Http-id`, `Path=/`, `Secure`, `HttpOnly`, `SameSite=Lax`, no `Domain` | a browser refuses one that was planted from elsewhere |
/// | lifetime | 30 minutes idle, 12 hours in all | OWASP for low risk; NIST SP 800-63B-4's cap |
/// | persistence | none: forgotten when the browser is closed | OWASP |
/// | header | none: ids come in the cookie alone | a script cannot read a cookie; clients without cookies ask for it |
/// | browser's data at logout | kept, but for our cookie | `"cookies"` reaches other hosts, `"cache"` is slow |
/// | session limit | none | how many devices somebody has is the application's business |
/// | labels | none | which header tells the device, and in which words, is the application's choice |
/// | load time-out | 2 seconds | an outage must not pile up requests |
/// | commit time-out | 5 seconds in all | as long as people wait for a form |
/// | failed handlers | their changes are dropped, an end is carried out | half of what was meant is worse than nothing |
/// | watch interval | 5 seconds | a sign-out elsewhere closes what is open soon; one question per layer and interval |
/// | error response | the status alone | nothing of the handler's success may survive |
/// | observer | none: events go to `tracing` alone | an audit is the application's |
/// | peer | unknown | who is behind a proxy, the application knows |
/// | marker | [`Main`]: handlers write `Session` | one layer is the rule |
///
/// ```
/// use std::time::Duration;
/// use tenure::{Lifetime, SessionLayer, store::MemoryStore};
///
/// let layer = SessionLayer::builder(MemoryStore::new())
///     .with_name("__Host-Http-shop")
///     .with_lifetime(Lifetime::new().with_idle(Duration::from_secs(15 * 60)))
///     .with_commit_timeout(Duration::from_secs(2))
///     .build();
/// assert!(layer.is_ok());
/// ```
#[must_use = "a builder does nothing until `build` is called"]
pub struct SessionLayerBuilder<L = Main, E = DefaultOnError> {
    options: Options,
    on_error: E,
    layer: PhantomData<fn() -> L>,
}

/// The settings that do not show in the builder's type.
struct Options {
    store: Arc<dyn SessionStore>,
    cookie: Settings,
    clear_site_data: Option<HeaderValue>,
    header: Option<HeaderTransport>,
    lifetime: Lifetime,
    limit: Option<SessionLimit>,
    label_source: Option<LabelSource>,
    renewal: Option<Renewal>,
    #[cfg(feature = "keyring")]
    keyring: Option<Keyring>,
    #[cfg(feature = "keyring")]
    seals: bool,
    load_timeout: Duration,
    commit_timeout: Duration,
    on_failure: OnFailure,
    observer: Option<Hook>,
    peer_of: Option<PeerOf>,
    watch_interval: Duration,
}

impl<L: 'static, E> SessionLayerBuilder<L, E> {
    /// Sets the cookie's name. Default: `__Host-Http-id`.
    ///
    /// Keep a prefix: browsers hold a `__Host-` cookie to this host, and `__Host-Http-` also to what a server has set
    /// (RFC 6265bis section 4.1.3). It is the layer's name too: ids of another name are nothing here, by whatever way they come, so
    /// a new name ends all sessions.
    ///
    /// ```
    /// use tenure::{SessionLayer, store::MemoryStore, testing::signed_in};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let layer = SessionLayer::builder(MemoryStore::new()).with_name("__Host-shop").build().unwrap();
    /// let cookie = signed_in(&layer, "42").await;
    /// assert!(cookie.to_str().unwrap().starts_with("__Host-shop="));
    /// # });
    /// ```
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.options.cookie.name = name.into();
        self
    }

    /// Sets the cookie's path. Default: `/`, which a `__Host-` name needs. A path protects nothing.
    ///
    /// ```
    /// use tenure::{SessionLayer, store::MemoryStore};
    ///
    /// let builder = SessionLayer::builder(MemoryStore::new()).with_path("/shop");
    /// assert!(builder.with_name("__Secure-id").build().is_ok());
    /// assert!(SessionLayer::builder(MemoryStore::new()).with_path("/shop").build().is_err());
    /// ```
    pub fn with_path(mut self, path: impl Into<String>) -> Self {
        self.options.cookie.path = path.into();
        self
    }

    /// Shares the cookie with all hosts below a domain. Default: this host alone.
    ///
    /// Every one of those hosts can then set the cookie and read it.
    ///
    /// ```
    /// use tenure::{SessionLayer, store::MemoryStore};
    ///
    /// let builder = SessionLayer::builder(MemoryStore::new()).with_domain("example.com");
    /// assert!(builder.with_name("__Secure-id").build().is_ok());
    /// assert!(SessionLayer::builder(MemoryStore::new()).with_domain("example.com").build().is_err());
    /// ```
    pub fn with_domain(mut self, domain: impl Into<String>) -> Self {
        self.options.cookie.domain = Some(domain.into());
        self
    }

    /// Sets when the cookie is sent on requests from other sites. Default: [`SameSite::Lax`].
    ///
    /// ```
    /// use tenure::{SameSite, SessionLayer, store::MemoryStore};
    ///
    /// let strict = SessionLayer::builder(MemoryStore::new()).with_same_site(SameSite::Strict);
    /// assert!(strict.build().is_ok());
    /// let insecure = SessionLayer::builder(MemoryStore::new()).with_same_site(SameSite::None).with_insecure_cookie();
    /// assert!(insecure.build().unwrap_err().to_string().contains("Secure"));
    /// ```
    pub fn with_same_site(mut self, same_site: SameSite) -> Self {
        self.options.cookie.same_site = same_site;
        self
    }

    /// Keeps the cookie apart for each site that embeds this one (CHIPS). Default: off.
    ///
    /// ```
    /// use tenure::{SameSite, SessionLayer, store::MemoryStore};
    ///
    /// let embedded = SessionLayer::builder(MemoryStore::new()).with_same_site(SameSite::None).with_partitioned();
    /// assert!(embedded.build().is_ok());
    /// ```
    pub fn with_partitioned(mut self) -> Self {
        self.options.cookie.partitioned = true;
        self
    }

    /// Drops `Secure` and the prefix, and calls the cookie `id`, for development over plain http. Default: off.
    ///
    /// Anyone on the network can then read the cookie and take the session over.
    ///
    /// ```
    /// use tenure::{SessionLayer, store::MemoryStore, testing::signed_in};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let layer = SessionLayer::builder(MemoryStore::new()).with_insecure_cookie().build().unwrap();
    /// let cookie = signed_in(&layer, "42").await;
    /// assert!(cookie.to_str().unwrap().starts_with("id="));
    /// # });
    /// ```
    pub fn with_insecure_cookie(mut self) -> Self {
        self.options.cookie.secure = false;
        if self.options.cookie.has_default_name() {
            self.options.cookie.name = Settings::PLAIN_NAME.into();
        }
        self
    }

    /// Lets clients without cookies bring their id in a header. Default: ids come in the cookie alone.
    ///
    /// For native applications and scripts; a page of yours is better off with the cookie, which no script can read. See
    /// [`HeaderTransport`] for which request is which, and the [guide](crate::_guides::native) for a client.
    ///
    /// ```
    /// use axum::{Router, body::Body, http::Request, routing::get};
    /// use tenure::{HeaderTransport, Principal, SessionLayer, store::MemoryStore};
    /// use tenure::testing::{signed_in, signed_in_by_header};
    /// use tower::ServiceExt;
    ///
    /// async fn who(Principal(user): Principal<String>) -> String {
    ///     user
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let layer = SessionLayer::builder(MemoryStore::new()).with_header(HeaderTransport::bearer()).build().unwrap();
    /// let app: Router = Router::new().route("/", get(who)).layer(layer.clone());
    /// let (name, value) = signed_in_by_header(&layer, "ada").await;
    /// let native = Request::get("/").header(name, value).body(Body::empty()).unwrap();
    /// assert_eq!(app.clone().oneshot(native).await.unwrap().status(), 200);
    /// let browser = Request::get("/").header("cookie", signed_in(&layer, "ada").await).body(Body::empty()).unwrap();
    /// assert_eq!(app.oneshot(browser).await.unwrap().status(), 200);
    /// # });
    /// ```
    pub fn with_header(mut self, header: HeaderTransport) -> Self {
        self.options.header = Some(header);
        self
    }

    /// Tells the browser what to clear when its user has signed out (`Clear-Site-Data`). Default: nothing but our cookie.
    ///
    /// For shared computers, where the next visitor must not find pages in the cache or drafts in the storage of scripts.
    /// It is sent with the answer to a [`logout`](crate::Session::logout) or [`destroy`](crate::Session::destroy) once the
    /// store has said that the session is gone, and not where another session begins in that request, nor to a request that has
    /// the [header](Self::with_header). A session that has ended before, as by its time-out, is not signed out once more: where a
    /// late click on "sign out" is to clear as well, let the handler set the header. What it has set stays beside ours.
    ///
    /// It is off because it reaches further than this layer: [`Cookies`](SiteData::Cookies) takes those of all hosts of the
    /// domain, and to clear a cache takes some browsers seconds, in which the answer waits. Browsers follow it over https
    /// and on `localhost` alone.
    ///
    /// ```
    /// use axum::{Router, body::Body, http::Request, routing::post};
    /// use tenure::{Error, Session, SessionLayer, SiteData, store::MemoryStore, testing::signed_in};
    /// use tower::ServiceExt;
    ///
    /// async fn logout(session: Session) -> Result<(), Error> {
    ///     session.logout()
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let layer = SessionLayer::builder(MemoryStore::new())
    ///     .with_clear_site_data([SiteData::Cache, SiteData::Storage])
    ///     .build()
    ///     .unwrap();
    /// let app: Router = Router::new().route("/logout", post(logout)).layer(layer.clone());
    /// let request = Request::post("/logout").header("cookie", signed_in(&layer, "ada").await);
    /// let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    /// assert_eq!(response.headers()["clear-site-data"], r#""cache", "storage""#);
    /// # });
    /// ```
    pub fn with_clear_site_data(mut self, data: impl IntoIterator<Item = SiteData>) -> Self {
        self.options.clear_site_data = site_data::header(data);
        self
    }

    /// Sets how long sessions live. Default: 30 minutes idle, 12 hours in all.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tenure::{Lifetime, SessionLayer, store::MemoryStore};
    ///
    /// let office_day = Lifetime::new().with_absolute(Duration::from_secs(8 * 60 * 60));
    /// assert!(SessionLayer::builder(MemoryStore::new()).with_lifetime(office_day).build().is_ok());
    /// let nothing = Lifetime::new().with_idle(Duration::ZERO);
    /// assert!(SessionLayer::builder(MemoryStore::new()).with_lifetime(nothing).build().is_err());
    /// ```
    pub fn with_lifetime(mut self, lifetime: Lifetime) -> Self {
        self.options.lifetime = lifetime;
        self
    }

    /// Limits how many sessions of one principal may be live. Default: as many as he likes.
    ///
    /// ```
    /// use axum::{Router, body::Body, http::{Request, StatusCode}, routing::post};
    /// use tenure::{Error, Session, SessionLayer, SessionLimit, store::MemoryStore};
    /// use tower::ServiceExt;
    ///
    /// async fn login(session: Session) -> Result<(), Error> {
    ///     session.login("ada")
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let layer = SessionLayer::builder(MemoryStore::new())
    ///     .with_session_limit(SessionLimit::reject(1))
    ///     .build()
    ///     .unwrap();
    /// let app: Router = Router::new().route("/", post(login)).layer(layer);
    /// for status in [StatusCode::OK, StatusCode::FORBIDDEN] {
    ///     let request = Request::post("/").body(Body::empty()).unwrap();
    ///     assert_eq!(app.clone().oneshot(request).await.unwrap().status(), status);
    /// }
    /// # });
    /// ```
    pub fn with_session_limit(mut self, limit: SessionLimit) -> Self {
        self.options.limit = Some(limit);
        self
    }

    /// Labels the sessions of those who sign in by a header of that request, for lists of devices. Default: no labels.
    ///
    /// The function makes a few words of the header's value; it runs at a login alone, and not where the header is missing. A
    /// [label](crate::Session::set_label) that the handler has set stays, and so does one of somebody who was signed in before; one
    /// that an anonymous session was given by an earlier request does not. For what a header does not tell, such as the
    /// address, call `set_label` in the handler.
    ///
    /// ```
    /// use axum::{Router, body::Body, http::{Request, header::USER_AGENT}, routing::post};
    /// use tenure::{Error, Session, SessionLayer, store::MemoryStore};
    /// use tower::ServiceExt;
    ///
    /// async fn login(session: Session) -> Result<(), Error> {
    ///     session.login("ada")
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let browser = |agent: &str| if agent.contains("Firefox/") { "Firefox" } else { "A browser" }.to_owned();
    /// let layer = SessionLayer::builder(MemoryStore::new()).with_label_from(USER_AGENT, browser).build().unwrap();
    /// let app: Router = Router::new().route("/", post(login)).layer(layer.clone());
    /// let request = Request::post("/").header(USER_AGENT, "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Firefox/145.0");
    /// app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    /// assert_eq!(layer.sessions().list("ada").await.unwrap()[0].label(), Some("Firefox"));
    /// # });
    /// ```
    pub fn with_label_from(
        mut self,
        header: HeaderName,
        describe: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> Self {
        self.options.label_source = Some(LabelSource::new(header, describe));
        self
    }

    /// Sets the server's keys. Default: none, and records are as safe as the store is.
    ///
    /// With a [keyring](Keyring) the store's copy of a secret is a keyed hash, and all that the store holds of a session is
    /// authenticated, but for its deadline and the stamps `created` and `last seen`: who writes to the store can end sessions,
    /// but neither plant nor change one. What was stored before is accepted as long as
    /// [the ring says](Keyring::with_unkeyed_until). The guide on [keys](crate::_guides::keys) has the rest.
    ///
    /// ```
    /// use tenure::{Keyring, ServerKey, SessionLayer, store::MemoryStore};
    ///
    /// let keyring = Keyring::new(ServerKey::generate()?); // elsewhere `Keyring::from_file`
    /// assert!(SessionLayer::builder(MemoryStore::new()).with_keyring(keyring).build().is_ok());
    /// # Ok::<_, tenure::KeyError>(())
    /// ```
    #[cfg(feature = "keyring")]
    pub fn with_keyring(mut self, keyring: Keyring) -> Self {
        self.options.keyring = Some(keyring);
        self
    }

    /// Encrypts the values, so that neither the store nor the keyring opens them without the visitor's cookie. Default: they are
    /// stored as they are.
    ///
    /// They are sealed with AES-256-GCM by a key of the session's own, which is stored wrapped: it takes a key of the
    /// [keyring](Self::with_keyring) and the secret of the cookie to unwrap it. A session that was begun before is sealed with
    /// its next login or [`cycle_id`](crate::Session::cycle_id). Principal, label, stamps and lifetime are not sealed, for lists
    /// show them and no cookie is there.
    ///
    /// ```
    /// use tenure::{Keyring, ServerKey, SessionLayer, store::MemoryStore};
    ///
    /// let builder = SessionLayer::builder(MemoryStore::new()).with_sealed_values();
    /// let error = builder.build().unwrap_err();
    /// assert_eq!(error.to_string(), "sealed values need a key of the server too; give it `with_keyring`");
    ///
    /// let keyring = Keyring::new(ServerKey::generate()?);
    /// let builder = SessionLayer::builder(MemoryStore::new()).with_keyring(keyring).with_sealed_values();
    /// assert!(builder.build().is_ok());
    /// # Ok::<_, tenure::KeyError>(())
    /// ```
    #[cfg(feature = "keyring")]
    pub const fn with_sealed_values(mut self) -> Self {
        self.options.seals = true;
        self
    }

    /// Gives a session a new id from time to time. Default: only when rights change, or when
    /// [`cycle_id`](crate::Session::cycle_id) is called.
    ///
    /// See [`Renewal`]; OWASP's Session Management Cheat Sheet calls it the renewal time-out.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tenure::{Renewal, SessionLayer, store::MemoryStore};
    ///
    /// let hourly = Renewal::every(Duration::from_secs(60 * 60));
    /// assert!(SessionLayer::builder(MemoryStore::new()).with_renewal(hourly).build().is_ok());
    /// ```
    pub const fn with_renewal(mut self, renewal: Renewal) -> Self {
        self.options.renewal = Some(renewal);
        self
    }

    /// Sets how long to wait for the store when a session is loaded. Default: 2 seconds.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tenure::{SessionLayer, store::MemoryStore};
    ///
    /// let quick = SessionLayer::builder(MemoryStore::new()).with_load_timeout(Duration::from_millis(500));
    /// assert!(quick.build().is_ok());
    /// let never = SessionLayer::builder(MemoryStore::new()).with_load_timeout(Duration::ZERO);
    /// assert!(never.build().unwrap_err().to_string().contains("leaves the store no time"));
    /// ```
    pub fn with_load_timeout(mut self, timeout: Duration) -> Self {
        self.options.load_timeout = timeout;
        self
    }

    /// Sets how long to wait for the store in all when a session is committed. Default: 5 seconds.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tenure::{SessionLayer, store::MemoryStore};
    ///
    /// let patient = SessionLayer::builder(MemoryStore::new()).with_commit_timeout(Duration::from_secs(10));
    /// assert!(patient.build().is_ok());
    /// ```
    pub fn with_commit_timeout(mut self, timeout: Duration) -> Self {
        self.options.commit_timeout = timeout;
        self
    }

    /// Sets how soon a [`LiveSession`](crate::LiveSession) is told of what has happened elsewhere. Default: 5 seconds.
    ///
    /// The store is asked after half of it to the whole, one question for all live sessions of this layer; not at all
    /// while there are none. What this layer does is told at once.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tenure::{SessionLayer, store::MemoryStore};
    ///
    /// let sooner = SessionLayer::builder(MemoryStore::new()).with_watch_interval(Duration::from_secs(1));
    /// assert!(sooner.build().is_ok());
    /// let all_the_time = SessionLayer::builder(MemoryStore::new()).with_watch_interval(Duration::ZERO);
    /// assert!(all_the_time.build().unwrap_err().to_string().contains("without a pause"));
    /// ```
    pub fn with_watch_interval(mut self, interval: Duration) -> Self {
        self.options.watch_interval = interval;
        self
    }

    /// Sets what becomes of the changes of a handler that answers 5xx or 408. Default: [`OnFailure::Discard`].
    ///
    /// ```
    /// use tenure::{OnFailure, SessionLayer, store::MemoryStore};
    ///
    /// let layer = SessionLayer::builder(MemoryStore::new()).with_on_failure(OnFailure::Commit).build();
    /// assert!(layer.is_ok());
    /// ```
    pub fn with_on_failure(mut self, on_failure: OnFailure) -> Self {
        self.options.on_failure = on_failure;
        self
    }

    /// Sets what is told of everything that happens to sessions. Default: `tracing` alone, target `tenure`.
    ///
    /// ```
    /// use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
    /// use tenure::{Event, EventKind, SessionLayer, store::MemoryStore, testing::signed_in};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let logins = Arc::new(AtomicU32::new(0));
    /// let count = logins.clone();
    /// let layer = SessionLayer::builder(MemoryStore::new())
    ///     .with_observer(move |event: &Event<'_>| {
    ///         if event.kind() == EventKind::Authenticated {
    ///             count.fetch_add(1, Ordering::Relaxed);
    ///         }
    ///     })
    ///     .build()
    ///     .unwrap();
    /// signed_in(&layer, "42").await;
    /// assert_eq!(logins.load(Ordering::Relaxed), 1);
    /// # });
    /// ```
    pub fn with_observer(mut self, observer: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.options.observer = Some(Arc::new(observer));
        self
    }

    /// Sets where a request comes from, so that whoever guesses ids is told of. Default: nobody asks.
    ///
    /// If some forty different ids that open nothing come from one peer within a minute, that is an event
    /// ([`Guessing`](crate::EventKind::Guessing)) with the [peer](Event::peer); what to do about it is the application's. It is
    /// asked of requests with our cookie alone. Name what the other side cannot choose: the address of the connection, or
    /// what *your* proxy has written, never a header that reaches you from outside.
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use axum::extract::ConnectInfo;
    /// use tenure::{PeerKey, SessionLayer, store::MemoryStore};
    ///
    /// let layer = SessionLayer::builder(MemoryStore::new())
    ///     .with_peer(|_, extensions| {
    ///         let ConnectInfo(address) = extensions.get::<ConnectInfo<SocketAddr>>()?;
    ///         Some(PeerKey::from(address.ip()))
    ///     })
    ///     .build();
    /// assert!(layer.is_ok());
    /// ```
    pub fn with_peer(
        mut self,
        peer: impl Fn(&HeaderMap, &Extensions) -> Option<PeerKey> + Send + Sync + 'static,
    ) -> Self {
        self.options.peer_of = Some(Arc::new(peer));
        self
    }

    /// Sets what answers a request whose session could not be committed. Default: [`Error::to_response`].
    ///
    /// The closure is given what the handler has answered, and what it returns gets the cookie and the caching headers.
    ///
    /// ```
    /// use axum::{body::Body, http::Response};
    /// use tenure::{Error, SessionLayer, store::MemoryStore};
    ///
    /// let layer = SessionLayer::builder(MemoryStore::new())
    ///     .with_on_error(|error: &Error, _: Response<Body>| {
    ///         let mut response = error.to_response::<Body>();
    ///         *response.body_mut() = Body::from("Please try again.");
    ///         response
    ///     })
    ///     .build()
    ///     .unwrap();
    /// ```
    pub fn with_on_error<F, B>(self, on_error: F) -> SessionLayerBuilder<L, F>
    where
        F: Fn(&Error, http::Response<B>) -> http::Response<B>,
    {
        SessionLayerBuilder {
            options: self.options,
            on_error,
            layer: PhantomData,
        }
    }

    /// Sets the type by which this layer's sessions are told from those of others: `Session<Admin>`.
    ///
    /// Default: [`Main`], which nobody has to name. A layer with another needs a [name](Self::with_name) of its own: an id is
    /// bound to the name, so under one name both would find the same sessions. See the [guide](crate::_guides::layers).
    ///
    /// ```
    /// use tenure::{Session, SessionLayer, store::MemoryStore};
    ///
    /// struct Admin;
    ///
    /// async fn dashboard(session: Session<Admin>) {}
    ///
    /// let layer = SessionLayer::builder(MemoryStore::new())
    ///     .with_marker::<Admin>()
    ///     .with_name("__Host-Http-admin")
    ///     .build()
    ///     .unwrap();
    /// let nameless = SessionLayer::builder(MemoryStore::new()).with_marker::<Admin>();
    /// assert!(nameless.build().unwrap_err().to_string().contains("a cookie name of its own"));
    /// ```
    pub fn with_marker<M>(self) -> SessionLayerBuilder<M, E> {
        SessionLayerBuilder {
            options: self.options,
            on_error: self.on_error,
            layer: PhantomData,
        }
    }

    /// Checks the settings and makes the layer.
    ///
    /// # Errors
    ///
    /// The first rule that the settings break, with the mend:
    ///
    /// ```
    /// use tenure::{SameSite, SessionLayer, store::MemoryStore};
    ///
    /// let error = SessionLayer::builder(MemoryStore::new()).with_path("/shop").build().unwrap_err();
    /// assert!(error.to_string().contains("choose a name that begins with `__Secure-`"));
    /// ```
    pub fn build(self) -> Result<SessionLayer<L, E>, ConfigError> {
        self.options.check::<L>()?;
        meter::describe();
        Ok(SessionLayer {
            context: Arc::new(self.options.into_context::<L>()),
            on_error: self.on_error,
            layer: PhantomData,
        })
    }
}

impl Options {
    fn guard(&self) -> Guard {
        #[cfg(feature = "keyring")]
        if let Some(keyring) = &self.keyring {
            keyring.log(self.lifetime);
            return Guard::with_keyring(&self.cookie.name, keyring.clone(), self.seals);
        }
        Guard::new(&self.cookie.name)
    }

    /// An id is bound to its layer's name: under that of the layer without a marker it would open the same sessions.
    fn check_marker<L: 'static>(&self) -> Result<(), ConfigError> {
        if !is_main::<L>() && self.cookie.has_default_name() {
            return Err(ConfigError::new(format!(
                "a layer with a marker of its own (`{}`) needs a cookie name of its own; choose it by `with_name`",
                type_name::<L>()
            )));
        }
        Ok(())
    }

    fn check<L: 'static>(&self) -> Result<(), ConfigError> {
        self.cookie.check()?;
        self.check_marker::<L>()?;
        self.header
            .as_ref()
            .map_or(Ok(()), HeaderTransport::check)?;
        if self.clear_site_data.is_some() && !self.cookie.secure {
            return Err(ConfigError::new(
                "browsers clear a site's data over https alone; drop `with_insecure_cookie` or `with_clear_site_data`",
            ));
        }
        self.lifetime.check().map_err(ConfigError::new)?;
        if self.load_timeout.is_zero() || self.commit_timeout.is_zero() {
            return Err(ConfigError::new(
                "a time-out of zero leaves the store no time; give it a longer one",
            ));
        }
        if self.watch_interval.is_zero() {
            return Err(ConfigError::new(
                "with a watch interval of zero the store is asked without a pause; give it a longer one",
            ));
        }
        if self.limit.is_some() && self.store.index().is_none() {
            return Err(ConfigError::new(
                "this store keeps no index of principals, so their sessions cannot be limited; use one whose `index` returns it",
            ));
        }
        if let Some(renewal) = &self.renewal {
            renewal.check().map_err(ConfigError::new)?;
        }
        #[cfg(feature = "keyring")]
        if self.seals && self.keyring.is_none() {
            return Err(ConfigError::new(
                "sealed values need a key of the server too; give it `with_keyring`",
            ));
        }
        Ok(())
    }

    fn into_context<L: 'static>(self) -> Context {
        Context {
            marker: Marker::of::<L>(),
            realm: match is_main::<L>() {
                true => Realm::default(),
                false => Realm::named(&self.cookie.name),
            },
            writer: Writer::new(&self.cookie),
            guard: self.guard(),
            clear_site_data: self.clear_site_data,
            header: self.header,
            cookie_name: (*self.cookie.name).into(),
            same_site: self.cookie.same_site,
            tells_the_time: self.store.now().is_some(),
            #[cfg(feature = "metrics")]
            store: Arc::new(crate::store::Measured(self.store)),
            #[cfg(not(feature = "metrics"))]
            store: self.store,
            random: Random::System,
            lifetime: self.lifetime,
            limit: self.limit,
            label_source: self.label_source,
            renewal: self.renewal,
            load_timeout: self.load_timeout,
            commit_timeout: self.commit_timeout,
            on_failure: self.on_failure,
            observer: Observer::new(&self.cookie.name, self.observer),
            peer_of: self.peer_of,
            queues: Arc::new(Queues::default()),
            background: Background::new(),
            watchers: Watchers::default(),
            watch_interval: self.watch_interval,
        }
    }
}

fn is_main<L: 'static>() -> bool {
    TypeId::of::<L>() == TypeId::of::<Main>()
}

impl<L, E> fmt::Debug for SessionLayerBuilder<L, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayerBuilder")
            .field("cookie", &self.options.cookie)
            .field("lifetime", &self.options.lifetime)
            .finish_non_exhaustive()
    }
}
