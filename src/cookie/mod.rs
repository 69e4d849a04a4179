//! The one cookie: its checked settings, how it is read, how it is written, and when it was withheld; and the same id in a
//! header.

pub(crate) mod header;
mod read;
mod withheld;
mod write;

use std::{error, fmt};

pub use header::{HeaderTransport, Transport};
pub(crate) use read::Presented;
pub(crate) use withheld::is_withheld;
pub(crate) use write::Writer;

/// When a browser sends the cookie on requests that another site started (RFC 6265bis section 5.6.7).
///
/// ```
/// use tenure::{SameSite, SessionLayer, store::MemoryStore};
///
/// assert_eq!(SameSite::default(), SameSite::Lax);
/// let builder = SessionLayer::builder(MemoryStore::new()).with_same_site(SameSite::Strict);
/// assert!(builder.build().is_ok());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SameSite {
    /// On top-level navigations by link only. The default: links from elsewhere find the visitor signed in, foreign
    /// forms and scripts do not.
    #[default]
    Lax,
    /// On every request, for pages that are embedded by other sites. Needs `Secure`, and protection against request
    /// forgery of your own.
    None,
    /// Never. Links from elsewhere, OAuth callbacks and e-mails included, find nobody signed in.
    Strict,
}

/// The settings of a layer contradict each other or what browsers accept. The message names the mend.
///
/// ```
/// use tenure::{SessionLayer, store::MemoryStore};
///
/// let error = SessionLayer::builder(MemoryStore::new()).with_name("my cookie").build().unwrap_err();
/// assert_eq!(error.to_string(), "\"my cookie\" is no cookie name; take 1 to 128 letters, digits, `-` and `_`");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(String);

impl ConfigError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl error::Error for ConfigError {}

/// The cookie as it is configured; [`check`](Self::check) turns it into something that reads and writes.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) domain: Option<String>,
    pub(crate) same_site: SameSite,
    pub(crate) secure: bool,
    pub(crate) partitioned: bool,
}

impl Default for Settings {
    /// The name is generic (OWASP), and its prefix makes browsers refuse a cookie that was planted from a sibling
    /// domain, over plain http, or, where they know `Http-`, by a script.
    fn default() -> Self {
        Self {
            name: "__Host-Http-id".into(),
            path: "/".into(),
            domain: None,
            same_site: SameSite::Lax,
            secure: true,
            partitioned: false,
        }
    }
}

impl Settings {
    /// What the cookie is called that is made for plain http.
    pub(crate) const PLAIN_NAME: &str = "id";

    /// Tells whether nobody has chosen a name.
    pub(crate) fn has_default_name(&self) -> bool {
        self.name == Self::default().name || (!self.secure && self.name == Self::PLAIN_NAME)
    }

    /// Checks what browsers would refuse or ignore in silence.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        self.check_name()?;
        self.check_path()?;
        self.check_domain()?;
        self.check_prefix()?;
        self.check_secure()
    }

    fn check_name(&self) -> Result<(), ConfigError> {
        if self.name.is_empty()
            || self.name.len() > MAX_NAME_LEN
            || !self.name.bytes().all(is_token)
        {
            return Err(ConfigError::new(format!(
                "{:?} is no cookie name; take 1 to {MAX_NAME_LEN} letters, digits, `-` and `_`",
                self.name
            )));
        }
        Ok(())
    }

    fn check_path(&self) -> Result<(), ConfigError> {
        let clean = self
            .path
            .bytes()
            .all(|byte| (0x20..0x7f).contains(&byte) && byte != b';');
        if !self.path.starts_with('/') || !clean || self.path.len() > MAX_ATTRIBUTE_LEN {
            return Err(ConfigError::new(format!(
                "{:?} is no cookie path; it begins with `/` and has neither `;` nor control characters",
                self.path
            )));
        }
        Ok(())
    }

    fn check_domain(&self) -> Result<(), ConfigError> {
        let Some(domain) = &self.domain else {
            return Ok(());
        };
        let clean = domain
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
        if domain.is_empty() || !clean || domain.len() > MAX_ATTRIBUTE_LEN {
            return Err(ConfigError::new(format!(
                "{domain:?} is no cookie domain; take a host name such as `example.com`"
            )));
        }
        Ok(())
    }

    /// RFC 6265bis section 5.5: browsers compare prefixes without regard to case.
    fn check_prefix(&self) -> Result<(), ConfigError> {
        let name = self.name.to_ascii_lowercase();
        let prefix = |prefix: &str| name.starts_with(prefix);
        if prefix("__host-") && (self.domain.is_some() || self.path != "/") {
            return Err(ConfigError::new(format!(
                "a cookie named {:?} has no domain and the path `/`; \
                 for another scope choose a name that begins with `__Secure-` by `with_name`",
                self.name
            )));
        }
        if !self.secure && ["__host-", "__secure-", "__http-"].into_iter().any(prefix) {
            return Err(ConfigError::new(format!(
                "browsers refuse a cookie named {:?} without `Secure`; \
                 with `with_insecure_cookie` choose a name without a prefix, or leave the name alone",
                self.name
            )));
        }
        Ok(())
    }

    fn check_secure(&self) -> Result<(), ConfigError> {
        if !self.secure && self.same_site == SameSite::None {
            return Err(ConfigError::new(
                "`SameSite=None` needs `Secure`; drop `with_insecure_cookie` or choose another `SameSite`",
            ));
        }
        if !self.secure && self.partitioned {
            return Err(ConfigError::new(
                "`Partitioned` needs `Secure`; drop `with_insecure_cookie` or `with_partitioned`",
            ));
        }
        Ok(())
    }
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

const MAX_NAME_LEN: usize = 128;

/// RFC 6265bis section 5.6: browsers ignore longer ones.
const MAX_ATTRIBUTE_LEN: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_browsers_refuse_are_errors_that_name_the_mend() {
        let default = Settings::default;
        let insecure = || Settings {
            secure: false,
            name: "id".into(),
            ..default()
        };
        let domain = Some("example.com".to_owned());
        for (case, settings, mend) in [
            (
                "no name",
                Settings {
                    name: "".into(),
                    ..default()
                },
                Some("letters"),
            ),
            (
                "a name with a space",
                Settings {
                    name: "a b".into(),
                    ..default()
                },
                Some("letters"),
            ),
            (
                "a name that injects",
                Settings {
                    name: "a;b".into(),
                    ..default()
                },
                Some("letters"),
            ),
            (
                "a long name",
                Settings {
                    name: "n".repeat(129),
                    ..default()
                },
                Some("128"),
            ),
            (
                "a relative path",
                Settings {
                    path: "shop".into(),
                    ..default()
                },
                Some("begins with `/`"),
            ),
            (
                "a path that injects",
                Settings {
                    path: "/;Domain=x".into(),
                    ..default()
                },
                Some("begins with `/`"),
            ),
            (
                "a path with a line break",
                Settings {
                    path: "/\r\n".into(),
                    ..default()
                },
                Some("control"),
            ),
            (
                "a domain that injects",
                Settings {
                    domain: Some("x; y".into()),
                    ..default()
                },
                Some("host name"),
            ),
            (
                "__Host- with a domain",
                Settings {
                    domain: domain.clone(),
                    ..default()
                },
                Some("__Secure-"),
            ),
            (
                "__Host- with a path",
                Settings {
                    path: "/shop".into(),
                    ..default()
                },
                Some("__Secure-"),
            ),
            (
                "in any case",
                Settings {
                    name: "__hOST-x".into(),
                    path: "/a".into(),
                    ..default()
                },
                Some("__Secure-"),
            ),
            (
                "a prefix without Secure",
                Settings {
                    secure: false,
                    ..default()
                },
                Some("without a prefix"),
            ),
            (
                "None without Secure",
                Settings {
                    same_site: SameSite::None,
                    ..insecure()
                },
                Some("another `SameSite`"),
            ),
            (
                "Partitioned without Secure",
                Settings {
                    partitioned: true,
                    ..insecure()
                },
                Some("with_partitioned"),
            ),
            ("the defaults", default(), None),
            ("plain http", insecure(), None),
            (
                "a shared domain",
                Settings {
                    name: "__Secure-id".into(),
                    domain,
                    ..default()
                },
                None,
            ),
        ] {
            match (settings.check(), mend) {
                (Ok(()), None) => {}
                (Err(error), Some(mend)) => {
                    assert!(error.to_string().contains(mend), "{case}: {error}");
                }
                (result, _) => panic!("{case}: {result:?}"),
            }
        }
    }

    #[test]
    fn the_default_name_tells_nothing_about_the_framework() {
        let name = Settings::default().name.to_ascii_lowercase();
        for telling in ["tenure", "axum", "tower", "rust", "session", "sess", "sid"] {
            assert!(!name.contains(telling), "{telling}");
        }
    }
}
