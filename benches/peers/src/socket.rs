//! The pages of the example `shop` over a real socket, asked by wrk.

use crate::{
    bed::{
        customer::Customer,
        process::{Process, port_after},
    },
    build,
    options::Options,
};

/// How a page was answered.
pub(crate) struct Page {
    pub(crate) what: &'static str,
    /// Requests a second.
    pub(crate) rate: String,
    /// As wrk writes them, with their units.
    pub(crate) p50: String,
    pub(crate) p99: String,
    /// What wrk says of answers that were none, or not good.
    pub(crate) trouble: Option<String>,
}

/// Asks the shop's first page, whose sessions are in memory; or says what is missing.
pub(crate) async fn measure(options: &Options) -> Result<Vec<Page>, &'static str> {
    if !build::is_here("wrk") {
        return Err(MISSING);
    }
    build::build("shop");
    eprintln!("The shop");
    let mut command = build::program("shop");
    command.args(["--port", "0", "--store", "memory"]);
    let (_shop, port) = Process::start(&mut command, |line| port_after("http://localhost:", line));
    let cookie = fill_a_cart(port).await;
    let ask = |what, cookie: Option<&str>| page(what, port, cookie, options);
    Ok(vec![
        ask("`/` without a cookie", None),
        ask("`/` with a session that has a cart", Some(&cookie)),
    ])
}

/// Begins a session, and returns its cookie.
async fn fill_a_cart(port: u16) -> String {
    let mut customer = Customer::new(port);
    let page = customer.post("/cart", "product=1&quantity=2").await;
    let set = page.headers.get("set-cookie").expect("a cookie");
    let text = set.to_str().expect("it is ASCII");
    text.split(';').next().unwrap_or_default().to_owned()
}

fn page(what: &'static str, port: u16, cookie: Option<&str>, options: &Options) -> Page {
    let seconds = if options.is_quick { "1s" } else { "10s" };
    let mut wrk = std::process::Command::new("wrk");
    wrk.args(["--latency", "-t2", "-c64", "-d", seconds]);
    if let Some(cookie) = cookie {
        wrk.arg("-H").arg(format!("Cookie: {cookie}"));
    }
    wrk.arg(format!("http://127.0.0.1:{port}/"));
    let told = build::output(&mut wrk);
    let after = |name| after(&told, name).unwrap_or_else(|| panic!("wrk says:\n{told}"));
    Page {
        what,
        rate: after("Requests/sec:"),
        p50: after("50%"),
        p99: after("99%"),
        trouble: ["Socket errors:", "Non-2xx"]
            .iter()
            .find_map(|name| line(&told, name)),
    }
}

fn after(told: &str, name: &str) -> Option<String> {
    let line = line(told, name)?;
    line.strip_prefix(name).map(|rest| rest.trim().to_owned())
}

fn line(told: &str, name: &str) -> Option<String> {
    let mut lines = told.lines().map(str::trim);
    lines.find(|line| line.starts_with(name)).map(str::to_owned)
}

const MISSING: &str = "wrk is not installed: install the package `wrk` (`apt-get install wrk`, `dnf install wrk`, \
    `brew install wrk`), then run this again with `--only socket`";
