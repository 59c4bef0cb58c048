// Codes that come by paste, by autofill, or that the browser reads itself.

import { test, expect, atStep, codeFor, open, sendCode, wrong } from "./fixtures.js";

/** Gives the page a browser that reads messages, and the test its strings. */
async function playReader(page) {
  await page.addInitScript(() => {
    window.asked = [];
    window.OTPCredential = class {};
    Object.defineProperty(navigator, "credentials", {
      value: {
        get: (options) =>
          new Promise((found, failed) => {
            const asking = { transport: options.otp.transport, aborted: false };
            const since = performance.now();
            window.asked.push(asking);
            asking.found = (code) => found({ type: "otp", code });
            options.signal.addEventListener("abort", () => {
              asking.aborted = true;
              asking.lasted = performance.now() - since;
              failed(new DOMException("aborted", "AbortError"));
            });
          }),
      },
    });
  });
}

const asked = (page) =>
  page.evaluate(() => window.asked.map(({ transport, aborted }) => ({ transport, aborted })));

async function checks(page) {
  const seen = [];
  page.on("request", (request) => {
    if (request.url().endsWith("/api/otp/verify")) seen.push(request.postDataJSON().otp);
  });
  return seen;
}

for (const [how, text] of [
  ["with a dash", (code) => `${code.slice(0, 3)}-${code.slice(3)}`],
  ["with spaces", (code) => ` ${code.slice(0, 3)} ${code.slice(3)} `],
  ["in its message", (code) => `Your code is ${code}. Do not share it.\n\n@example.com #${code}`],
]) {
  test(`a code pasted ${how} is taken, once`, async ({ page, number, context }) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await sendCode(page, number);
    const seen = await checks(page);
    const code = await codeFor(page, number);
    await page.evaluate((text) => navigator.clipboard.writeText(text), text(code));
    await page.locator("#code").focus();
    await page.keyboard.press("ControlOrMeta+V");
    await atStep(page, "verified");
    expect(seen).toEqual([code]);
  });
}

test("there is one real field, and the phone may fill it", async ({ page, number }) => {
  await sendCode(page, number);
  const fields = page.locator("#enter-code input");
  await expect(fields).toHaveCount(1);
  await expect(fields).toHaveAttribute("autocomplete", "one-time-code");
  await expect(fields).toHaveAttribute("inputmode", "numeric");
  await expect(fields).not.toHaveAttribute("maxlength");
  const size = await fields.evaluate((field) => parseFloat(getComputedStyle(field).fontSize));
  expect(size).toBeGreaterThanOrEqual(16);
});

test("the digits stand in their boxes", async ({ page, number }) => {
  await sendCode(page, number);
  await page.locator("#code").pressSequentially("12345");
  const boxes = await page.locator(".cells i:visible").evaluateAll((cells) =>
    cells.map((cell) => cell.getBoundingClientRect()).map(({ left, right }) => [left, right]),
  );
  expect(boxes).toHaveLength(6);
  // The width of a digit and what is between two are the field's own.
  const { start, cell, digit } = await page.locator("#code").evaluate((field) => {
    const style = getComputedStyle(field);
    const canvas = document.createElement("canvas").getContext("2d");
    canvas.font = `${style.fontSize} ${style.fontFamily}`;
    const digit = canvas.measureText("0").width;
    const start = field.getBoundingClientRect().left + parseFloat(style.paddingLeft);
    return { start, digit, cell: digit + parseFloat(style.letterSpacing) };
  });
  boxes.forEach(([left, right], index) => {
    const middle = start + index * cell + digit / 2;
    expect(Math.abs(middle - (left + right) / 2), `box ${index}`).toBeLessThan(2);
  });
});

test("a code that the browser reads is taken, once", async ({ page, number }) => {
  await playReader(page);
  await sendCode(page, number);
  const seen = await checks(page);
  await expect.poll(() => asked(page)).toEqual([{ transport: ["sms"], aborted: false }]);
  const code = await codeFor(page, number);
  await page.evaluate((code) => window.asked[0].found(code), code);
  await atStep(page, "verified");
  expect(seen).toEqual([code]);
});

test("reading ends when a code is typed, and when the step is left", async ({ page, number }) => {
  await playReader(page);
  await sendCode(page, number);
  await expect.poll(async () => (await asked(page)).length).toBe(1);
  await page.locator("#code").fill(wrong(await codeFor(page, number)));
  await expect.poll(async () => (await asked(page))[0].aborted).toBe(true);
  // After a wrong code another message may still come.
  await expect.poll(async () => (await asked(page)).at(-1)).toMatchObject({ aborted: false });
  await page.getByRole("button", { name: "Change number" }).click();
  await expect.poll(async () => (await asked(page)).every(({ aborted }) => aborted)).toBe(true);
});

test("reading ends after a minute", async ({ page, number }) => {
  await playReader(page);
  await page.clock.install();
  await sendCode(page, number);
  await expect.poll(async () => (await asked(page)).length).toBe(1);
  await page.clock.runFor(61_000);
  await expect.poll(async () => (await asked(page))[0].aborted).toBe(true);
  expect(await page.evaluate(() => window.asked[0].lasted)).toBeGreaterThanOrEqual(60_000);
});

test("without such a browser nothing is different", async ({ page, number }) => {
  await page.addInitScript(() => delete window.OTPCredential);
  await sendCode(page, number);
  await page.locator("#code").fill(await codeFor(page, number));
  await atStep(page, "verified");
});

for (const [typed, country, shown] of [
  ["44 7700 900199", "GB", "+44 7700 900199"],
  ["(49) 1512 3456789", "DE", "+49 1512 3456789"],
  ["06 20 123 4567", "HU", "+36 20 123 4567"],
  ["8 (912) 345-67-89", "RU", "+7 912 345-67-89"],
  ["8 771 000 9998", "KZ", "+7 771 000 9998"],
  ["090-1234-5678", "JP", "+81 90 1234 5678"],
]) {
  test(`"${typed}" with ${country} chosen is ${shown}`, async ({ page }) => {
    await open(page);
    await page.locator("#country").selectOption(country);
    await page.locator("#phone").fill(typed);
    await expect(page.locator("#country")).toHaveValue(country);
    await expect(page.locator("#phone-preview")).toContainText(`We will text ${shown.replace(/-/g, " ")}`);
  });
}

test("a zero-width character between digits is refused, and stays", async ({ page }) => {
  await open(page);
  await page.locator("#phone").fill("+44 7700\u200b 900199");
  await page.locator("#send").click();
  await expect(page.getByRole("alert")).toContainText("digits only");
});

test("the code twice is the code, once", async ({ page, number }) => {
  await sendCode(page, number);
  const seen = await checks(page);
  const code = await codeFor(page, number);
  await page.locator("#code").fill(code + code);
  await atStep(page, "verified");
  expect(seen).toEqual([code]);
});

test("two different codes stay as they are", async ({ page, number }) => {
  await sendCode(page, number);
  const seen = await checks(page);
  await page.locator("#code").fill("123456654321");
  await expect(page.locator("#code")).toHaveValue("123456654321");
  expect(seen).toEqual([]);
});

test("an input method is left alone until its text is done", async ({ page, number }) => {
  await sendCode(page, number);
  const seen = await checks(page);
  const code = await codeFor(page, number);
  const wide = code.replace(/\d/g, (digit) => String.fromCharCode(0xff10 + Number(digit)));
  const field = page.locator("#code");
  await field.dispatchEvent("compositionstart", { data: "" });
  for (let length = 1; length <= 6; length += 1) {
    await field.evaluate((input, text) => {
      input.value = text;
      input.dispatchEvent(new InputEvent("input", { bubbles: true, data: text, isComposing: true }));
    }, wide.slice(0, length));
    await expect(field).toHaveValue(wide.slice(0, length));
  }
  expect(seen).toEqual([]);
  // Both events in one go, as a browser sends them: the field is gone as soon as the code is right.
  await field.evaluate((input, text) => {
    input.dispatchEvent(new CompositionEvent("compositionend", { bubbles: true, data: text }));
    input.dispatchEvent(new InputEvent("input", { bubbles: true, data: text, isComposing: false }));
  }, wide);
  await atStep(page, "verified");
  expect(seen).toEqual([code]);
});

test("after another message the browser is asked to read it", async ({ page, number }) => {
  await playReader(page);
  await sendCode(page, number);
  await expect.poll(async () => (await asked(page)).length).toBe(1);
  const again = page.getByRole("button", { name: "Send again", exact: true });
  await expect(again).not.toHaveAttribute("aria-disabled", "true");
  await again.click();
  await expect
    .poll(() => asked(page))
    .toEqual([
      { transport: ["sms"], aborted: true },
      { transport: ["sms"], aborted: false },
    ]);
});

for (const [pasted, country, shown] of [
  ["+44 (0)7700 900199", "GB", "+44 7700 900199"],
  ["0044 7700 900199", "GB", "+44 7700 900199"],
  ["tel:+44-7700-900199", "GB", "+44 7700 900199"],
  ["+1 (415) 555-0123", "US", "+1 415 555 0123"],
  ["+33 6 12 34 56 78", "FR", "+33 6 12 34 56 78"],
  ["\u202a+36 06 20 123 4567\u202c", "HU", "+36 20 123 4567"],
  ["＋４４（０）７７００－９００１９９", "GB", "+44 7700 900199"],
]) {
  test(`"${pasted}" is cleaned and its country chosen`, async ({ page }) => {
    await open(page);
    await page.locator("#country").selectOption("JP");
    await page.locator("#phone").fill(pasted);
    await expect(page.locator("#country")).toHaveValue(country);
    await expect(page.locator("#phone-preview")).toContainText(`We will text ${shown}`);
  });
}
