//! Where what can be made again is kept.

use std::path::PathBuf;

/// The folder for what can be made again: `$COEC_CACHE`, else `coec` in the user's folder for caches, else in the folder
/// for temporary files.
pub fn cache_folder() -> PathBuf {
    match std::env::var_os("COEC_CACHE").filter(|folder| !folder.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => dirs::cache_dir().unwrap_or_else(std::env::temp_dir).join("coec"),
    }
}
