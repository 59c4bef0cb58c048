// The custom element by which an application's page embeds ours, in one line.

import { askForCode, claims, codeFrom, expect, test } from "./application.js";

/** The application's page, under a policy that allows the service and nothing else. */
async function embedding(hosting, application, attributes, path = "/embedded") {
  const html = `<!doctype html><title>application</title>
    <script type="module" src="${hosting.origin}/embed/v1.js"></script>
    <script type="module" src="/heard.js"></script>
    <countersign-verify ${attributes}></countersign-verify>`;
  application.pages.set(path, html);
  application.pages.set("/heard.js", {
    type: "text/javascript",
    text: `window.heard = [];
      for (const name of ["verified", "cancelled"]) {
        addEventListener(name, (event) => window.heard.push([name, event.detail]));
      }`,
  });
  application.policy = `default-src 'none'; script-src 'self' ${hosting.origin}; frame-src ${hosting.origin}`;
  return `${application.origin}${path}`;
}

const heard = (page) => expect.poll(() => page.evaluate(() => window.heard));

test("one line verifies a number, and the element tells its page", async ({
  page,
  number,
  application,
  hosting,
}) => {
  const address = await embedding(hosting, application, 'proof-nonce="n0nce" locale="en"');
  const violations = [];
  page.on("console", (message) => message.type() === "error" && violations.push(message.text()));
  await page.goto(address);
  const frame = page.frameLocator("countersign-verify iframe");
  await askForCode(frame, number);
  const element = page.locator("countersign-verify iframe");
  await expect
    .poll(() => element.evaluate((frame) => frame.style.height))
    .toMatch(/^\d+(\.\d+)?px$/);
  expect(await element.getAttribute("allow")).toBe("otp-credentials");
  await frame.locator("#code").fill(await codeFrom(page, number, hosting.origin));
  await heard(page).toHaveLength(1);
  const [[name, detail]] = await page.evaluate(() => window.heard);
  expect(name).toBe("verified");
  expect(claims(detail.proof)).toMatchObject({ phone_number: number, nonce: "n0nce" });
  expect(violations).toEqual([]);
});

test("who cancels is heard of, and what others say is not", async ({
  page,
  application,
  hosting,
}) => {
  const address = await embedding(hosting, application, 'locale="en"');
  await page.goto(address);
  const frame = page.frameLocator("countersign-verify iframe");
  const cancel = frame.getByRole("button", { name: "Cancel and go back" });
  await expect(cancel).toBeVisible();
  // From the page's own origin, and from its own window: neither is the frame's.
  await page.evaluate(() => postMessage({ type: "countersign.verified", proof: "forged" }, "*"));
  await page.evaluate((origin) => {
    const forged = { type: "countersign.verified", proof: "forged" };
    dispatchEvent(new MessageEvent("message", { data: forged, origin, source: window }));
  }, hosting.origin);
  await cancel.click();
  await heard(page).toEqual([["cancelled", {}]]);
});
