//! The page in a real browser, where no service answers unless a test plays one.

use std::any::Any;

use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::{
    Document, HtmlElement, HtmlInputElement, Storage,
    js_sys::{Promise, eval},
};

wasm_bindgen_test_configure!(run_in_browser);

const SESSION: &str =
    r#"{"session_uuid":"0f8fad5b-d9cb-469f-a165-70867728950e","recipient":"+14*****0123"}"#;

/// A service that serves three countries.
const COUNTRIES: &str =
    "[200, {brand_name: 'Acme', sandbox: false, otp_length: 6, channels: ['sms'],
    countries: [
        {code: 'US', calling_code: 1, example: '+12015550123'},
        {code: 'GB', calling_code: 44, example: '+447400123456'},
        {code: 'DE', calling_code: 49, example: '+4915123456789'}]}]";

/// A page of its own, gone with the test.
struct Visit {
    root: HtmlElement,
    mounted: Option<Box<dyn Any>>,
}

impl Visit {
    fn new() -> Self {
        storage().clear().expect("a storage that can be cleared");
        play_no_service();
        let root = document().create_element("div").expect("an element");
        let root: HtmlElement = root.unchecked_into();
        root.set_id("app");
        document()
            .body()
            .expect("a body")
            .append_child(&root)
            .expect("a child");
        Self {
            root,
            mounted: None,
        }
    }

    fn open(mut self) -> Self {
        self.mounted = countersign_frontend::mount().map(|page| Box::new(page) as Box<dyn Any>);
        self
    }

    fn step(&self) -> String {
        self.root.get_attribute("data-step").unwrap_or_default()
    }

    fn text(&self) -> String {
        self.root.text_content().unwrap_or_default()
    }

    /// The step is named once the page has been drawn.
    async fn is_at(&self, step: &str) {
        until(|| self.step() == step, step).await;
    }

    async fn says(&self, words: &str) {
        until(|| self.text().contains(words), words).await;
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.mounted = None;
        self.root.remove();
    }
}

fn document() -> Document {
    web_sys::window()
        .and_then(|window| window.document())
        .expect("a document")
}

fn storage() -> Storage {
    let window = web_sys::window().expect("a window");
    window
        .session_storage()
        .ok()
        .flatten()
        .expect("a session storage")
}

fn field(id: &str) -> HtmlInputElement {
    let element = document().get_element_by_id(id);
    element
        .unwrap_or_else(|| panic!("no #{id}"))
        .unchecked_into()
}

fn type_into(id: &str, text: &str) {
    let input = field(id);
    input.set_value(text);
    let event = eval("new Event('input', { bubbles: true })").expect("an event");
    input
        .dispatch_event(event.unchecked_ref())
        .expect("an event that is heard");
}

fn press(selector: &str) {
    let button = document().query_selector(selector).expect("a selector");
    button
        .unwrap_or_else(|| panic!("no {selector}"))
        .unchecked_into::<HtmlElement>()
        .click();
}

/// Answers calls in the service's stead: `answer` is JavaScript that turns a
/// `path` into `[status, body]`, or into nothing where the network is down.
fn play_service(answer: &str) {
    let script = format!(
        "window.fetch = async (request) => {{
            const path = new URL(request.url ?? request, location.href).pathname;
            const answer = ((path) => {answer})(path);
            if (!answer) throw new TypeError('no network');
            return new Response(JSON.stringify(answer[1]), {{ status: answer[0] }});
        }}"
    );
    eval(&script).expect("a script");
}

fn play_no_service() {
    play_service("undefined");
}

/// Lets the browser work until something holds.
async fn until(holds: impl Fn() -> bool, what: &str) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        let pause = eval("new Promise((go) => setTimeout(go, 10))").expect("a promise");
        JsFuture::from(pause.unchecked_into::<Promise<JsValue>>())
            .await
            .expect("a pause");
    }
    panic!("never: {what}");
}

#[wasm_bindgen_test]
async fn without_a_service_the_page_says_so_and_keeps_the_number() {
    let visit = Visit::new().open();
    visit.is_at("enter-phone").await;
    type_into("phone", "+14155550123");
    press("button[type=submit]");
    visit.says("We cannot reach the service").await;
    assert_eq!(field("phone").value(), "+14155550123");
}

#[wasm_bindgen_test]
async fn an_answer_that_is_not_the_services_is_no_answer() {
    for answer in [
        "[200, 'hello']",
        "[200, {brand_name: 7}]",
        "[502, {error: 'bad gateway'}]",
    ] {
        let visit = Visit::new();
        play_service(answer);
        let visit = visit.open();
        visit.is_at("enter-phone").await;
        type_into("phone", "+14155550123");
        press("button[type=submit]");
        visit.says("We cannot reach the service").await;
    }
}

#[wasm_bindgen_test]
async fn countries_are_named_and_sorted_for_the_reader() {
    let visit = Visit::new();
    play_service(COUNTRIES);
    let visit = visit.open();
    let names = || {
        let script = "Array.from(document.querySelectorAll('#country option'), (option) => option.text).join('; ')";
        eval(script).ok().and_then(|names| names.as_string())
    };
    let expected = "Germany (+49); United Kingdom (+44); United States (+1)";
    until(|| names().as_deref() == Some(expected), expected).await;
    type_into("phone", "+44 7700 900123");
    until(|| field("country").value() == "GB", "the country follows").await;
    visit.says("We will text +44 7700 900123").await;
}

#[wasm_bindgen_test]
async fn a_kept_session_is_resumed() {
    let visit = Visit::new();
    storage().set_item("countersign", SESSION).expect("room");
    let visit = visit.open();
    visit.is_at("enter-code").await;
    visit.says("+14*****0123").await;
}

#[wasm_bindgen_test]
async fn a_kept_session_that_the_service_forgot_leads_to_the_first_step() {
    let visit = Visit::new();
    storage().set_item("countersign", SESSION).expect("room");
    play_service(
        "[404, {type: 'about:blank', title: 'Session not found', status: 404, detail: '',
            code: 'session_not_found', message: ''}]",
    );
    let visit = visit.open();
    visit.is_at("enter-phone").await;
    assert_eq!(storage().get_item("countersign"), Ok(None));
}

#[wasm_bindgen_test]
async fn what_was_kept_and_makes_no_sense_is_ignored() {
    for kept in [
        "",
        "{",
        "null",
        "[]",
        r#"{"session_uuid":"1","recipient":"x"}"#,
    ] {
        let visit = Visit::new();
        storage().set_item("countersign", kept).expect("room");
        let visit = visit.open();
        visit.is_at("enter-phone").await;
    }
}

#[wasm_bindgen_test]
async fn a_pasted_message_becomes_its_code_and_is_checked() {
    let visit = Visit::new();
    storage().set_item("countersign", SESSION).expect("room");
    let visit = visit.open();
    visit.is_at("enter-code").await;
    type_into("code", "Your code is 123-456.");
    assert_eq!(field("code").value(), "123456");
    visit.says("We cannot reach the service").await;
    assert_eq!(field("code").value(), "123456");
}

#[wasm_bindgen_test]
async fn a_number_is_spaced_when_its_field_is_left_and_never_before() {
    let visit = Visit::new();
    play_service(COUNTRIES);
    let visit = visit.open();
    visit.says("Germany").await;
    type_into("phone", "+447700900123");
    assert_eq!(field("phone").value(), "+447700900123");
    let event = eval("new Event('blur')").expect("an event");
    field("phone")
        .dispatch_event(event.unchecked_ref())
        .expect("an event that is heard");
    until(|| field("phone").value() == "+44 7700 900123", "spaces").await;
}

#[wasm_bindgen_test]
async fn a_caret_never_jumps_while_a_number_is_typed() {
    let visit = Visit::new();
    play_service(COUNTRIES);
    let visit = visit.open();
    visit.says("Germany").await;
    let input = field("phone");
    let typed = "07700 900123";
    input.set_value(typed);
    for at in 0..=typed.len() {
        let changed = format!("{}5{}", &typed[..at], &typed[at..]);
        input.set_value(&changed);
        let caret = u32::try_from(at + 1).expect("a short text");
        input.set_selection_range(caret, caret).expect("a caret");
        let event = eval("new Event('input', { bubbles: true })").expect("an event");
        input
            .dispatch_event(event.unchecked_ref())
            .expect("an event that is heard");
        leptos::task::tick().await;
        assert_eq!(input.value(), changed);
        assert_eq!(input.selection_start(), Ok(Some(caret)), "{changed}");
    }
}
