//! Headless Chromium through WebDriver, with a profile of its own.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    ops::Deref,
    path::Path,
    process::{Command, Stdio},
    rc::Rc,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::{
    ChromiumLikeCapabilities, Cookie, DesiredCapabilities, SessionId, WebDriver,
    error::WebDriverResult,
};

use super::{
    process::{Process, port_after},
    shop::Shop,
};

/// The name of the session's cookie.
pub(crate) const NAME: &str = "__Host-Http-id";

pub(crate) struct Browser {
    driver: WebDriver,
    chromedriver: Chromedriver,
    profile: Rc<TempDir>,
}

impl Browser {
    pub(crate) async fn start() -> Self {
        let profile = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Self::start_with(profile.into()).await
    }

    /// Closes the browser as its user would, and starts it again.
    pub(crate) async fn restart(self) -> Self {
        let profile = self.profile.clone();
        drop(self);
        Self::start_with(profile).await
    }

    async fn start_with(profile: Rc<TempDir>) -> Self {
        let chromedriver = Chromedriver::start();
        let capabilities = capabilities(profile.path()).unwrap();
        let driver = WebDriver::new(chromedriver.url(), capabilities).await;
        Self {
            driver: driver.expect("Chromium starts"),
            chromedriver,
            profile,
        }
    }

    /// Returns the session's cookie of the page's site.
    pub(crate) async fn cookie(&self) -> Option<Cookie> {
        let cookies = self.driver.get_all_cookies().await.unwrap();
        cookies.into_iter().find(|cookie| cookie.name == NAME)
    }

    /// Puts a session's cookie into the browser. (WebDriver's own way makes one for a domain, which the prefix forbids.)
    pub(crate) async fn put_cookie(&self, shop: &Shop, cookie: &Cookie) {
        let cookie = json!({
            "name": cookie.name, "value": cookie.value, "url": shop.at("/"),
            "secure": true, "httpOnly": true, "sameSite": "Lax",
        });
        self.devtools("Network.setCookie", cookie).await;
    }

    pub(crate) async fn devtools(&self, command: &str, arguments: Value) -> Value {
        self.driver
            .cdp()
            .send_raw(command, arguments)
            .await
            .unwrap()
    }
}

impl Drop for Browser {
    /// Closes the browser, also when the test has failed. The client's own way would need the runtime that waits here.
    fn drop(&mut self) {
        drop(self.driver.clone().leak());
        self.chromedriver.close(self.driver.session_id());
    }
}

impl Deref for Browser {
    type Target = WebDriver;

    fn deref(&self) -> &WebDriver {
        &self.driver
    }
}

struct Chromedriver {
    _process: Process,
    port: u16,
}

impl Chromedriver {
    fn start() -> Self {
        for program in [CHROMIUM, CHROMEDRIVER] {
            let is_there = Path::new(program).exists();
            assert!(
                is_there,
                "{program} is missing: `./check browser` installs it"
            );
        }
        let mut command = Command::new(CHROMEDRIVER);
        let port = |line: &str| port_after("successfully on port ", line);
        command.arg("--port=0").stderr(Stdio::null());
        let (process, port) = Process::start(&mut command, port);
        Self {
            _process: process,
            port,
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Waits until the browser has closed; then the driver answers, and leaves the connection open.
    fn close(&self, session: &SessionId) {
        let request = format!("DELETE /session/{session} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        connection.write_all(request.as_bytes()).unwrap();
        connection.read_exact(&mut [0]).unwrap();
    }
}

fn capabilities(profile: &Path) -> WebDriverResult<thirtyfour::Capabilities> {
    let mut capabilities = DesiredCapabilities::chrome();
    capabilities.set_binary(CHROMIUM)?;
    for argument in ARGUMENTS {
        capabilities.add_arg(argument)?;
    }
    capabilities.add_arg(&format!("--user-data-dir={}", profile.display()))?;
    Ok(capabilities.into())
}

/// Where Debian's packages `chromium` and `chromium-driver` put them.
const CHROMIUM: &str = "/usr/bin/chromium";
const CHROMEDRIVER: &str = "/usr/bin/chromedriver";

/// No sandbox, which root cannot have; no traffic of its own.
const ARGUMENTS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];
