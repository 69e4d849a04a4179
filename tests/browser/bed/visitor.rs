//! What a visitor does in the shop, and sees there.

use std::time::Duration;

use thirtyfour::{By, WebElement};

use super::{browser::Browser, shop::Shop};

impl Browser {
    /// Presses what leads to another page, and waits for that page.
    pub(crate) async fn press(&self, css: &str) {
        self.execute("window.isOld = true", []).await.unwrap();
        self.element(css).await.click().await.unwrap();
        self.wait_for_a_new_page().await;
    }

    /// Waits for a page that is not marked as old.
    pub(crate) async fn wait_for_a_new_page(&self) {
        let wait = async { while !self.is_on_a_new_page().await {} };
        let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
        waited.expect("another page comes");
    }

    /// While one page makes way for another there is none to ask.
    async fn is_on_a_new_page(&self) -> bool {
        let ask = "return !window.isOld && document.readyState === 'complete'";
        let answer = self.execute(ask, []).await;
        answer.is_ok_and(|answer| *answer.json() == true)
    }

    pub(crate) async fn tick(&self, css: &str) {
        self.element(css).await.click().await.unwrap();
    }

    pub(crate) async fn fill(&self, name: &str, text: &str) {
        let field = self.element(&format!("[name={name}]")).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Puts a product into the cart.
    pub(crate) async fn add(&self, shop: &Shop, product: u32) {
        let page = shop.at(&format!("/products/{product}"));
        self.goto(page).await.unwrap();
        self.press(".add button").await;
    }

    pub(crate) async fn sign_up(&self, shop: &Shop) {
        self.goto(shop.at("/signup")).await.unwrap();
        self.fill("name", "Ada").await;
        self.sign("ada@example.org", PASSWORD).await;
    }

    pub(crate) async fn sign_in(&self, shop: &Shop) {
        self.goto(shop.at("/login")).await.unwrap();
        self.sign("ada@example.org", PASSWORD).await;
    }

    /// Signs in and says to be kept signed in.
    pub(crate) async fn sign_in_for_long(&self, shop: &Shop) {
        self.goto(shop.at("/login")).await.unwrap();
        self.tick("[name=remember]").await;
        self.sign("ada@example.org", PASSWORD).await;
    }

    pub(crate) async fn sign(&self, email: &str, password: &str) {
        self.fill("email", email).await;
        self.fill("password", password).await;
        self.press(".fields .main").await;
    }

    pub(crate) async fn sign_out(&self) {
        self.press("[action='/logout'] button").await;
    }

    pub(crate) async fn check_out(&self, shop: &Shop) {
        self.goto(shop.at("/checkout")).await.unwrap();
        self.fill("address", ADDRESS).await;
        self.press(".fields .main").await;
    }

    /// Returns how many things are in the cart, as each page shows it.
    pub(crate) async fn count(&self) -> u32 {
        self.text(".count").await.parse().unwrap()
    }

    /// Returns who is signed in, as the corner about the session shows it; `None` where there is no session.
    pub(crate) async fn name(&self) -> Option<String> {
        let names = By::XPath("//dt[.='Signed in as']/following-sibling::dd[1]");
        let name = self.find_all(names).await.unwrap().pop()?;
        Some(name.text().await.unwrap())
    }

    pub(crate) async fn text(&self, css: &str) -> String {
        self.element(css).await.text().await.unwrap()
    }

    /// Waits until a part of the page is seen, and says this.
    pub(crate) async fn shows(&self, css: &str, words: &str) {
        let wait = "const [css, words, done] = arguments;
            const is = (part) => part.checkVisibility() && part.textContent === words;
            const look = () => [...document.querySelectorAll(css)].some(is) ? done() : setTimeout(look, 10);
            look()";
        let arguments = [css.into(), words.into()];
        let waited = self.execute_async(wait, arguments).await;
        waited.unwrap_or_else(|error| panic!("{css} does not say {words:?}: {error}"));
    }

    /// Opens the page where the shop is asked, and waits until what is new appears by itself.
    pub(crate) async fn open_chat(&self, shop: &Shop) {
        self.goto(shop.at("/help")).await.unwrap();
        self.shows("#state", "What is new appears by itself.").await;
    }

    pub(crate) async fn ask(&self, words: &str) {
        self.fill("words", words).await;
        self.tick(".ask button").await;
    }

    /// Returns the path of the page.
    pub(crate) async fn path(&self) -> String {
        self.current_url().await.unwrap().path().to_owned()
    }

    async fn element(&self, css: &str) -> WebElement {
        let found = self.find(By::Css(css)).await;
        found.unwrap_or_else(|_| panic!("there is no {css} on the page"))
    }
}

const PASSWORD: &str = "four blue kettles";
const ADDRESS: &str = "Ada\n12 Mill Lane\nCambridge";
