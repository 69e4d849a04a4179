//! What is promised of the sessions of a principal, on a real file.

use super::{
    File,
    bed::principals::{Site, principals},
};

async fn site() -> Site {
    let file = File::new();
    Site::new([file.open().await, file.open().await], file)
}

principals!(site().await);
