use super::*;

#[test]
fn events_stand_in_the_text_by_their_labels() {
    let metrics = Metrics::default();
    let country = CountryCode::of("GB");
    metrics.send_requested(country, Channel::Voice);
    metrics.refused(RefusalRule::BulkheadFull);
    metrics.breaker_is(BreakerState::Open);
    metrics.store_step("ready", true, Duration::from_millis(2));
    let under_way = metrics.upstream_call(UpstreamCall::Create);
    let text = metrics.text();
    for line in [
        "countersign_sends_requested_total{country=\"GB\",channel=\"voice\"} 1",
        "countersign_refusals_total{rule=\"bulkhead_full\"} 1",
        "countersign_circuit_breaker_state{state=\"open\"} 1",
        "countersign_circuit_breaker_state{state=\"closed\"} 0",
        "countersign_upstream_calls_in_flight{call=\"create\"} 1",
        "countersign_store_step_duration_seconds_count{step=\"ready\",outcome=\"answered\"} 1",
    ] {
        assert!(text.lines().any(|it| it == line), "no {line} in\n{text}");
    }
    drop(under_way);
    assert!(
        metrics
            .text()
            .contains("countersign_upstream_calls_in_flight{call=\"create\"} 0")
    );
}

#[test]
fn a_country_is_two_letters_or_other() {
    for text in ["", "U", "USA", "+1", "+14155550123", "us"] {
        assert_eq!(CountryCode::of(text).to_string(), "other", "{text}");
    }
    assert_eq!(CountryCode::of("US").to_string(), "US");
}
