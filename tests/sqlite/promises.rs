//! What users are promised, on a real file.

use super::{
    File,
    bed::promises::{Site, promises},
};

async fn site() -> Site {
    let file = File::new();
    Site::new([file.open().await, file.open().await], file)
}

promises!(site().await);

#[cfg(feature = "keyring")]
mod keyed {
    use super::*;

    promises!(all site().await.keyed());
}
