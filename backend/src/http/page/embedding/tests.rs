use super::*;

fn hosts() -> Hosts {
    Hosts {
        return_urls: ReturnUrls::new([
            "https://shop.example/account/",
            "https://bank.example/done",
            "https://any.example",
            "http://localhost:3000/back",
        ])
        .unwrap(),
        embed_origins: AllowedOrigins::new(vec!["https://shop.example".to_owned()]).unwrap(),
    }
}

fn return_to(address: &str) -> Result<Option<Host>, Refused> {
    hosts().read(&Query {
        return_to: Some(address.to_owned()),
        ..Query::default()
    })
}

#[test]
fn people_go_back_to_listed_places_only() {
    for address in [
        "https://shop.example/account/",
        "https://shop.example/account/phone?step=2",
        "https://SHOP.example:443/account/",
        "https://bank.example/done",
        "https://bank.example/done/more",
        "https://bank.example/done?x=//evil.example",
        "https://any.example/a/b",
        "http://localhost:3000/back?a=b",
    ] {
        assert!(matches!(return_to(address), Ok(Some(_))), "{address}");
    }
    for address in [
        "",
        "/account/",
        "//shop.example/account/",
        "https://shop.example/",
        "https://shop.example/accounts",
        "https://shop.example/account/../admin",
        "https://shop.example/account/%2e%2e/admin",
        "https://shop.example/account/..%2fadmin",
        "https://shop.example/account/..%5Cadmin",
        "https://shop.example/account\\..\\admin",
        "https://bank.example/donemore",
        "https://shop.example.evil.example/account/",
        "https://evil.example/https://shop.example/account/",
        "https://shop.example@evil.example/account/",
        "https://evil.example@shop.example/account/",
        "https://shop.example:444/account/",
        "http://shop.example/account/",
        "http://localhost:3001/back",
        "https://shop.example/account/#proof=x",
        "https://shop.example/\taccount/",
        " https://shop.example/account/",
        "javascript:alert(1)//https://shop.example/account/",
        "data:text/html,https://shop.example/account/",
        "https:shop.example/account/\u{0}",
        "https://shop\u{3002}example.evil/account/",
        "https://shop.example/account/..;/admin",
        "https://shop.example/account/%252e%252e/admin",
    ] {
        assert_eq!(return_to(address), Err(Refused), "{address}");
    }
    let long = format!("https://any.example/{}", "a".repeat(LONGEST));
    assert_eq!(return_to(&long), Err(Refused));
}

#[test]
fn a_page_is_inside_of_listed_origins_only() {
    let embed = |origin: &str| {
        hosts().read(&Query {
            embed: Some(origin.to_owned()),
            ..Query::default()
        })
    };
    assert!(embed("https://shop.example").is_ok());
    for origin in [
        "",
        "*",
        "null",
        "https://shop.example/",
        "https://evil.example",
    ] {
        assert_eq!(embed(origin), Err(Refused), "{origin}");
    }
}

#[test]
fn one_way_back_and_words_that_fit() {
    let query = |state: &str, nonce: &str| Query {
        return_to: Some("https://any.example/".to_owned()),
        state: Some(state.to_owned()),
        nonce: Some(nonce.to_owned()),
        ..Query::default()
    };
    let host = hosts()
        .read(&query("a \"word\" & more", "n0nce"))
        .unwrap()
        .unwrap();
    assert_eq!(host.state.as_deref(), Some("a \"word\" & more"));
    assert_eq!(host.nonce.as_deref(), Some("n0nce"));
    for query in [
        query(&"s".repeat(LONGEST + 1), "n"),
        query("s\0", "n"),
        query("s", ""),
        query("s", "two words"),
        query("s", &"n".repeat(256)),
        Query {
            embed: Some("https://shop.example".to_owned()),
            ..query("s", "n")
        },
    ] {
        assert_eq!(hosts().read(&query), Err(Refused), "{query:?}");
    }
}

#[test]
fn a_query_is_read_to_the_byte_or_not_at_all() {
    let query = Query::parse("state=a%26amp%3B%0D%0A%F0%9F%98%80&nonce=%26lt%3B").unwrap();
    assert_eq!(query.state.as_deref(), Some("a&amp;\r\n\u{1f600}"));
    assert_eq!(query.nonce.as_deref(), Some("&lt;"));
    for wrong in [
        "state=%FF",
        "state=%C0%AE",
        "state=%ED%A0%80",
        "nonce=n&state=%E2%82",
        "state=a&state=b",
        "return_to=https%3A%2F%2Fany.example%2F&return_to=x",
    ] {
        assert!(Query::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn an_application_is_gone_back_to_by_its_whole_address_and_with_a_nonce() {
    let listed = "com.example.shop:/verified";
    let hosts = Hosts {
        return_urls: ReturnUrls::new([listed, "net.example-app://done"]).unwrap(),
        ..Hosts::default()
    };
    let read = |address: &str, nonce: Option<&str>| {
        hosts.read(&Query {
            return_to: Some(address.to_owned()),
            nonce: nonce.map(str::to_owned),
            ..Query::default()
        })
    };
    for address in [listed, "net.example-app://done"] {
        let host = read(address, Some("n0nce")).unwrap().unwrap();
        assert_eq!(host.way, ReturnTarget::Return(address.to_owned()));
        assert_eq!(read(address, None), Err(Refused), "{address}");
    }
    for other in [
        "com.example.shop:/verified/",
        "com.example.shop:/verified?a=b",
        "com.example.shop:/verified#proof=x",
        "com.example.shop:/verifie",
        "COM.example.shop:/verified",
        "com.example.shop://verified",
        " com.example.shop:/verified",
        "com.example.shop:",
    ] {
        assert_eq!(read(other, Some("n0nce")), Err(Refused), "{other}");
    }
}

#[test]
fn the_list_takes_addresses_only() {
    for wrong in [
        "shop.example",
        "http://shop.example/",
        "https://shop.example/?a=b",
        "https://*.example/",
        "https://user@shop.example/",
        "javascript:/alert(1)",
        "java.script:alert(1)",
        "data:/text/html,x",
        "file:/etc/passwd",
        "blob:/x",
        "intent://scan/",
        "about:/blank",
        "vbscript:/x",
        "shop:/verified",
        "com.example.shop",
        "com.example.shop:verified",
        "shop.example:8080/done",
        "com.example.shop:/a?b=c",
        "com.example.shop:/a#b",
        "com.example.*:/a",
        "com.example.shop:/*",
        "com.example.shop://user@host/",
        "Com.Example.Shop:/a",
        "1com.example:/a",
        ".com:/a",
        "com.:/a",
    ] {
        let list = ReturnUrls::new(["https://any.example/", wrong]);
        assert_eq!(list.unwrap_err(), wrong);
    }
}
