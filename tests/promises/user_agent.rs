//! What a browser makes of our cookie: the storage model of RFC 6265bis section 5.7, written down independently.

use http::{Request, Response, StatusCode, header};
use tenure::{Lifetime, SameSite, Session, SessionLayerBuilder};

use crate::support::{Answered, Site, send};

/// One cookie of the jar.
#[derive(Clone, Debug, Default, PartialEq)]
struct Kept {
    name: String,
    value: String,
    path: String,
    domain: Option<String>,
    same_site: String,
    secure: bool,
    http_only: bool,
    partitioned: bool,
    persistent: bool,
}

/// A browser on one host, over https unless it is said otherwise.
#[derive(Default)]
struct UserAgent {
    jar: Vec<Kept>,
    plain_http: bool,
}

impl UserAgent {
    /// Takes all cookies of a response in, or says which rule keeps one out.
    fn receive(&mut self, response: &Response<String>) -> Result<(), String> {
        let fields = response.headers().get_all(header::SET_COOKIE);
        fields
            .iter()
            .try_for_each(|field| self.set(field.to_str().unwrap()))
    }

    fn set(&mut self, field: &str) -> Result<(), String> {
        if field.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
            return Err(format!("control characters: {field:?}"));
        }
        let (cookie, max_age) = parse(field);
        self.check(&cookie)?;
        self.jar.retain(|kept| !is_same(kept, &cookie));
        if max_age.is_none_or(|seconds| seconds > 0) {
            self.jar.push(cookie);
        }
        Ok(())
    }

    fn check(&self, cookie: &Kept) -> Result<(), String> {
        let name = cookie.name.to_lowercase();
        let host_only = cookie.domain.is_none() && cookie.path == "/";
        let rules = [
            (cookie.name.len() + cookie.value.len() <= 4096, "its size"),
            (!cookie.secure || !self.plain_http, "secure over plain http"),
            (
                !name.starts_with("__secure-") || cookie.secure,
                "__Secure- without Secure",
            ),
            (
                !name.starts_with("__host-") || cookie.secure && host_only,
                "__Host- is of this host, Secure, with Path=/",
            ),
            (
                !name.starts_with("__host-http-") || cookie.http_only,
                "__Host-Http- without HttpOnly",
            ),
            (
                cookie.same_site != "None" || cookie.secure,
                "SameSite=None without Secure",
            ),
            (
                !cookie.partitioned || cookie.secure,
                "Partitioned without Secure",
            ),
        ];
        let broken = rules.iter().find(|(holds, _)| !holds);
        broken.map_or(Ok(()), |(_, rule)| Err(format!("{rule}: {cookie:?}")))
    }

    /// Returns the `Cookie` header of a request to `path`; a form of another site gets what `SameSite=None` lets it.
    fn header(&self, path: &str, from_another_site: bool) -> Option<String> {
        let sent = self.jar.iter().filter(|kept| {
            path.starts_with(&kept.path)
                && (!kept.secure || !self.plain_http)
                && (!from_another_site || kept.same_site == "None")
        });
        let pairs: Vec<_> = sent
            .map(|kept| format!("{}={}", kept.name, kept.value))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// Forgets what is not kept beyond the browser's own session.
    fn restart(&mut self) {
        self.jar.retain(|kept| kept.persistent);
    }
}

fn parse(field: &str) -> (Kept, Option<i64>) {
    let mut parts = field.split(';').map(str::trim);
    let (name, value) = parts.next().unwrap().split_once('=').unwrap();
    let mut cookie = Kept {
        name: name.into(),
        value: value.into(),
        path: "/the/default".into(),
        ..Kept::default()
    };
    let mut max_age = None;
    for part in parts {
        let (attribute, value) = part.split_once('=').unwrap_or((part, ""));
        assert!(value.len() <= 1024, "a browser ignores so long a value");
        match attribute {
            "Path" => cookie.path = value.into(),
            "Domain" => cookie.domain = Some(value.into()),
            "SameSite" => cookie.same_site = value.into(),
            "Secure" => cookie.secure = true,
            "HttpOnly" => cookie.http_only = true,
            "Partitioned" => cookie.partitioned = true,
            "Max-Age" => max_age = value.parse().ok(),
            // `Max-Age` wins over it.
            "Expires" => {}
            other => panic!("an attribute that browsers do not know: {other}"),
        }
    }
    cookie.persistent = max_age.is_some();
    (cookie, max_age)
}

/// Tells whether one replaces the other: the same name, domain, path and partition.
fn is_same(one: &Kept, other: &Kept) -> bool {
    let identity = |kept: &Kept| {
        (
            kept.name.clone(),
            kept.domain.clone(),
            kept.path.clone(),
            kept.partitioned,
        )
    };
    identity(one) == identity(other)
}

async fn login(session: Session) -> Answered {
    session.login("1")?;
    Ok(StatusCode::OK)
}

async fn logout(session: Session) -> Answered {
    session.logout()?;
    Ok(StatusCode::OK)
}

/// Sends a request with what the browser has, and lets it keep what comes back.
async fn visit<F>(
    site: &Site,
    browser: &mut UserAgent,
    handler: impl FnOnce(Session) -> F + Send + 'static,
) -> Result<(), String>
where
    F: Future<Output = Answered> + Send + 'static,
{
    let mut request = Request::new(String::new());
    if let Some(cookie) = browser.header("/account", false) {
        let headers = request.headers_mut();
        headers.insert(header::COOKIE, cookie.parse().unwrap());
    }
    let response = send(&site.layer, request, handler).await;
    assert_eq!(response.status(), StatusCode::OK);
    browser.receive(&response)
}

/// What applications may set, each of which a browser must keep.
fn settings() -> Vec<fn(SessionLayerBuilder) -> SessionLayerBuilder> {
    vec![
        |builder| builder,
        |builder| builder.with_same_site(SameSite::Strict),
        |builder| builder.with_same_site(SameSite::None).with_partitioned(),
        |builder| builder.with_name("__Secure-id").with_path("/account"),
        |builder| builder.with_name("__Secure-id").with_domain("example.com"),
        |builder| builder.with_name("id").with_path("/account"),
        |builder| builder.with_lifetime(Lifetime::persistent()),
    ]
}

#[tokio::test]
async fn a_browser_keeps_the_one_cookie_of_every_setting_and_forgets_it_at_logout() {
    for (case, settings) in settings().into_iter().enumerate() {
        let site = Site::with(settings);
        let mut browser = UserAgent::default();
        visit(&site, &mut browser, login).await.unwrap();
        assert_eq!(browser.jar.len(), 1, "case {case}");
        let kept = &browser.jar[0];
        assert!(kept.secure && kept.http_only, "case {case}: {kept:?}");
        assert!(!kept.same_site.is_empty(), "case {case}: {kept:?}");
        visit(&site, &mut browser, logout).await.unwrap();
        assert_eq!(browser.jar, [], "case {case}");
    }
}

#[tokio::test]
async fn a_browser_sends_the_cookie_to_no_other_site_and_not_over_plain_http() {
    let site = Site::new();
    let mut browser = UserAgent::default();
    visit(&site, &mut browser, login).await.unwrap();
    assert!(browser.header("/account", false).is_some());
    assert_eq!(browser.header("/account", true), None);
    browser.plain_http = true;
    assert_eq!(browser.header("/account", false), None);
    let refused = visit(&site, &mut browser, login).await.unwrap_err();
    assert!(refused.contains("plain http"), "{refused}");
}

#[tokio::test]
async fn a_browser_that_is_restarted_keeps_only_a_session_that_is_to_be_remembered() {
    let site = Site::new();
    for (lifetime, kept) in [(Lifetime::new(), 0), (Lifetime::persistent(), 1)] {
        let mut browser = UserAgent::default();
        let login = move |session: Session| async move {
            session.login("1")?;
            session.set_lifetime(lifetime)?;
            Ok(StatusCode::OK)
        };
        visit(&site, &mut browser, login).await.unwrap();
        browser.restart();
        assert_eq!(browser.jar.len(), kept, "{lifetime:?}");
    }
}

#[tokio::test]
async fn a_browser_refuses_what_others_would_plant_under_our_name() {
    let mut browser = UserAgent::default();
    for planted in [
        "__Host-Http-id=x; Path=/; Secure",
        "__Host-Http-id=x; Path=/; Secure; HttpOnly; Domain=example.com",
        "__Host-Http-id=x; Path=/account; Secure; HttpOnly",
        "__Host-Http-id=x; Path=/; HttpOnly",
        "__HOST-HTTP-id=x; Path=/; Secure",
    ] {
        assert!(browser.set(planted).is_err(), "{planted}");
    }
}
