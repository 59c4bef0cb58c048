//! The key file beside the store.

use countersign_store::{StoreKeys, key_file};
use secrecy::ExposeSecret;

#[test]
fn a_key_is_created_once_for_its_owner_only_and_never_beside_an_existing_store() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("data/rows.db");
    assert!(key_file::read(&store).unwrap().is_none());
    let key = key_file::read_or_make(&store).unwrap();
    StoreKeys::new(&key).unwrap();
    let again = key_file::read_or_make(&store).unwrap();
    let trimmed = again.expose_secret().trim();
    assert_eq!(trimmed, key.expose_secret());
    let path = directory.path().join("data/secret.key");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    std::fs::write(&store, "something").unwrap();
    std::fs::remove_file(&path).unwrap();
    let refused = key_file::read_or_make(&store).unwrap_err().to_string();
    assert!(refused.contains("is missing"), "{refused}");
    assert_eq!(refused.lines().count(), 1);
}
