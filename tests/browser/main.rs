//! What a real browser makes of it: the shop, and the chat, in headless Chromium.
//!
//! `./check browser` runs these; it installs Chromium where it is missing and builds both.

mod bed;
mod chat;
mod clearing;
mod cookie;
mod cross_site;
mod devices;
mod errors;
mod help;
mod login;
mod operator;
mod restart;
mod tabs;
mod tour;
