// Reloads, other tabs, lost networks.

import { test, expect, atStep, codeFor, messages, open, sendCode, wrong } from "./fixtures.js";

test("the countdown is the server's, and a reload does not begin it anew", async ({
  page,
  number,
  patient,
}) => {
  await sendCode(page, number, patient.origin);
  const left = async () => {
    const text = await page.locator("#resend").textContent();
    const [, minutes, seconds] = /(\d+):(\d\d)/.exec(text);
    return Number(minutes) * 60 + Number(seconds);
  };
  await expect(page.locator("#resend")).toHaveText(/5[5-8]$/);
  const before = await left();
  await page.reload();
  await expect(page.locator("#resend")).toHaveText(/\d:\d\d/);
  // The server rounds up.
  expect(await left()).toBeLessThanOrEqual(before + 1);
  expect(await left()).toBeGreaterThan(30);
});

test("away and back, the code can still be typed", async ({ page, number }) => {
  await sendCode(page, number);
  await page.goto("about:blank");
  await page.goBack();
  await atStep(page, "enter-code");
  await page.locator("#code").fill(await codeFor(page, number));
  await atStep(page, "verified");
  expect(await messages(page, number)).toHaveLength(1);
});

test("two tabs with one number do not fight", async ({ page, context, number }) => {
  await sendCode(page, number);
  const other = await context.newPage();
  await open(other);
  await other.locator("#phone").fill(number);
  await expect(async () => {
    await other.getByRole("button", { name: "Text me a code" }).click();
    await atStep(other, "enter-code");
  }).toPass();
  const code = await codeFor(page, number);
  await other.locator("#code").fill(wrong(code));
  await expect(other.getByRole("alert")).toContainText("4 tries left");
  await page.locator("#code").fill(code);
  await atStep(page, "verified");
});

test("a check whose answer was lost is not counted twice", async ({ page, number }) => {
  await sendCode(page, number);
  const code = await codeFor(page, number);
  let lost = 0;
  await page.route("**/api/otp/verify", async (route) => {
    if (lost === 0) {
      lost += 1;
      await route.fetch();
      await route.abort();
    } else {
      await route.continue();
    }
  });
  await page.locator("#code").fill(code);
  await expect(page.getByRole("alert")).toContainText("We cannot reach the service");
  await expect(page.locator("#code")).toHaveValue(code);
  // The page asks once more by itself.
  await atStep(page, "verified");
});

test("expiry wipes nothing, and one press brings a new code", async ({ page, number }) => {
  await page.clock.install();
  // The server's own clock does not jump along.
  await page.route("**/api/otp/sessions/**", (route) => route.abort());
  await sendCode(page, number);
  await page.locator("#code").pressSequentially("123");
  await page.clock.runFor(601_000);
  await expect(page.getByRole("alert")).toContainText("The code has expired");
  await expect(page.locator("#code")).toHaveValue("123");
  // The server's wait between two codes may not be over yet.
  await expect(async () => {
    await page.getByRole("button", { name: "Send a new code" }).click();
    await expect(page.locator("#expires")).toContainText("Expires in", { timeout: 500 });
  }).toPass();
  await page.locator("#code").fill(await codeFor(page, number));
  await atStep(page, "verified");
});

test("a wrong code is sent again by the button only", async ({ page, number }) => {
  await sendCode(page, number);
  const seen = [];
  page.on("request", (request) => {
    if (request.url().endsWith("/api/otp/verify")) seen.push(request);
  });
  const code = wrong(await codeFor(page, number));
  await page.locator("#code").fill(code);
  await expect(page.getByRole("alert")).toContainText("4 tries left");
  const selected = await page.locator("#code").evaluate((field) => [
    field.selectionStart,
    field.selectionEnd,
  ]);
  expect(selected).toEqual([0, 6]);
  expect(seen).toHaveLength(1);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("alert")).toContainText("3 tries left");
  expect(seen).toHaveLength(2);
});

test("everything is announced once", async ({ page, number }) => {
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
  await sendCode(page, number);
  await expect(page.getByRole("button", { name: "Send again", exact: true })).not.toHaveAttribute(
    "aria-disabled",
    "true",
  );
  await page.locator("#code").fill(wrong(await codeFor(page, number)));
  await expect(page.getByRole("alert")).toContainText("4 tries left");
  const heard = await page.evaluate(() => window.heard);
  expect(heard[0]).toMatch(/^We texted a code to \+44/);
  expect(heard).toContain("You can ask for the code again now.");
  expect(heard.at(-1)).toMatch(/4 tries left/);
  expect(new Set(heard).size, heard.join(" | ")).toBe(heard.length);
  // What a screen reader finds in the tree.
  const tree = await page.locator("#enter-code").ariaSnapshot();
  expect(tree).toContain('textbox "6-digit code"');
  expect(tree).toMatch(/alert: .*4 tries left/);
  expect(tree.match(/textbox/g)).toHaveLength(1);
});

test.describe("reduced motion", () => {
  test.use({ reducedMotion: "reduce" });
  test("nothing moves", async ({ page, number }) => {
    await sendCode(page, number);
    const moving = await page.evaluate(() =>
      [...document.querySelectorAll("*")].filter((element) => {
        const { transitionDuration, animationName } = getComputedStyle(element);
        return transitionDuration !== "0s" || animationName !== "none";
      }).length,
    );
    expect(moving).toBe(0);
  });
});

test("a computer that slept: the countdown goes on, and the service is asked", async ({
  page,
  number,
}) => {
  // The page's own clock stands still while the time of day goes on.
  await page.addInitScript(() => {
    const [now, day] = [performance.now.bind(performance), Date.now.bind(Date)];
    window.slept = 0;
    Date.now = () => day() + window.slept;
    performance.now = () => now();
  });
  await sendCode(page, number);
  const left = async () => {
    const text = await page.locator("#expires").textContent();
    const [, minutes, seconds] = /(\d+):(\d\d)/.exec(text);
    return Number(minutes) * 60 + Number(seconds);
  };
  await expect(page.locator("#expires")).toContainText(/\d:\d\d/);
  const before = await left();
  // The service is away, so that only the clock can tell.
  await page.route("**/api/otp/sessions/**", (route) => route.abort());
  await page.evaluate(() => (window.slept = 240_000));
  await expect.poll(left).toBeLessThanOrEqual(before - 235);
  const asked = page.waitForRequest(/sessions\/[^/]+$/);
  await page.evaluate(() => (window.slept = 900_000));
  await asked;
  await expect(page.getByRole("alert")).toContainText("The code has expired");
});

test("after a sleep the service's word counts, not the clock's", async ({ page, number }) => {
  await page.addInitScript(() => {
    const day = Date.now.bind(Date);
    window.slept = 0;
    Date.now = () => day() + window.slept;
  });
  await sendCode(page, number);
  await expect(page.locator("#expires")).toContainText(/\d:\d\d/);
  const answers = [];
  page.on("response", (response) => /sessions\/[^/]+$/.test(response.url()) && answers.push(response));
  // Somebody set the time of day: the code lives.
  const jump = async () => {
    if (answers.length === 0) await page.evaluate(() => (window.slept += 3_600_000));
    return answers.length;
  };
  await expect.poll(jump, { intervals: [4_000], timeout: 20_000 }).toBeGreaterThan(0);
  await expect(page.locator("#expires")).toContainText(/[89]:\d\d/);
  await page.locator("#code").fill(await codeFor(page, number));
  await atStep(page, "verified");
});
