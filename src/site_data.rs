//! What a browser is told to clear when its user has signed out (W3C Clear Site Data).

use http::{HeaderName, HeaderValue};

/// What a browser keeps of a site, and clears at the end of a session if it is [told to].
///
/// [told to]: crate::SessionLayerBuilder::with_clear_site_data
///
/// ```
/// use tenure::{SessionLayer, SiteData, store::MemoryStore};
///
/// let shared_computers = SessionLayer::builder(MemoryStore::new())
///     .with_clear_site_data([SiteData::Cache, SiteData::Storage])
///     .build();
/// assert!(shared_computers.is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SiteData {
    /// What the browser has cached of this origin.
    Cache,
    /// All cookies, of all hosts of the registered domain: `example.com` signs `shop.example.com` out too, and this layer
    /// those of other layers.
    Cookies,
    /// What scripts of this origin have stored, and its service workers.
    Storage,
}

impl SiteData {
    const fn directive(self) -> &'static str {
        match self {
            Self::Cache => "\"cache\"",
            Self::Cookies => "\"cookies\"",
            Self::Storage => "\"storage\"",
        }
    }
}

/// Writes the header; `None` if there is nothing to clear.
pub(crate) fn header(data: impl IntoIterator<Item = SiteData>) -> Option<HeaderValue> {
    let mut directives: Vec<_> = data.into_iter().map(SiteData::directive).collect();
    directives.sort_unstable();
    directives.dedup();
    let text = directives.join(", ");
    (!text.is_empty()).then(|| HeaderValue::try_from(text).expect("letters and quotes"))
}

pub(crate) const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

#[cfg(test)]
mod tests {
    use super::*;
    use SiteData::{Cache, Cookies, Storage};

    #[test]
    fn each_directive_is_written_once_and_in_quotes() {
        for (data, expected) in [
            (&[][..], None),
            (&[Storage], Some("\"storage\"")),
            (&[Storage, Cache, Storage], Some("\"cache\", \"storage\"")),
            (
                &[Cookies, Storage, Cache],
                Some("\"cache\", \"cookies\", \"storage\""),
            ),
        ] {
            let header = header(data.iter().copied());
            let header = header.as_ref().map(|value| value.to_str().unwrap());
            assert_eq!(header, expected, "{data:?}");
        }
    }
}
