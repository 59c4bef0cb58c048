//! `--rotate-proof-key`.

use std::process::Command;

use super::Program;

#[test]
fn proof_keys_are_created_rotated_and_never_guessed() {
    let program = Program::new("proof-keys");
    let given = [
        ("PLIVO_MODE", "sandbox"),
        ("PROOF_SIGNING_KEYS_FILE", "keys.json"),
    ];
    let refusal = program.refuses(&given);
    assert!(refusal.contains("PROOF_SIGNING_KEYS_FILE") && refusal.contains("is missing"));
    let rotate = || {
        let mut command = program.command(&given);
        command.arg("--rotate-proof-key").output().unwrap()
    };
    let first = rotate();
    assert_eq!(first.status.code(), Some(0));
    let said = String::from_utf8(first.stdout).unwrap();
    assert!(said.contains("keys.json and signs at once"), "{said}");
    program.start(&given).terminate();
    let again = rotate();
    let said = String::from_utf8(again.stderr).unwrap();
    assert_eq!(again.status.code(), Some(1), "{said}");
    assert!(said.contains("a moment ago"), "{said}");
    let path = program.directory.join("keys.json");
    // The key now seems to have been created in 2020.
    let kept = std::fs::read_to_string(&path).unwrap();
    let (before, made_at) = kept.split_once(r#""made_at": ""#).unwrap();
    let long_ago = format!(r#"{before}"made_at": "2020{}"#, &made_at[4..]);
    std::fs::write(&path, long_ago).unwrap();
    let third = String::from_utf8(rotate().stdout).unwrap();
    assert!(
        third.contains("keys.json and signs in 6 minutes"),
        "{third}"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    for garbage in [
        "",
        "{}",
        r#"{"keys":[]}"#,
        r#"{"keys":[{"made_at":"x","private_key":"y"}]}"#,
    ] {
        std::fs::write(&path, garbage).unwrap();
        let refusal = program.refuses(&given);
        assert!(refusal.contains("no signing keys"), "{garbage}: {refusal}");
    }
}

#[cfg(unix)]
#[test]
fn rotation_fails_if_the_files_owner_cannot_be_kept() {
    use std::os::unix::fs::{MetadataExt, chown};
    let program = Program::new("proof-keys-owner");
    let path = program.directory.join("keys.json");
    if chown(&program.directory, Some(0), Some(0)).is_err() {
        // Only root can change a file's owner.
        return;
    }
    let given = [
        ("PLIVO_MODE", "sandbox"),
        ("PROOF_SIGNING_KEYS_FILE", "keys.json"),
    ];
    let rotate = |command: Command| {
        let mut command = program.prepared(command, &given);
        command.arg("--rotate-proof-key").output().unwrap()
    };
    let countersign = env!("CARGO_BIN_EXE_countersign");
    assert!(rotate(Command::new(countersign)).status.success());
    let kept = std::fs::read_to_string(&path).unwrap();
    let (before, made_at) = kept.split_once(r#""made_at": ""#).unwrap();
    let long_ago = format!(r#"{before}"made_at": "2020{}"#, &made_at[4..]);
    std::fs::write(&path, &long_ago).unwrap();
    chown(&path, Some(65_534), Some(65_534)).unwrap();

    // Root without the capability to change owners, as in a container.
    let mut weak = Command::new("/usr/bin/setpriv");
    weak.args([
        "--bounding-set",
        "-chown",
        "--inh-caps",
        "-chown",
        countersign,
    ]);
    let refused = rotate(weak);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(
        said.contains("PROOF_SIGNING_KEYS_FILE") && said.contains("owner 65534:65534"),
        "{said}"
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), long_ago);
    assert_eq!(std::fs::read_dir(&program.directory).unwrap().count(), 1);

    assert!(rotate(Command::new(countersign)).status.success());
    let metadata = std::fs::metadata(&path).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (65_534, 65_534));
    assert_ne!(std::fs::read_to_string(&path).unwrap(), long_ago);
}

#[test]
fn a_rotation_right_after_creation_has_nothing_to_do() {
    let program = Program::new("first-rotation");
    let settings = [("PLIVO_MODE", "sandbox")];
    program.start(&settings).terminate();
    let mut command = program.command(&settings);
    let rotated = command.arg("--rotate-proof-key").output().unwrap();
    assert_eq!(rotated.status.code(), Some(1));
    let said = String::from_utf8(rotated.stderr).unwrap();
    assert!(
        said.contains("was made a moment ago") && said.contains("nothing to do"),
        "{said}"
    );
}
