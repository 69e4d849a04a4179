//! What there is to buy.

use axum::extract::Path;
use maud::{Markup, html};
use tenure::Session;

use crate::{
    page::{Page, price},
    problem::Problem,
};

pub(crate) struct Product {
    pub(crate) id: u32,
    pub(crate) name: &'static str,
    pub(crate) cents: u32,
    words: &'static str,
    color: &'static str,
}

const PRODUCTS: &[Product] = &[
    Product {
        id: 1,
        name: "Teapot",
        cents: 3_400,
        words: "Stoneware, holds a litre and does not drip.",
        color: "#b4552d",
    },
    Product {
        id: 2,
        name: "Cup",
        cents: 900,
        words: "Thin at the rim, thick at the foot.",
        color: "#2d6db4",
    },
    Product {
        id: 3,
        name: "Green tea",
        cents: 1_250,
        words: "A hundred grams of a spring harvest.",
        color: "#4f8a3c",
    },
    Product {
        id: 4,
        name: "Tea tin",
        cents: 1_600,
        words: "Keeps out light and air.",
        color: "#6b5b95",
    },
];

pub(crate) fn product(id: u32) -> Option<&'static Product> {
    PRODUCTS.iter().find(|product| product.id == id)
}

pub(crate) async fn list(session: Session) -> Result<Page, Problem> {
    let products = html! {
        h1 { "Everything for tea" }
        ul.products {
            @for product in PRODUCTS {
                li {
                    a href=(format!("/products/{}", product.id)) { (picture(product)) (product.name) }
                    span.price { (price(product.cents)) }
                    (add_button(product))
                }
            }
        }
    };
    Page::of(&session, "Tea shop", &products)
}

pub(crate) async fn show(session: Session, Path(id): Path<u32>) -> Result<Page, Problem> {
    let product = product(id).ok_or(Problem::NotFound)?;
    let words = html! {
        article.product {
            (picture(product))
            div {
                h1 { (product.name) }
                p { (product.words) }
                p.price { (price(product.cents)) }
                (add_button(product))
            }
        }
    };
    Page::of(&session, product.name, &words)
}

fn add_button(product: &Product) -> Markup {
    html! {
        form method="post" action="/cart" {
            button name="product" value=(product.id) aria-label=(format!("Add {} to the cart", product.name)) { "Add to cart" }
        }
    }
}

fn picture(product: &Product) -> Markup {
    html! {
        svg.picture viewBox="0 0 100 70" role="img" aria-label=(product.name) {
            rect width="100" height="70" rx="6" fill=(product.color) opacity="0.15" {}
            circle cx="50" cy="38" r="20" fill=(product.color) {}
            rect x="30" y="20" width="40" height="5" rx="2" fill=(product.color) {}
        }
    }
}
