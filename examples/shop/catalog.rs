//! What there is to buy.

use axum::extract::Path;
use maud::{Markup, PreEscaped, html};
use tenure::Session;

use crate::{
    page::{Page, price},
    problem::Problem,
};

pub(crate) struct Product {
    pub(crate) id: u32,
    pub(crate) name: &'static str,
    pub(crate) cents: u32,
    line: &'static str,
    words: &'static str,
    picture: &'static str,
}

const PRODUCTS: &[Product] = &[
    Product {
        id: 1,
        name: "Teapot",
        cents: 3_400,
        line: "Stoneware, one litre",
        words: "Thrown in three parts and glazed inside and out. It holds a litre, stays warm for an hour, and does not drip.",
        picture: include_str!("pictures/teapot.svg"),
    },
    Product {
        id: 2,
        name: "Cup",
        cents: 900,
        line: "Thin rim, thick foot",
        words: "Thin where you drink and thick where you hold it. A quarter of a litre; it likes the dishwasher.",
        picture: include_str!("pictures/cup.svg"),
    },
    Product {
        id: 3,
        name: "Green tea",
        cents: 1_250,
        line: "Spring harvest, 100 g",
        words: "Steamed leaves of the first harvest, bright and a little sweet. Eighty degrees, two minutes, three times.",
        picture: include_str!("pictures/green-tea.svg"),
    },
    Product {
        id: 4,
        name: "Black tea",
        cents: 1_100,
        line: "Full leaf, 100 g",
        words: "Whole leaves from the hills, malty and round. Boiling water, three minutes, and it stands milk.",
        picture: include_str!("pictures/black-tea.svg"),
    },
    Product {
        id: 5,
        name: "Tea tin",
        cents: 1_600,
        line: "Keeps out light and air",
        words: "A double lid keeps a hundred grams of tea as they were when you opened the packet.",
        picture: include_str!("pictures/tin.svg"),
    },
    Product {
        id: 6,
        name: "Honey",
        cents: 850,
        line: "Lime blossom, 250 g",
        words: "Gathered under lime trees in July, pale and minty. For those who cannot do without.",
        picture: include_str!("pictures/honey.svg"),
    },
];

pub(crate) fn product(id: u32) -> Option<&'static Product> {
    PRODUCTS.iter().find(|product| product.id == id)
}

pub(crate) async fn list(session: Session) -> Result<Page, Problem> {
    let products = html! {
        h1 { "Everything for tea" }
        p.lead { "Six things, and a cart that never loses one of them." }
        ul.products {
            @for product in PRODUCTS {
                li {
                    a href=(format!("/products/{}", product.id)) {
                        (product.picture())
                        strong { (product.name) }
                    }
                    p { (product.line) }
                    div.buy { span.price { (price(product.cents)) } (add_button(product)) }
                }
            }
        }
    };
    Page::of(&session, "Everything for tea", &products)
}

pub(crate) async fn show(session: Session, Path(id): Path<u32>) -> Result<Page, Problem> {
    let product = product(id).ok_or(Problem::NotFound)?;
    let words = html! {
        article.product {
            (product.picture())
            div {
                h1 { (product.name) }
                p.lead { (product.line) }
                p { (product.words) }
                p.price { (price(product.cents)) }
                (add_form(product))
            }
        }
        p { a href="/" { "← Everything for tea" } }
    };
    Page::of(&session, product.name, &words)
}

impl Product {
    pub(crate) fn picture(&self) -> Markup {
        html! { span.picture role="img" aria-label=(self.name) { (PreEscaped(self.picture)) } }
    }
}

fn add_button(product: &Product) -> Markup {
    html! {
        form method="post" action="/cart" {
            input type="hidden" name="quantity" value="1";
            button name="product" value=(product.id) aria-label=(format!("Add {} to the cart", product.name)) { "Add to cart" }
        }
    }
}

fn add_form(product: &Product) -> Markup {
    html! {
        form.add method="post" action="/cart" {
            label { "Quantity " select name="quantity" { @for n in 1..=6 { option { (n) } } } }
            button.main name="product" value=(product.id) { "Add to cart" }
        }
    }
}
