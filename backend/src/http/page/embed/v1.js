// <countersign-verify application="shop" proof-nonce="…" locale="…">: Countersign's page in a
// frame. Events: "verified", whose detail has the proof, and "cancelled".

const origin = new URL(import.meta.url).origin;
const PARAMETERS = { application: "application", "proof-nonce": "nonce", locale: "locale" };

export class CountersignVerify extends HTMLElement {
  static observedAttributes = [...Object.keys(PARAMETERS), "page-url"];

  #frame;
  #hear = ({ origin: from, source, data }) => {
    // Anybody may send a message: both must be the frame's.
    if (from !== origin || source !== this.#frame?.contentWindow) return;
    const { type, height, proof } = data ?? {};
    if (type === "countersign.resized" && height > 0) {
      this.#frame.style.height = `${height}px`;
    } else if (type === "countersign.verified") {
      this.#tell("verified", { proof });
    } else if (type === "countersign.cancelled") {
      this.#tell("cancelled", {});
    }
  };

  connectedCallback() {
    const frame = document.createElement("iframe");
    frame.title = this.title || "Phone verification";
    frame.allow = "otp-credentials";
    frame.style.cssText = "display:block;width:100%;height:40rem;border:0";
    frame.src = this.#address();
    this.#frame = frame;
    addEventListener("message", this.#hear);
    this.replaceChildren(frame);
  }

  disconnectedCallback() {
    removeEventListener("message", this.#hear);
    this.#frame.remove();
    this.#frame = undefined;
  }

  attributeChangedCallback(_name, before, now) {
    if (this.#frame && before !== now) this.#frame.src = this.#address();
  }

  #address() {
    // What the application's server began, at the service that this script is from.
    const page = this.getAttribute("page-url");
    if (page && new URL(page, origin).origin === origin) return page;
    const query = new URLSearchParams({ embed: location.origin });
    for (const [attribute, parameter] of Object.entries(PARAMETERS)) {
      const value = this.getAttribute(attribute);
      if (value) query.set(parameter, value);
    }
    return `${origin}/?${query}`;
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}

if (!customElements.get("countersign-verify")) {
  customElements.define("countersign-verify", CountersignVerify);
}
