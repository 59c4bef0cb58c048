// Types of /embed/v1.js.

/** The person proved their number; hand the proof to your own server. */
export interface VerifiedDetail {
  proof: string;
}

export interface CountersignVerifyEventMap extends HTMLElementEventMap {
  verified: CustomEvent<VerifiedDetail>;
  cancelled: CustomEvent<Record<string, never>>;
}

/**
 * Countersign's page in a frame that is as high as its content.
 *
 * Attributes: `application` (its id), `proof-nonce` (what the proof repeats; `nonce` itself is
 * HTML's), `locale`; or `page-url`, the address of a page that your server began.
 */
export class CountersignVerify extends HTMLElement {
  addEventListener<K extends keyof CountersignVerifyEventMap>(
    type: K,
    listener: (this: CountersignVerify, event: CountersignVerifyEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "countersign-verify": CountersignVerify;
  }
}
