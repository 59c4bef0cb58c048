// Every state of the page in turn, for whoever looks at them.

import AxeBuilder from "@axe-core/playwright";
import { expect, atStep, codeFor, open, pressUntil, wrong } from "./fixtures.js";

/** Finds what axe finds. */
export async function isAccessible(page) {
  const found = await new AxeBuilder({ page })
    .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"])
    .analyze();
  expect(found.violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html)])).toEqual([]);
}

/** Keeps a picture, to be looked at. */
export async function picture(page, name) {
  await page.screenshot({ path: `pictures/${name}.png`, fullPage: true });
}

const problem = (status, code, more = {}) => ({
  status,
  contentType: "application/problem+json",
  body: JSON.stringify({
    type: "about:blank",
    title: code,
    status,
    detail: "",
    code,
    message: "",
    ...more,
  }),
});

/**
 * Leads the page through its states and calls `look(name)` in each. Words are
 * not relied on: the page may be in any language.
 */
export async function eachState(page, number, look, { origin = "", query = "" } = {}) {
  await open(page, origin, query);
  await look("phone");
  await page.locator("#phone").fill("0");
  await page.locator("#send").click();
  await expect(page.locator("#phone-failure")).not.toBeEmpty();
  await look("phone-refused");
  await page.locator("#phone").fill(number);
  await page.route("**/api/otp/send", (route) =>
    route.fulfill(problem(429, "rate_limited", { retry_after: 300 })),
  );
  await page.locator("#send").click();
  await expect(page.locator("#phone-failure")).toContainText(/[5٥]/);
  await look("phone-limited");
  await page.unroute("**/api/otp/send");

  await page.locator("#send").click();
  await atStep(page, "enter-code");
  await expect(page.locator("#deliveries .delivered")).toBeVisible();
  await expect(page.getByTestId("pretend-phone-code")).toBeVisible();
  await look("code");
  const code = await codeFor(page, number);
  await page.locator("#code").pressSequentially(code.slice(0, 3));
  await look("code-half");
  await page.locator("#code").fill(wrong(code));
  await expect(page.locator("#code-failure")).not.toBeEmpty();
  await look("code-wrong");
  await page.locator("#code").fill("12345O");
  await page.locator("#verify").click();
  await look("code-not-digits");
  await expect(page.locator("#by-voice")).not.toHaveAttribute("aria-disabled", "true");
  await page.locator("#by-voice").click();
  await expect(page.locator("#deliveries .delivered")).toHaveCount(2);
  await look("code-called");
  await page.route("**/api/otp/verify", (route) =>
    route.fulfill(problem(404, "session_expired", { verified: false })),
  );
  await page.locator("#code").fill(wrong(code, 2));
  await expect(page.locator("#ended-action")).toBeVisible();
  await look("code-expired");
  await page.unroute("**/api/otp/verify");

  const newCode = page.locator("#ended-action");
  await pressUntil(newCode, (within) => expect(newCode).toBeHidden(within));
  await page.locator("#code").fill(await codeFor(page, number));
  await atStep(page, "verified");
  await look("verified");
}
