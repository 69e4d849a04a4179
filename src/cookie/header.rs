//! The id in a header, for clients that keep no cookies.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST,
        LOCATION, SET_COOKIE, TRANSFER_ENCODING, VARY,
    },
};

use super::{ConfigError, Presented, write::sensitive};
use crate::id::Token;

/// How a request has brought its session's id, or asked for one.
///
/// ```
/// use tenure::{Session, Transport};
///
/// /// A header is nothing that a browser sends by itself, so a forged request has none.
/// fn needs_a_token(session: &Session) -> bool {
///     session.transport() == Transport::Cookie
/// }
///
/// let session: Session = Session::for_test([("visits", 1)]);
/// assert!(needs_a_token(&session));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// In the cookie, as browsers do. Also whoever has brought nothing, unless the layer reads no cookie.
    #[default]
    Cookie,
    /// In the layer's [header](HeaderTransport).
    Header,
}

/// The header in which clients that keep no cookies bring their session's id, and in which they are told of it.
///
/// A request that has the header is a *header request*: its cookie is not looked at, whatever the header holds, and its answer
/// sets none. Any other is a cookie request, unless the layer reads [no cookie](Self::without_cookie). A client without an id
/// sends the word `new` in its place. An answer that has the response's header tells of another id, or with the word `ended`
/// that there is none any more. The [guide](crate::_guides::native) has a client.
///
/// ```
/// use axum::{Router, body::Body, http::Request, routing::post};
/// use tenure::{Error, HeaderTransport, Session, SessionLayer, store::MemoryStore};
/// use tower::ServiceExt;
///
/// async fn login(session: Session) -> Result<(), Error> {
///     session.login("ada")
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let layer = SessionLayer::builder(MemoryStore::new())
///     .with_header(HeaderTransport::bearer())
///     .build()
///     .unwrap();
/// let app: Router = Router::new().route("/login", post(login)).layer(layer);
/// let request = Request::post("/login").header("authorization", "Bearer new").body(Body::empty()).unwrap();
/// let response = app.oneshot(request).await.unwrap();
/// assert_eq!(response.headers()["session-id"].len(), 64);
/// assert_eq!(response.headers()["cache-control"], "no-store");
/// assert!(!response.headers().contains_key("set-cookie"));
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct HeaderTransport {
    request: HeaderName,
    response: HeaderName,
    /// The id stands behind the scheme `Bearer`.
    is_bearer: bool,
    /// No cookie is read or set.
    is_alone: bool,
}

impl HeaderTransport {
    /// Reads `Authorization: Bearer …` (RFC 6750), and answers in `session-id`.
    ///
    /// Other schemes are not looked at, so a proxy may ask for `Basic`. An application that has other bearer tokens takes
    /// a [name of its own](Self::named).
    ///
    /// ```
    /// use tenure::{HeaderTransport, SessionLayer, store::MemoryStore};
    ///
    /// let api = SessionLayer::builder(MemoryStore::new()).with_header(HeaderTransport::bearer());
    /// assert!(api.build().is_ok());
    /// ```
    #[must_use]
    pub const fn bearer() -> Self {
        Self {
            request: AUTHORIZATION,
            response: HeaderName::from_static("session-id"),
            is_bearer: true,
            is_alone: false,
        }
    }

    /// Reads the id in a header of this name, and answers in the same.
    ///
    /// ```
    /// use http::HeaderName;
    /// use tenure::{HeaderTransport, SessionLayer, store::MemoryStore};
    ///
    /// let by = |name| SessionLayer::builder(MemoryStore::new()).with_header(HeaderTransport::named(name));
    /// assert!(by(HeaderName::from_static("shop-session")).build().is_ok());
    /// let error = by(http::header::VARY).build().unwrap_err();
    /// assert!(error.to_string().contains("choose a name of your own"));
    /// ```
    #[must_use]
    pub fn named(name: HeaderName) -> Self {
        Self {
            request: name.clone(),
            response: name,
            is_bearer: false,
            is_alone: false,
        }
    }

    /// Answers in a header of this name.
    ///
    /// ```
    /// use http::HeaderName;
    /// use tenure::{HeaderTransport, SessionLayer, store::MemoryStore};
    ///
    /// let header = HeaderTransport::bearer().with_response_name(HeaderName::from_static("shop-session"));
    /// assert!(SessionLayer::builder(MemoryStore::new()).with_header(header).build().is_ok());
    /// ```
    #[must_use]
    pub fn with_response_name(mut self, name: HeaderName) -> Self {
        self.response = name;
        self
    }

    /// Reads and sets no cookie: every request is a header request. Default: the cookie is read where the header is missing.
    ///
    /// For an address that no browser visits. Nothing that a browser sends by itself opens a session there, so no request
    /// can be forged.
    ///
    /// ```
    /// use axum::{Router, body::Body, http::Request, routing::get};
    /// use tenure::{HeaderTransport, Principal, SessionLayer, store::MemoryStore, testing::signed_in_by_header};
    /// use tower::ServiceExt;
    ///
    /// async fn who(Principal(user): Principal<String>) -> String {
    ///     user
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let layer = SessionLayer::builder(MemoryStore::new())
    ///     .with_header(HeaderTransport::bearer().without_cookie())
    ///     .build()
    ///     .unwrap();
    /// let app: Router = Router::new().route("/", get(who)).layer(layer.clone());
    /// let (name, value) = signed_in_by_header(&layer, "ada").await;
    /// let request = Request::get("/").header(name, value).body(Body::empty()).unwrap();
    /// assert_eq!(app.oneshot(request).await.unwrap().status(), 200);
    /// # });
    /// ```
    #[must_use]
    pub const fn without_cookie(mut self) -> Self {
        self.is_alone = true;
        self
    }

    /// Checks that neither name is one that HTTP or this crate uses for something else.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let request = Some(&self.request).filter(|_| !self.is_bearer);
        let mut names = request.into_iter().chain([&self.response]);
        match names.find(|name| TAKEN.contains(name)) {
            Some(name) => Err(ConfigError::new(format!(
                "`{name}` means something else in HTTP; choose a name of your own, such as `session-id`"
            ))),
            None => Ok(()),
        }
    }

    /// Finds the ids of a request; `None` if it is no header request.
    fn read(&self, headers: &HeaderMap) -> Option<Presented> {
        let fields = headers.get_all(&self.request).into_iter();
        let values = fields.filter_map(|field| self.value(field.as_bytes()));
        let mut presented = self.is_alone.then(Presented::default);
        for value in values {
            let presented = presented.get_or_insert_default();
            if value != NEW {
                presented.add(value);
            }
        }
        presented
    }

    /// Returns what stands where an id belongs; `None` if the field is not about ours.
    fn value<'a>(&self, field: &'a [u8]) -> Option<&'a [u8]> {
        if !self.is_bearer {
            return Some(field);
        }
        let (scheme, rest) = field.split_at_checked(BEARER.len())?;
        let is_ours = scheme.eq_ignore_ascii_case(BEARER);
        let value = rest.trim_ascii_start();
        (is_ours && (rest.is_empty() || value.len() < rest.len())).then_some(value)
    }

    /// Keeps the id out of `Debug` for all that see the request after us.
    pub(crate) fn redact(&self, headers: &mut HeaderMap) {
        if let http::header::Entry::Occupied(mut fields) = headers.entry(&self.request) {
            let fields = fields.iter_mut();
            fields.for_each(|field| field.set_sensitive(true));
        }
    }

    pub(crate) const fn reads_cookie(&self) -> bool {
        !self.is_alone
    }

    pub(crate) const fn request_name(&self) -> &HeaderName {
        &self.request
    }

    pub(crate) const fn response_name(&self) -> &HeaderName {
        &self.response
    }

    /// Returns a name in which both would read, or both would tell.
    pub(crate) fn shared_with(&self, other: &Self) -> Option<&HeaderName> {
        if self.request == other.request {
            return Some(&self.request);
        }
        (self.response == other.response).then_some(&self.response)
    }

    /// Writes what a request has to bring, for tests.
    pub(crate) fn bring(&self, id: &[u8]) -> HeaderValue {
        let scheme: &[u8] = if self.is_bearer { b"Bearer " } else { b"" };
        let value = HeaderValue::try_from([scheme, id].concat());
        sensitive(value.expect("letters, digits, `-` and `_`"))
    }
}

/// Finds a request's ids, and how it has brought them: the header wins, and what it says is not mixed with the cookie.
pub(crate) fn presented(
    header: Option<&HeaderTransport>,
    headers: &HeaderMap,
    cookie_name: &str,
) -> (Transport, Presented) {
    match header.and_then(|header| header.read(headers)) {
        Some(presented) => (Transport::Header, presented),
        None => (Transport::Cookie, Presented::read(headers, cookie_name)),
    }
}

/// Tells a client its id.
pub(crate) fn told(token: &Token) -> HeaderValue {
    let mut text = [0; Token::CHARS];
    token.write(&mut text);
    sensitive(HeaderValue::from_bytes(&text).expect("base64url"))
}

/// What a client sends that has no id yet.
const NEW: &[u8] = b"new";

/// What a client is told that has no session any more.
pub(crate) const ENDED: HeaderValue = HeaderValue::from_static("ended");

const BEARER: &[u8] = b"Bearer";

/// Names that an id would be lost in, or would break a response by.
const TAKEN: [HeaderName; 11] = [
    AUTHORIZATION,
    CACHE_CONTROL,
    CONNECTION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    COOKIE,
    HOST,
    LOCATION,
    SET_COOKIE,
    TRANSFER_ENCODING,
    VARY,
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHOP: HeaderName = HeaderName::from_static("shop-session");

    fn id(fill: char) -> String {
        fill.to_string().repeat(Token::CHARS)
    }

    /// Returns the ids' first characters and how many different values there were; `None` for a cookie request.
    fn found(header: &HeaderTransport, fields: &[(HeaderName, String)]) -> Option<(String, usize)> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, value.parse().unwrap());
        }
        let (transport, presented) = presented(Some(header), &headers, "id");
        (transport == Transport::Header).then(|| presented.found())
    }

    #[test]
    fn a_header_holds_an_id_or_asks_for_one_or_is_malformed_and_never_leaves_it_to_the_cookie() {
        let (bearer, named) = (HeaderTransport::bearer(), HeaderTransport::named(SHOP));
        let (a, b) = (id('a'), id('b'));
        let none: Option<(&str, usize)> = None;
        for (case, header, values, expected) in [
            ("nothing", &bearer, vec![], none),
            (
                "an id",
                &bearer,
                vec![format!("Bearer {a}")],
                Some(("a", 1)),
            ),
            (
                "in any case",
                &bearer,
                vec![format!("bEARER {a}")],
                Some(("a", 1)),
            ),
            (
                "two spaces",
                &bearer,
                vec![format!("Bearer  {a}")],
                Some(("a", 1)),
            ),
            (
                "without one",
                &bearer,
                vec!["Bearer new".into()],
                Some(("", 0)),
            ),
            (
                "the scheme alone",
                &bearer,
                vec!["Bearer".into()],
                Some(("", 1)),
            ),
            ("a JWT", &bearer, vec!["Bearer e.y.J".into()], Some(("", 1))),
            (
                "too long",
                &bearer,
                vec![format!("Bearer {a}a")],
                Some(("", 1)),
            ),
            (
                "a space behind",
                &bearer,
                vec![format!("Bearer {a} ")],
                Some(("", 1)),
            ),
            (
                "a parameter",
                &bearer,
                vec![format!("Bearer {a}, x=y")],
                Some(("", 1)),
            ),
            (
                "another case of new",
                &bearer,
                vec!["Bearer New".into()],
                Some(("", 1)),
            ),
            ("another scheme", &bearer, vec!["Basic YTpi".into()], none),
            (
                "a longer scheme",
                &bearer,
                vec![format!("Bearers {a}")],
                none,
            ),
            ("no scheme", &bearer, vec![a.clone()], none),
            ("a short field", &bearer, vec!["Bear".into()], none),
            (
                "another scheme beside it",
                &bearer,
                vec!["Basic YTpi".into(), format!("Bearer {a}")],
                Some(("a", 1)),
            ),
            (
                "twice the same",
                &bearer,
                vec![format!("Bearer {a}"), format!("Bearer {a}")],
                Some(("a", 1)),
            ),
            (
                "two ids",
                &bearer,
                vec![format!("Bearer {a}"), format!("Bearer {b}")],
                Some(("ab", 2)),
            ),
            (
                "an id, and a wish for one",
                &bearer,
                vec!["Bearer new".into(), format!("Bearer {a}")],
                Some(("a", 1)),
            ),
            (
                "five ids",
                &bearer,
                "abcde"
                    .chars()
                    .map(|fill| format!("Bearer {}", id(fill)))
                    .collect(),
                Some(("", 5)),
            ),
            ("a name", &named, vec![a.clone()], Some(("a", 1))),
            (
                "a name, without one",
                &named,
                vec!["new".into()],
                Some(("", 0)),
            ),
            ("a name, empty", &named, vec![String::new()], Some(("", 1))),
            (
                "a name, and a scheme",
                &named,
                vec![format!("Bearer {a}")],
                Some(("", 1)),
            ),
            (
                "a name, two in one field",
                &named,
                vec![format!("{a}, {b}")],
                Some(("", 1)),
            ),
            (
                "a name, a malformed one beside it",
                &named,
                vec!["x".into(), a],
                Some(("a", 2)),
            ),
        ] {
            let name = header.request_name();
            let mut fields: Vec<_> = values
                .into_iter()
                .map(|value| (name.clone(), value))
                .collect();
            fields.push((COOKIE, format!("id={}", id('c'))));
            let expected = expected.map(|(ids, values)| (ids.to_owned(), values));
            assert_eq!(found(header, &fields), expected, "{case}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_the_parser_panic(values in proptest::collection::vec(
            proptest::collection::vec((0x20_u8..=0xff).prop_filter("no field", |byte| *byte != 0x7f), 0..90), 0..9,
        )) {
            for header in [HeaderTransport::bearer(), HeaderTransport::named(SHOP)] {
                let mut headers = HeaderMap::new();
                for value in &values {
                    let value = [b"bearer ".as_slice(), value].concat();
                    headers.append(header.request_name(), HeaderValue::from_bytes(&value).unwrap());
                }
                let (_, presented) = presented(Some(&header), &headers, "id");
                let (ids, found) = presented.found();
                prop_assert!(ids.len() <= found && found <= values.len());
            }
        }
    }

    #[test]
    fn without_a_cookie_every_request_is_a_header_request() {
        let alone = HeaderTransport::bearer().without_cookie();
        let cookie = (COOKIE, format!("id={}", id('c')));
        assert_eq!(found(&alone, &[cookie]), Some((String::new(), 0)));
    }

    #[test]
    fn names_that_mean_something_else_are_refused() {
        let bearer = HeaderTransport::bearer;
        for (case, header, is_ok) in [
            ("bearer", bearer(), true),
            ("a name", HeaderTransport::named(SHOP), true),
            ("a cookie", HeaderTransport::named(COOKIE), false),
            ("no scheme", HeaderTransport::named(AUTHORIZATION), false),
            ("an answer", bearer().with_response_name(SET_COOKIE), false),
            (
                "an answer too",
                bearer().with_response_name(AUTHORIZATION),
                false,
            ),
            ("another answer", bearer().with_response_name(SHOP), true),
        ] {
            assert_eq!(header.check().is_ok(), is_ok, "{case}");
        }
    }

    #[test]
    fn an_id_in_a_header_is_sensitive_on_both_ways() {
        let token = Token::parse(id('a').as_bytes()).unwrap();
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, "Basic YTpi".parse().unwrap());
        headers.append(
            AUTHORIZATION,
            format!("Bearer {}", id('a')).parse().unwrap(),
        );
        HeaderTransport::bearer().redact(&mut headers);
        headers.insert(SHOP, told(&token));
        assert!(headers.values().all(HeaderValue::is_sensitive));
        assert!(!format!("{headers:?}").contains("aaaa"));
    }
}
