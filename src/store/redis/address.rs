//! What a URL says: where the servers are, how they go together, and how to be let in.

use std::{collections::HashMap, fmt, path::PathBuf};

use ::redis::{
    ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, RedisError,
    parse_redis_url,
};

use super::tls::Tls;
use crate::store::SetupError;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Address {
    Tcp(String, u16),
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// How a server lets one in.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) settings: RedisConnectionInfo,
    pub(super) tls: Option<Tls>,
}

/// How servers go together.
#[derive(Clone)]
pub(super) enum Topology {
    Alone(Address),
    Cluster(Vec<Address>),
    Sentinels(Sentinels),
}

/// Who knows which server is the primary.
#[derive(Clone)]
pub(super) struct Sentinels {
    pub(super) addresses: Vec<Address>,
    pub(super) service: String,
    pub(super) access: Access,
}

/// A URL in its parts.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) topology: Topology,
    pub(super) access: Access,
}

impl Place {
    /// Encrypts connections as somebody else has set it up.
    #[cfg(feature = "redis-tls")]
    pub(super) fn set_tls(&mut self, tls: &Tls) {
        let set = |access: &mut Access| access.tls = access.tls.as_ref().map(|_| tls.clone());
        set(&mut self.access);
        if let Topology::Sentinels(sentinels) = &mut self.topology {
            set(&mut sentinels.access);
        }
    }

    pub(super) fn parse(url: &str) -> Result<Self, SetupError> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(bad("there is no `://`"));
        };
        let scheme = scheme.replacen("valkey", "redis", 1);
        let (kind, tls) = match scheme.strip_prefix("rediss") {
            Some(kind) => (kind, Some(Tls::new()?)),
            None => (scheme.strip_prefix("redis").unwrap_or(&scheme), None),
        };
        match kind {
            "" => Self::alone("redis", rest, tls),
            "+unix" | "unix" => Self::alone("unix", rest, tls),
            "-cluster" => Self::cluster(rest, tls),
            "-sentinel" => Self::sentinels(rest, tls),
            _ => Err(bad("its scheme is unknown")),
        }
    }

    fn alone(scheme: &str, rest: &str, tls: Option<Tls>) -> Result<Self, SetupError> {
        let known: &[&str] = match scheme {
            "unix" => &["db", "user", "pass"],
            _ => &[],
        };
        parameters(rest, known)?;
        let info = info(&format!("{scheme}://{rest}"))?;
        Ok(Self {
            topology: Topology::Alone(address(&info)?),
            access: access(&info, tls),
        })
    }

    fn cluster(rest: &str, tls: Option<Tls>) -> Result<Self, SetupError> {
        parameters(rest, &[])?;
        let (info, addresses) = several(rest, 6379)?;
        if info.redis_settings().db() != 0 {
            return Err(bad("a cluster has one database"));
        }
        Ok(Self {
            topology: Topology::Cluster(addresses),
            access: access(&info, tls),
        })
    }

    fn sentinels(rest: &str, tls: Option<Tls>) -> Result<Self, SetupError> {
        let known = ["service", "sentinel_username", "sentinel_password"];
        let mut parameters = parameters(rest, &known)?;
        let (info, addresses) = several(rest, 26379)?;
        let mut parameter = |name| parameters.remove(name);
        let service = parameter("service").ok_or_else(|| bad("it has no `?service=name`"))?;
        let mut settings = RedisConnectionInfo::default().set_skip_set_lib_name();
        if let Some(username) = parameter("sentinel_username") {
            settings = settings.set_username(username);
        }
        if let Some(password) = parameter("sentinel_password") {
            settings = settings.set_password(password);
        }
        let sentinels = Sentinels {
            addresses,
            service,
            access: Access {
                settings,
                tls: tls.clone(),
            },
        };
        Ok(Self {
            topology: Topology::Sentinels(sentinels),
            access: access(&info, tls),
        })
    }
}

/// Reads what follows `://` where there may be several hosts, and the ports may be left out.
fn several(rest: &str, port: u16) -> Result<(ConnectionInfo, Vec<Address>), SetupError> {
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (format!("{user}@"), hosts),
        None => (String::new(), authority),
    };
    let infos = hosts.split(',').map(|host| {
        // In `[::1]` a colon is no port's.
        let has_port = host.rsplit(']').next().is_some_and(|end| end.contains(':'));
        let port = if has_port {
            String::new()
        } else {
            format!(":{port}")
        };
        info(&format!("redis://{user}{host}{port}{tail}"))
    });
    let infos: Vec<_> = infos.collect::<Result<_, _>>()?;
    let addresses = infos.iter().map(address).collect::<Result<_, _>>()?;
    let first = infos.into_iter().next();
    Ok((first.ok_or_else(|| bad("it has no host"))?, addresses))
}

fn info(url: &str) -> Result<ConnectionInfo, SetupError> {
    url.into_connection_info()
        .map_err(|error: RedisError| bad(error))
}

fn address(info: &ConnectionInfo) -> Result<Address, SetupError> {
    match info.addr() {
        ConnectionAddr::Tcp(host, port) => Ok(Address::Tcp(host.clone(), *port)),
        ConnectionAddr::Unix(path) => Ok(Address::Unix(path.clone())),
        _ => Err(bad("it has no host and no path")),
    }
}

fn access(info: &ConnectionInfo, tls: Option<Tls>) -> Access {
    // Two commands for each connection that tell the server what this is: rights may be missing.
    let settings = info.redis_settings().clone().set_skip_set_lib_name();
    Access { settings, tls }
}

/// Returns the parameters, and refuses what would be ignored. That is not repeated: it may be a part of a password.
fn parameters(rest: &str, known: &[&str]) -> Result<HashMap<String, String>, SetupError> {
    if rest.contains('#') {
        return Err(bad("it has a `#`, which in a password is `%23`"));
    }
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let url = parse_redis_url(&format!("redis://host?{query}"));
    let pairs = url.iter().flat_map(|url| url.query_pairs());
    let found: HashMap<_, _> = pairs
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    if found.keys().all(|name| known.contains(&name.as_str())) {
        return Ok(found);
    }
    let known = match known {
        [] => "none".to_owned(),
        _ => known.join(", "),
    };
    let cause = format!("of parameters it may have: {known}; in a password `?` is `%3F`");
    Err(bad(cause))
}

pub(super) fn bad(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> SetupError {
    let example = "redis://host:6379`, `redis-sentinel://host:26379,host:26379?service=name` or \
                   `redis-cluster://host:6379,host:6379";
    SetupError::url(example, source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::link::in_full;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp(host.to_owned(), port)
    }

    fn parsed(url: &str) -> Place {
        Place::parse(url).unwrap_or_else(|error| panic!("{url}: {error:?}"))
    }

    fn login(access: &Access) -> (Option<&str>, Option<&str>, i64) {
        let settings = &access.settings;
        (settings.username(), settings.password(), settings.db())
    }

    #[test]
    fn one_server_has_an_address_and_a_login() {
        for (url, address, expected) in [
            ("redis://host", tcp("host", 6379), (None, None, 0)),
            ("valkey://[::1]:7000/2", tcp("::1", 7000), (None, None, 2)),
            (
                "redis://app:a%40b@host",
                tcp("host", 6379),
                (Some("app"), Some("a@b"), 0),
            ),
            (
                "redis+unix:///run/redis.sock",
                Address::Unix("/run/redis.sock".into()),
                (None, None, 0),
            ),
            (
                "unix:///run/redis.sock?db=3",
                Address::Unix("/run/redis.sock".into()),
                (None, None, 3),
            ),
        ] {
            let place = parsed(url);
            match &place.topology {
                Topology::Alone(found) => assert_eq!(*found, address, "{url}"),
                _ => panic!("{url}"),
            }
            assert_eq!(login(&place.access), expected, "{url}");
        }
    }

    #[test]
    fn a_cluster_has_some_addresses_and_one_login() {
        let place = parsed("redis-cluster://app:pw@a,b:7000,[::1]:7001,[::2]");
        let Topology::Cluster(addresses) = &place.topology else {
            panic!("no cluster");
        };
        let expected = [
            tcp("a", 6379),
            tcp("b", 7000),
            tcp("::1", 7001),
            tcp("::2", 6379),
        ];
        assert_eq!(addresses[..], expected);
        assert_eq!(login(&place.access), (Some("app"), Some("pw"), 0));
    }

    #[test]
    fn sentinels_have_a_port_and_a_login_of_their_own() {
        let query = "service=my%20shop&sentinel_username=watch&sentinel_password=man";
        let place = parsed(&format!("redis-sentinel://app:pw@a,b:7000/2?{query}"));
        let Topology::Sentinels(sentinels) = &place.topology else {
            panic!("no Sentinels");
        };
        assert_eq!(sentinels.addresses[..], [tcp("a", 26379), tcp("b", 7000)]);
        assert_eq!(sentinels.service, "my shop");
        assert_eq!(login(&sentinels.access), (Some("watch"), Some("man"), 0));
        assert_eq!(login(&place.access), (Some("app"), Some("pw"), 2));
    }

    #[test]
    fn what_would_be_ignored_is_refused_and_not_repeated() {
        for (url, mend) in [
            ("redis://host?secret=1", "have: none"),
            ("redis://host/2?db=2", "have: none"),
            ("redis://:pw?secret@host", "`%3F`"),
            ("redis://:pw#secret@host", "`%23`"),
            ("redis-cluster://host?service=shop&secret", "have: none"),
            (
                "redis-sentinel://host?service=shop&secret=1",
                "have: service, sentinel_username, ",
            ),
            ("unix:///run/redis.sock?secret=1", "have: db, user, pass"),
            ("postgres://host?secret=1", "its scheme is unknown"),
        ] {
            let error = Place::parse(url).err().expect(url);
            let text = in_full(&error);
            assert!(text.contains(mend), "{url}: {text}");
            assert!(!text.contains("secret"), "{url}: {text}");
        }
        parsed("redis://host?");
    }

    #[test]
    fn tls_is_a_matter_of_the_scheme_and_of_the_feature() {
        for url in [
            "redis://a",
            "redis-cluster://a",
            "redis-sentinel://a?service=b",
            "valkey://a",
        ] {
            assert!(parsed(url).access.tls.is_none(), "{url}");
            let url = url
                .replacen("redis", "rediss", 1)
                .replacen("valkey", "valkeys", 1);
            let is_encrypted = Place::parse(&url).map(|place| place.access.tls.is_some());
            let expected = cfg!(feature = "redis-tls").then_some(true);
            assert_eq!(is_encrypted.ok(), expected, "{url}");
        }
    }
}
