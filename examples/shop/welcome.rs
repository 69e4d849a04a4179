//! What the shop says when it opens: where it is, and which browsers keep its cookie there.

pub(crate) fn print(port: u16, insecure_cookie: bool) {
    println!("The shop is open: http://localhost:{port}");
    println!(
        "{}",
        if insecure_cookie { INSECURE } else { SECURE }.replace("PORT", &port.to_string())
    );
}

const SECURE: &str = "
Its cookie is `Secure`. On plain http, at this address, a browser
  keeps it:    Chromium, Chrome, Edge (seen with Chromium 156, also at http://127.0.0.1:PORT)
               Firefox from 75 (https://bugzilla.mozilla.org/show_bug.cgi?id=1618113)
  drops it:    Safari (https://bugs.webkit.org/show_bug.cgi?id=281149), curl at 127.0.0.1
Where it is dropped, each page finds a new visitor: start the shop with --insecure-cookie there.
";

const INSECURE: &str = "
Its cookie is not `Secure`, has no prefix, and is called `id`: every browser keeps it here, and on a network everybody
could read it. This is for development alone.
";
