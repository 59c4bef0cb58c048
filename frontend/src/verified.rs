//! The last step: done.

use leptos::prelude::*;

use crate::{dom, flow::Step, host::Host, page::Page};

/// Says which number is verified, and leads back to where the person came from.
pub(crate) fn verified(page: Page) {
    // What changes beside it hands the proof over no second time.
    let verified = Memo::new(move |_| {
        page.flow.with(|flow| match &flow.step {
            Step::Verified(verified) => Some(verified.clone()),
            Step::EnterPhone | Step::EnterCode(_) => None,
        })
    });
    dom::sentence("verified-number", move || {
        let number = verified.with(|verified| Some(page.shown(&verified.as_ref()?.recipient)));
        (page.text("verified-number"), number.unwrap_or_default())
    });
    let goes_back = move || page.host.with_value(Host::takes_back);
    dom::text("verified-next", move || {
        page.text(if goes_back() {
            "returning"
        } else {
            "verified-next"
        })
    });
    dom::hidden("verify-another", move || {
        page.host.with_value(Host::is_there)
    });
    dom::hidden("go-back", move || !goes_back());
    dom::on("verify-another", "click", move || page.verify_another());
    dom::on("go-back", "click", move || page.hand_over());
    dom::follow(move || {
        if verified.with(Option::is_some) {
            page.hand_over();
        }
    });
}
