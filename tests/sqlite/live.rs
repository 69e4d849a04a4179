//! What is promised of sessions that have left their request, on a real file.

use super::{
    File,
    bed::live::{Site, live},
};

async fn site() -> Site {
    let file = File::new();
    Site::new([file.open().await, file.open().await], file)
}

live!(site().await);
