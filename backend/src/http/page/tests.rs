use actix_web::{
    App,
    http::header::{
        ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_ENCODING, ETAG, HeaderName, IF_NONE_MATCH,
    },
    test::{TestRequest, call_service, init_service, read_body},
};

use countersign_core::{AccessPolicy, ApplicationId, Applications};
use countersign_shared::Channel;

use super::{source::CarriedFile, *};

const CARRIED: &[CarriedFile] = &[
    CarriedFile {
        path: "/app-0123456789abcdef.js",
        plain: b"let plain;",
        brotli: Some(b"brotli"),
        gzip: None,
    },
    CarriedFile {
        path: "/index.html",
        plain: b"<!doctype html><html><title>x</title><h1>y</h1>",
        brotli: Some(b"not this"),
        gzip: None,
    },
    CarriedFile {
        path: "/documents/de/enter-phone.html",
        plain: b"<!doctype html><html><title>Ihre Nummer</title>",
        brotli: None,
        gzip: None,
    },
    CarriedFile {
        path: "/locales/de.json",
        plain: br#"{"phone-heading": "Ihre Nummer"}"#,
        brotli: None,
        gzip: None,
    },
];

fn applications(name: &str) -> Applications {
    let policy = AccessPolicy {
        countries: None,
        channels: vec![Channel::Sms],
        fictitious_numbers: true,
    };
    let id = ApplicationId::parse("default").unwrap();
    let one = Application {
        name: name.to_owned(),
        takes_strangers: true,
        ..Application::new(id, policy)
    };
    Applications::new(vec![one]).unwrap()
}

#[actix_web::test]
async fn a_page_inside_the_program_is_served_like_one_in_a_directory() {
    let page = SinglePageApp::read(PageSettings {
        source: PageSource::Carried(CARRIED),
        applications: ApplicationRegistry::new(applications("Zebra")),
        is_sandbox: false,
        default_locale: "en".to_owned(),
    })
    .unwrap();
    let service = init_service(App::new().configure(|config| page.configure(config))).await;
    let get = async |path: &str, header: (HeaderName, &str)| {
        let request = TestRequest::get().uri(path).insert_header(header);
        call_service(&service, request.to_request()).await
    };

    let path = "/app-0123456789abcdef.js";
    let answer = get(path, (ACCEPT_ENCODING, "gzip, br")).await;
    for (name, value) in [
        (CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (CONTENT_ENCODING, "br"),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (VARY, "accept-encoding"),
    ] {
        assert_eq!(answer.headers().get(name).unwrap(), value);
    }
    assert_eq!(read_body(answer).await, "brotli");
    let answer = get(path, (ACCEPT_ENCODING, "gzip")).await;
    assert!(!answer.headers().contains_key(CONTENT_ENCODING));
    let tag = answer.headers().get(ETAG).unwrap();
    let tag = tag.to_str().unwrap().to_owned();
    assert_eq!(read_body(answer).await, "let plain;");
    assert_eq!(get(path, (IF_NONE_MATCH, &tag)).await.status(), 304);

    let request = TestRequest::default().method(Method::HEAD).uri(path);
    let answer = call_service(&service, request.to_request()).await;
    assert_eq!(answer.status(), 200);

    let answer = get("/", (ACCEPT_LANGUAGE, "de")).await;
    assert_eq!(answer.headers().get(CACHE_CONTROL).unwrap(), "no-cache");
    let html = read_body(answer).await;
    let html = str::from_utf8(&html).unwrap();
    assert!(html.contains("Ihre Nummer · Zebra"), "{html}");
    for (path, status) in [
        ("/index.html", 200),
        ("/locales/de.json", 200),
        ("/index.html.br", 404),
        ("/../Cargo.toml", 404),
        ("/locales", 404),
    ] {
        let answer = get(path, (ACCEPT_ENCODING, "identity")).await;
        assert_eq!(answer.status(), status, "{path}");
    }
    let answer = call_service(&service, TestRequest::post().uri(path).to_request()).await;
    assert_eq!(answer.status(), 405);
}

#[test]
fn inline_scripts_are_found_and_linked_ones_are_not() {
    let html = "<script type=module>import x</script><script src=a.js></script><p><script>\ny\n</script><script type=\"application/json\">{}</script>";
    assert_eq!(
        inside(html, "script").collect::<Vec<_>>(),
        ["import x", "\ny\n"]
    );
}

#[test]
fn the_hash_is_the_one_browsers_compute() {
    // The example of CSP level 3, section 8.
    assert_eq!(
        hash("doSomething();"),
        "RFWPLDbv2BY+rCkDzsE+0fr8ylGr2R2faWMhq4lfEQc="
    );
}

#[test]
fn only_names_with_a_hash_are_kept_for_ever() {
    assert!(is_hashed("/countersign-frontend-0123456789abcdef_bg.wasm"));
    assert!(is_hashed("/style-0123456789abcdef.css"));
    // Trunk omits leading zeros.
    assert!(is_hashed("/countersign-frontend-204ce4f298c3e27.js"));
    assert!(!is_hashed("/index.html"));
    assert!(!is_hashed("/locales/de.json"));
    assert!(!is_hashed("/"));
}
