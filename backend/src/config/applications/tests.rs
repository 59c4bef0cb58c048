use super::*;

const HASH: &str = "sha256:0707070707070707070707070707070707070707070707070707070707070707";
const OTHER: &str = "sha256:0808080808080808080808080808080808080808080808080808080808080808";

fn file() -> ApplicationsFile {
    ApplicationsFile {
        path: "applications.toml".into(),
        policy: AccessPolicy {
            countries: Some(vec!["US".to_owned(), "GB".to_owned()]),
            channels: vec![Channel::Sms, Channel::Voice],
            fictitious_numbers: false,
        },
        prices: None,
    }
}

#[test]
fn an_application_needs_its_id_only_and_then_takes_calls_with_its_key_only() {
    let all = file().parse("[[application]]\nid = \"shop\"").unwrap();
    let shop = all.first();
    assert_eq!((&*shop.name, &*shop.audience), ("shop", "shop"));
    assert_eq!(shop.policy.channels, [Channel::Sms, Channel::Voice]);
    assert!(!shop.takes_strangers && shop.has_end_user_addresses);
    for list in [
        "origins = [\"https://a.example\"]",
        "return_urls = [\"https://a.example/\"]",
        "embed_origins = [\"https://a.example\"]",
    ] {
        let text = format!("[[application]]\nid = \"shop\"\n{list}");
        assert!(
            file().parse(&text).unwrap().first().takes_strangers,
            "{list}"
        );
    }
}

#[test]
fn everything_of_an_application_is_read() {
    let text = format!(
        "[[application]]\nid = \"shop\"\nname = \"The Shop\"\naudience = \"https://shop.example\"\n\
         key_hashes = [\"{HASH}\", \"{OTHER}\"]\norigins = [\"capacitor://localhost\"]\n\
         channels = [\"voice\"]\ncountries = [\"GB\"]\nplivo_app = \"usual\"\n\
         plivo_apps = {{ reset = \"reset-app\" }}\nend_user_addresses = false\n\
         limit_sends = \"5/1h,20/1d\"\n\n[[application]]\nid = \"bank\"\n"
    );
    let all = file().parse(&text).unwrap();
    let shop = all.get("shop").unwrap();
    assert_eq!(shop.name, "The Shop");
    assert_eq!(shop.audience, "https://shop.example");
    assert_eq!(shop.key_hashes.len(), 2);
    assert_eq!(shop.policy.channels, [Channel::Voice]);
    assert!(shop.policy.serves("GB") && !shop.policy.serves("US"));
    assert_eq!(shop.plivo_app(Some(Purpose::Reset)), Some("reset-app"));
    assert_eq!(shop.plivo_app(None), Some("usual"));
    assert!(!shop.has_end_user_addresses);
    assert_eq!(shop.sends.len(), 2);
    assert_eq!(all.iter().count(), 2);
}

#[test]
fn what_is_wrong_is_one_line_that_shows_no_key() {
    let id = ApplicationId::parse("shop").unwrap();
    let key = ApiKey::from_random_bytes(&id, [7; ApiKey::RANDOM_BYTES]);
    let key = secrecy::ExposeSecret::expose_secret(key.secret());
    let raw = format!("key_hashes = [\"{key}\"]");
    let scalar = format!("key_hashes = \"{key}\"");
    let three = format!("key_hashes = [\"{HASH}\", \"{OTHER}\", \"{OTHER}\"]");
    for (entry, said) in [
        ("colour = \"red\"", "line 3: unknown field `colour`"),
        ("channels = \"sms\"", "line 3 is not"),
        ("channels = [\"whatsapp\"]", "application shop: channels"),
        ("channels = []", "application shop: channels"),
        ("countries = [\"FR\"]", "FR is none of ALLOWED_COUNTRIES"),
        ("countries = []", "countries must list"),
        (
            "origins = [\"https://a.example/\"]",
            "origins: https://a.example/ is no origin",
        ),
        (
            "embed_origins = [\"capacitor://localhost\"]",
            "embed_origins",
        ),
        ("return_urls = [\"http://a.example/\"]", "return_urls"),
        ("limit_sends = \"many\"", "limit_sends must"),
        ("spend_cap = \"5/1h\"", "PRICES_FILE"),
        ("plivo_app = \"a b\"", "plivo_app"),
        ("plivo_apps = { login = \"x\" }", "plivo_apps"),
        ("theme = \"/nowhere.css\"", "theme names no file"),
        ("name = \"\"", "name must"),
        ("audience = \"\"", "audience must"),
        // Proofs of the bank's test numbers would be this one's.
        ("audience = \"bank:test\"", "audience must"),
        ("audience = \"a b\"", "audience must"),
        (&raw, "a key stands in the place of its hash"),
        (&scalar, "line 3 is not"),
        (&three, "two keys at most"),
        ("key_hashes = [\"x\"]", "--new-key"),
        (
            "\n[[application]]\nid = \"shop\"",
            "two applications have the id shop",
        ),
        ("\n[[application]]\nid = \"Shop\"", "an id must"),
        ("\n[[application]]\nname = \"x\"", "missing field `id`"),
    ] {
        let text = format!("[[application]]\nid = \"shop\"\n{entry}");
        let problem = file().parse(&text).unwrap_err();
        assert!(problem.contains(said), "{problem}");
        assert!(
            !problem.contains('\n') && !problem.contains(key),
            "{problem}"
        );
    }
    assert!(file().parse("").unwrap_err().contains("no application"));
}
