//! A folder that is there as long as its test.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// An empty folder of the system's place for temporary files, removed on drop with all that is in it.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes a folder; its name begins with `purpose`, and is not one that a test which was killed has left.
    pub fn new(purpose: &str) -> Self {
        let number = getrandom::u32().unwrap();
        let path = env::temp_dir().join(format!("tenure-{purpose}-{number:08x}"));
        fs::create_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
