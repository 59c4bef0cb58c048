use leptos::{ev, html::Input, prelude::*};
use wasm_bindgen::JsCast;
use web_sys::InputEvent;

use crate::{
    actions::Actions,
    context::{Page, Target, focused},
    i18n::key,
    reactive::{effect, flag},
    state,
};

/// One real input for the code, drawn as boxes.
#[component]
pub fn CodeField() -> impl IntoView {
    let page = Page::expect();
    let actions = Actions::expect();
    let field = NodeRef::<Input>::new();
    effect(move || {
        let code = page.code.get();
        if let Some(input) = field.get().filter(|input| input.value() != code) {
            input.set_value(&code);
        }
    });
    let typed = move || {
        if let Some(input) = field.get_untracked() {
            let tidy = actions.type_code(&input.value());
            if input.value() != tidy {
                input.set_value(&tidy);
            }
        }
    };
    let on_input = move |event: ev::Event| {
        // Text under composition by an input method is left alone.
        match event.dyn_ref::<InputEvent>() {
            Some(event) if event.is_composing() => page.code.set(event_target_value(event)),
            _ => typed(),
        }
    };
    let length = move || {
        page.session(|session| session.otp_length)
            .unwrap_or(state::USUAL_LENGTH)
    };
    let label = Signal::derive(move || {
        page.i18n.with(|language| {
            let count = language.number(length().into(), 1);
            language.filled(key!("code-label"), &count)
        })
    });
    // Boxes are drawn only for digits that fit; other text is shown as typed.
    let typed_digits = Signal::derive(move || {
        page.code.with(|code| {
            let fits = code.len() <= usize::from(length());
            let is_digits = code.bytes().all(|byte| byte.is_ascii_digit());
            (fits && is_digits).then(|| code.len().to_string())
        })
    });
    let has_failed = flag(move || page.flow.with(|flow| flow.failure.is_some()));
    let digits = Signal::derive(move || length().to_string());
    view! {
        <label class="label" id="code-label" for="code">
            {label}
        </label>
        <div
            class="boxes"
            id="boxes"
            dir="ltr"
            data-digits=digits
            data-typed=typed_digits
        >
            <span class="cells" aria-hidden="true">
                <i></i>
                <i></i>
                <i></i>
                <i></i>
                <i></i>
                <i></i>
                <i></i>
                <i></i>
            </span>
            <input
                node_ref=field
            use:focused=Target::Code
                id="code"
                class="code"
                type="text"
                inputmode="numeric"
                autocomplete="one-time-code"
                autocapitalize="off"
                spellcheck="false"
                translate="no"
                required
                aria-describedby="code-failure"
                aria-invalid=has_failed
                on:input=on_input
                on:compositionend=move |_| typed()
            />
        </div>
    }
}
