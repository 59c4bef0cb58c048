//! The last step: done.

use leptos::prelude::*;

use crate::{
    dom,
    flow::{Step, Verified},
    host::Host,
    page::Page,
};

/// Says which number is verified, and leads back to where the person came from.
pub(crate) fn verified(page: Page) {
    let verified = move || {
        page.flow.with(|flow| match &flow.step {
            Step::Verified(verified) => Some(verified.clone()),
            Step::EnterPhone | Step::EnterCode(_) => None,
        })
    };
    dom::sentence("verified-number", move || {
        let number = verified().map(|verified| page.shown(&verified.recipient));
        (page.text("verified-number"), number.unwrap_or_default())
    });
    let goes_back = move || {
        let has_proof = verified().is_some_and(|verified| verified.proof.is_some());
        has_proof && page.host.with_value(Host::takes_back)
    };
    dom::text("verified-next", move || {
        page.text(if goes_back() {
            "returning"
        } else {
            "verified-next"
        })
    });
    // Without a proof the application has nothing: the way on is to start again.
    let can_start_again = move || {
        let is_hosted = page.host.with_value(Host::is_there);
        !is_hosted || verified().is_none_or(|verified| verified.proof.is_none())
    };
    dom::hidden("verify-another", move || !can_start_again());
    dom::hidden("go-back", move || !goes_back());
    dom::on("verify-another", "click", move || page.verify_another());
    dom::on("go-back", "click", move || page.hand_over());
    dom::follow(move || {
        if let Some(Verified { proof: Some(_), .. }) = verified() {
            page.hand_over();
        }
    });
}
