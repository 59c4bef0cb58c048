//! Permissions of the files that contain keys.

use countersign_test_support::{SECRET_KEY, of};

use super::{
    Program,
    settings::{check_refuses, checked},
};

#[cfg(unix)]
#[test]
fn key_files_writable_by_others_are_refused_and_readable_ones_logged() {
    use std::os::unix::fs::PermissionsExt;
    let program = Program::new("key-files");
    let key = program.directory.join("key");
    std::fs::write(&key, SECRET_KEY).unwrap();
    let settings = [("PLIVO_MODE", "sandbox"), ("SECRET_KEY_FILE", "key")];
    let set = |file: &std::path::Path, mode| {
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let warned = |log: &str, variable: &str| {
        let mut lines = log.lines();
        lines.any(|line| line.contains("key_file.readable") && line.contains(variable))
    };
    for mode in [0o600, 0o400, 0o640] {
        set(&key, mode);
        let (_, stderr, code) = checked(&program, &settings);
        assert!(
            code == Some(0) && !warned(&stderr, ""),
            "{mode:o}: {stderr}"
        );
    }
    set(&key, 0o644);
    let (_, stderr, code) = checked(&program, &settings);
    assert!(
        code == Some(0) && warned(&stderr, "SECRET_KEY_FILE"),
        "{stderr}"
    );
    let (running, before) = program.start_logged(&settings);
    assert_eq!(of(&before, "key_file.readable").len(), 1);
    running.terminate();
    for mode in [0o666, 0o602, 0o620, 0o777] {
        set(&key, mode);
        for refusal in [
            program.refuses(&settings),
            check_refuses(&program, &settings),
        ] {
            assert!(refusal.contains("SECRET_KEY_FILE"), "{mode:o}: {refusal}");
        }
    }
    set(&key, 0o600);
    // The signing keys of proofs, which the start above has created.
    let proofs = program.directory.join("data/proof-keys.json");
    set(&proofs, 0o606);
    assert!(
        program
            .refuses(&settings)
            .contains("PROOF_SIGNING_KEYS_FILE")
    );
    set(&proofs, 0o644);
    let (_, stderr, _) = checked(&program, &settings);
    assert!(warned(&stderr, "PROOF_SIGNING_KEYS_FILE"), "{stderr}");
}
