//! What the shop says when it opens: where it is, where it keeps everything, and which browsers keep its cookie there.

use crate::{options::Options, stores};

pub(crate) fn print(port: u16, options: &Options) {
    println!("The shop is open: http://localhost:{port}");
    println!(
        "It keeps what it knows {}.",
        stores::in_words(&options.store, options.data.as_deref())
    );
    let about = if options.insecure_cookie {
        INSECURE
    } else {
        SECURE
    };
    println!("{}", about.replace("PORT", &port.to_string()));
}

/// `tests/browser/cookie.rs` sees what Chromium does; the others are their makers' word.
const SECURE: &str = "
Its cookie is `Secure`, and this is plain http. At this address
  Chromium keeps it    seen with 156, also at http://127.0.0.1:PORT
  curl keeps it        seen with 7.88, at both
  Firefox keeps it     https://bugzilla.mozilla.org/show_bug.cgi?id=1618113
  Safari drops it      https://bugs.webkit.org/show_bug.cgi?id=281149, mended in 2026
A browser that drops it finds an empty cart on every page: start the shop with --insecure-cookie for it.
";

const INSECURE: &str = "
Its cookie is not `Secure`, has no prefix, and is called `id`: every browser keeps it here, and on a network everybody
could read it. This is for development alone.
";
