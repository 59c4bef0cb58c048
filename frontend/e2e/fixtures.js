// What every test starts with: a server, a page whose console stays clean, and
// numbers that no other test uses.

import { test as base, expect } from "@playwright/test";
import { startService } from "./service.js";

export { expect };

export const test = base.extend({
  service: [
    async ({}, use) => {
      const service = await startService();
      await use(service);
      await service.stop();
    },
    { scope: "worker" },
  ],

  // One whose waits are long enough to be seen.
  patient: async ({}, use) => {
    const service = await startService({ RESEND_WAITS: "5m" });
    await use(service);
    await service.stop();
  },

  numbers: [
    async ({}, use) => {
      let last = 100;
      // Ofcom keeps 07700 900000 to 900999 for fiction.
      const next = () => {
        // The simulator treats numbers that end with 80 to 99 in its own ways.
        do last += 1;
        while (last % 100 >= 80);
        return `+447700900${last}`;
      };
      await use({ next });
    },
    { scope: "worker" },
  ],

  baseURL: async ({ service }, use) => use(service.origin),

  number: async ({ numbers }, use) => use(numbers.next()),

  // Whether the browser's console is to stay clean.
  quiet: [true, { option: true }],

  context: async ({ context, quiet }, use) => {
    const complaints = [];
    context.on("console", (message) => {
      const isRefusal = message.text().startsWith("Failed to load resource");
      if (["error", "warning"].includes(message.type()) && !isRefusal) {
        complaints.push(message.text());
      }
    });
    context.on("weberror", (error) => complaints.push(String(error.error())));
    await use(context);
    if (quiet) expect(complaints, "the browser's console").toEqual([]);
  },
});

/** Opens the page and waits for its program. */
export async function open(page, origin = "", query = "") {
  await page.goto(`${origin}/${query}`);
  await expect(page.locator("#app")).toHaveAttribute("data-ready", "");
  await expect(page.locator("#country option").nth(1)).toBeAttached();
}

/** Waits for a step. */
export async function atStep(page, step) {
  await expect(page.locator("#app")).toHaveAttribute("data-step", step);
}

/** From the first step to the second. */
export async function sendCode(page, number, origin) {
  await open(page, origin);
  await page.locator("#phone").fill(number);
  await pressUntil(page.getByRole("button", { name: "Text me a code" }), (within) =>
    expect(page.locator("#app")).toHaveAttribute("data-step", "enter-code", within),
  );
}

/**
 * Presses a button until what it leads to holds: the service's wait between two codes
 * may not be over yet, or a browser under load has dropped the press. The button may be
 * gone because an earlier press succeeded late.
 */
export async function pressUntil(button, holds) {
  await expect(async () => {
    if (await button.isVisible()) await button.click({ timeout: 500 });
    await holds({ timeout: 500 });
  }).toPass();
}

/** Waits until the whole code is selected, so that typing replaces it. */
export async function codeSelected(page) {
  const field = page.locator("#code");
  await expect(field).toBeFocused();
  await expect
    .poll(() => field.evaluate((input) => input.value.slice(input.selectionStart, input.selectionEnd)))
    .toMatch(/^\d{6}$/);
}

/** Records everything that a screen reader announces, from now on; answers how to read it. */
export async function listen(page) {
  await page.addInitScript(() => {
    window.heard = [];
    const said = new Map();
    // Regions come and go with the steps; what is in one when it comes is not heard.
    const listen = () => {
      for (const region of document.querySelectorAll("#announcement, .failure")) {
        const text = region.textContent.trim();
        const before = said.has(region) ? said.get(region) : text;
        said.set(region, text);
        if (text && text !== before) window.heard.push(text);
      }
    };
    new MutationObserver(listen).observe(document, {
      childList: true,
      characterData: true,
      subtree: true,
    });
  });
  return () => page.evaluate(() => window.heard);
}

/** Makes requests wait until they are let go. */
export async function hold(page, pattern) {
  let release;
  const gate = new Promise((open) => (release = open));
  await page.route(pattern, async (route) => {
    await gate;
    await route.continue();
  });
  return release;
}

/** The messages that a number received, newest first. */
export async function messages(page, number) {
  const path = `/sandbox/messages?recipient=${encodeURIComponent(number)}`;
  const answer = await page.request.get(path);
  expect(answer.ok()).toBe(true);
  return answer.json();
}

/** The code that a number received. */
export async function codeFor(page, number) {
  await expect.poll(async () => (await messages(page, number)).length).toBeGreaterThan(0);
  return (await messages(page, number))[0].otp;
}

/** A code that is not that one. */
export function wrong(code, by = 1) {
  return String((Number(code) + by) % 1_000_000).padStart(6, "0");
}

/** A British mobile number as the page shows it. */
export function spaced(number) {
  return number.replace(/^\+44(\d{4})(\d{6})$/, "+44 $1 $2");
}
