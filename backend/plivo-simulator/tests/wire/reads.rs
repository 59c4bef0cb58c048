//! Sessions read one by one and as a list, and what they cost.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ID, Plivo, to};

#[tokio::test]
async fn a_session_is_read_as_documented() {
    let plivo = Plivo::start();
    let id = plivo
        .create(&json!({"recipient": "+14155550123", "brand_name": "Acme", "code_length": 8}))
        .await;
    assert_eq!(plivo.otp().len(), 8);
    assert!(plivo.simulator.messages()[0].text.contains("Acme"));
    let session = plivo.session(&id).await;
    assert_eq!(session["recipient"], "14155550123");
    assert_eq!(session["status"], "in-progress");
    assert_eq!(session["destination_country_iso2"], "US");
    assert_eq!(session["attempt_details"][0]["brand_name"], "Acme");
    assert_eq!(session["attempt_details"][0]["code_length"], 8);
    assert_eq!(session["charges"]["total_charge"], "0.00700");
    assert_eq!(session["updated_at"], session["attempt_details"][0]["time"]);
    assert_eq!(
        plivo.get("8e712097-8090-4644-81e7-8f4265d8354e/").await.0,
        404
    );
}

#[tokio::test]
async fn charges_differ_by_country_and_channel_add_up_and_are_the_bill() {
    let plivo = Plivo::start_with(|settings| settings.validation_charge = 5_000);
    let us = plivo.create(&to("+14155550123")).await;
    plivo
        .create(&json!({"recipient": "+14155550123", "channel": "voice"}))
        .await;
    let gb = plivo.create(&to("+447700900123")).await;
    let blocked = plivo.create(&to("+447700900193")).await;
    let charges = |session: &Value| session["charges"].clone();
    let seen = charges(&plivo.session(&us).await);
    assert_eq!(seen["total_charge"], "0.01900");
    assert_eq!(seen["validation_charge"], "0");
    assert_eq!(seen["attempt_charges"][1]["charge"], "0.01200");
    let seen = charges(&plivo.session(&gb).await);
    assert_eq!(seen["total_charge"], "0.04130");
    let seen = charges(&plivo.session(&blocked).await);
    assert_eq!(seen["total_charge"], "0.00000");
    let newest = plivo.simulator.messages();
    let code = newest.iter().find(|it| it.recipient == "+447700900123");
    assert_eq!(plivo.validate(&gb, &code.unwrap().otp).await.0, 200);
    let seen = charges(&plivo.session(&gb).await);
    assert_eq!(seen["validation_charge"], "0.05000");
    assert_eq!(seen["total_charge"], "0.09130");
    let bill = plivo.simulator.bill();
    let lines: Vec<_> = bill
        .iter()
        .map(|line| (line.country, line.channel.as_str(), line.charge))
        .collect();
    assert_eq!(
        lines,
        [
            ("US", "sms", 700),
            ("US", "voice", 1200),
            ("GB", "sms", 4130),
            ("GB", "validation", 5000),
            ("GB", "sms", 0),
        ]
    );
}

#[tokio::test]
async fn the_list_has_pages_filters_and_a_limit_of_its_own() {
    let plivo = Plivo::start();
    let mut ids = Vec::new();
    for last in 10..15 {
        ids.push(plivo.create(&to(&format!("+141555501{last}"))).await);
        plivo.simulator.advance(Duration::from_secs(1));
    }
    let (_, page) = plivo.get("?limit=2&offset=1").await;
    let listed: Vec<_> = page["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|session| &session["session_uuid"])
        .collect();
    assert_eq!(listed, [&ids[3], &ids[2]]);
    assert_eq!(
        page["meta"]["next"],
        format!("/v1/Account/{ID}/Verify/Session/?limit=2&offset=3")
    );
    assert_eq!(
        page["meta"]["previous"],
        format!("/v1/Account/{ID}/Verify/Session/?limit=2&offset=0")
    );
    for (query, count) in [
        ("?recipient=%2B14155550112", 1),
        ("?status=verified", 0),
        ("?status=in-progress", 5),
        ("?country=US", 5),
        ("?session_time__gte=2020-01-01%2000:00", 5),
        ("?session_time__lt=2020-01-01%2000:00", 0),
    ] {
        let (_, page) = plivo.get(query).await;
        assert_eq!(page["sessions"].as_array().unwrap().len(), count, "{query}");
    }
    assert_eq!(plivo.get("?limit=21").await.0, 400);
    plivo.simulator.advance(Duration::from_hours(25));
    assert_eq!(plivo.get("").await.1["sessions"], json!([]));
    for _ in 0..19 {
        plivo.get("").await;
    }
    assert_eq!(plivo.get("").await.1["error"], "too many requests");
    plivo.simulator.advance(Duration::from_mins(1));
    assert_eq!(plivo.get("").await.0, 200);
}
