import {
  test,
  expect,
  atStep,
  codeFor,
  codeSelected,
  hold,
  messages,
  open,
  sendCode,
  spaced,
  wrong,
} from "./fixtures.js";

test("a number is verified", async ({ page, number }) => {
  await open(page);
  await expect(page.getByTestId("sandbox-banner")).toBeVisible();
  await page.locator("#phone").fill(number);
  await expect(page.locator("#country")).toHaveValue("GB");
  await expect(page.locator("#phone-preview")).toContainText("We will text +44");
  await page.getByRole("button", { name: "Text me a code" }).click();
  await atStep(page, "enter-code");
  await expect(page.locator("#code")).toBeFocused();
  const code = page.getByTestId("pretend-phone-code");
  await expect(code).toHaveText(/^\d{6}$/);
  await page.locator("#code").pressSequentially(await code.textContent());
  await atStep(page, "verified");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Phone number verified");
  await expect(page.locator("#verified-heading")).toBeFocused();
  await expect(page).toHaveTitle(/^Phone number verified/);
});

test("a national number goes with the chosen country", async ({ page, number }) => {
  await open(page);
  await page.locator("#country").selectOption("GB");
  await page.locator("#phone").fill(number.replace("+44", "0"));
  await page.getByRole("button", { name: "Text me a code" }).click();
  await atStep(page, "enter-code");
  expect(await messages(page, number)).toHaveLength(1);
});

test("a wrong code leaves four tries, the right one still works", async ({ page, number }) => {
  await sendCode(page, number);
  const code = await codeFor(page, number);
  await page.locator("#code").pressSequentially(wrong(code));
  await expect(page.getByRole("alert")).toContainText("4 tries left");
  // What was typed is selected: typing replaces it.
  await codeSelected(page);
  await page.keyboard.type(code);
  await atStep(page, "verified");
});

test("five wrong codes end it, and starting again works", async ({ page, number }) => {
  await sendCode(page, number);
  const code = await codeFor(page, number);
  for (let by = 1; by <= 5; by += 1) {
    await page.locator("#code").fill(wrong(code, by));
    const said = by < 5 ? `${5 - by} tr` : "one wrong code too many";
    await expect(page.getByRole("alert")).toContainText(said);
  }
  await expect(page.getByRole("button", { name: "Verify", exact: true })).toHaveAttribute(
    "aria-disabled",
    "true",
  );
  await page.getByRole("button", { name: "Start again" }).click();
  await atStep(page, "enter-phone");
  await expect(page.locator("#phone")).toHaveValue(spaced(number));
});

test("a reload goes on where it was", async ({ page, number }) => {
  await sendCode(page, number);
  const code = await codeFor(page, number);
  await page.reload();
  await atStep(page, "enter-code");
  await expect(page.locator("body")).not.toContainText(number.slice(3));
  await expect(page.getByText(/Expires in \d+:\d\d/)).toBeVisible();
  await page.locator("#code").fill(code);
  await atStep(page, "verified");
});

test("the tab keeps the session's name and a masked number, until the end", async ({
  page,
  number,
}) => {
  await sendCode(page, number);
  const kept = await page.evaluate(() => ({ ...sessionStorage }));
  expect(Object.keys(kept)).toEqual(["countersign"]);
  const { session_uuid, recipient, ...rest } = JSON.parse(kept.countersign);
  expect(session_uuid).toMatch(/^[0-9a-f-]{36}$/);
  expect(recipient).toContain("•");
  expect(recipient).not.toContain(number.slice(-5));
  expect(rest).toEqual({});
  expect(await page.evaluate(() => localStorage.length)).toBe(0);
  expect(await page.evaluate(() => document.cookie)).toBe("");
  await page.locator("#code").fill(await codeFor(page, number));
  await atStep(page, "verified");
  expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
});

test("the same code comes again after the wait", async ({ page, number }) => {
  await sendCode(page, number);
  const code = await codeFor(page, number);
  const again = page.getByRole("button", { name: "Send again", exact: true });
  await expect(again).not.toHaveAttribute("aria-disabled", "true");
  await again.click();
  await expect.poll(async () => (await messages(page, number)).length).toBe(2);
  expect((await messages(page, number)).map((message) => message.otp)).toEqual([code, code]);
  await page.locator("#code").fill(code);
  await atStep(page, "verified");
});

test("a code typed while the same one is sent again is checked afterwards", async ({ page, number }) => {
  await sendCode(page, number);
  const code = await codeFor(page, number);
  const release = await hold(page, "**/api/otp/resend");
  const again = page.getByRole("button", { name: "Send again", exact: true });
  await expect(again).not.toHaveAttribute("aria-disabled", "true");
  await again.click();
  await page.locator("#code").fill(code);
  release();
  await atStep(page, "verified");
});

test("a press during the wait sends nothing", async ({ page, number, patient }) => {
  await sendCode(page, number, patient.origin);
  // The last news of the delivery would replace what is announced.
  await expect(page.locator("#deliveries .delivered")).toBeVisible();
  const asked = [];
  page.on("request", (request) => {
    if (request.url().endsWith("/api/otp/resend")) asked.push(request);
  });
  await page.getByRole("button", { name: /^Send again in/ }).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("status").filter({ hasText: "ask for the code again" })).toBeAttached();
  expect(asked).toHaveLength(0);
});

test("a call brings the same code", async ({ page, number }) => {
  await sendCode(page, number);
  const code = await codeFor(page, number);
  const call = page.getByRole("button", { name: "Call me instead" });
  await expect(call).not.toHaveAttribute("aria-disabled", "true");
  await call.click();
  await expect(page.getByText("We are calling you with a code on").first()).toBeVisible();
  expect(await codeFor(page, number)).toBe(code);
});

test("the number can be changed, and what was typed is kept", async ({ page, number, numbers }) => {
  const recipients = [];
  page.on("request", (request) => {
    if (request.url().endsWith("/api/otp/send")) recipients.push(request.postDataJSON().recipient);
  });
  await sendCode(page, number);
  // From now on a code may be sent again: the page does not send one by itself.
  await expect(page.getByRole("button", { name: "Send again", exact: true })).not.toHaveAttribute(
    "aria-disabled",
    "true",
  );
  await page.getByRole("button", { name: "Change number" }).click();
  await atStep(page, "enter-phone");
  await expect(page.locator("#phone")).toHaveValue(spaced(number));
  await expect(page.locator("#phone")).toBeFocused();
  const other = numbers.next();
  await page.locator("#phone").fill(other);
  await page.getByRole("button", { name: "Text me a code" }).click();
  await atStep(page, "enter-code");
  expect(await messages(page, other)).toHaveLength(1);
  expect(recipients).toEqual([number, other]);
});

test("the keyboard alone is enough", async ({ page, number }) => {
  await open(page);
  const reach = async (id) => {
    for (let tab = 0; tab < 12; tab += 1) {
      if (await page.evaluate((id) => document.activeElement?.id === id, id)) return;
      await page.keyboard.press("Tab");
    }
    throw new Error(`the keyboard does not reach #${id}`);
  };
  await reach("phone");
  await page.keyboard.type(number);
  await page.keyboard.press("Enter");
  await atStep(page, "enter-code");
  await expect(page.locator("#code")).toBeFocused();
  await page.keyboard.type(await codeFor(page, number));
  await atStep(page, "verified");
  await expect(page.locator("#verified-heading")).toBeFocused();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await atStep(page, "enter-phone");
  await expect(page.locator("#phone")).toHaveValue("");
});

test("a landline is called, by one press and with the same number", async ({ page }) => {
  const number = "+442079460958";
  await open(page);
  await page.locator("#phone").fill("+44 20 7946 0958");
  await page.getByRole("button", { name: "Text me a code" }).click();
  await expect(page.getByRole("alert")).toContainText("We can call it");
  await page.getByRole("button", { name: "Call me instead" }).click();
  await atStep(page, "enter-code");
  await expect(page.locator("#sent-to")).toContainText("We are calling you with a code on +44");
  await page.locator("#code").fill(await codeFor(page, number));
  await atStep(page, "verified");
});

test("the offer of a call goes with the number that it was for", async ({ page }) => {
  await open(page);
  await page.locator("#phone").fill("+44 20 7946 0958");
  await page.getByRole("button", { name: "Text me a code" }).click();
  await expect(page.getByRole("button", { name: "Call me instead" })).toBeVisible();
  await page.locator("#phone").fill("+44 20 7946 095");
  await expect(page.getByRole("button", { name: "Call me instead" })).toBeHidden();
  await expect(page.locator("#phone-failure")).toBeEmpty();
});

for (const [typed, said] of [
  ["", "Enter your phone number."],
  ["12", "too short or too long"],
  ["+1 415 555 CALL", "digits only"],
  ["+44 20 7946 0958", "cannot receive text messages"],
  ["+44 9012 345678", "kind of number"],
]) {
  test(`"${typed}" is refused and stays typed`, async ({ page }) => {
    await open(page);
    await page.locator("#phone").fill(typed);
    await page.getByRole("button", { name: "Text me a code" }).click();
    await expect(page.getByRole("alert")).toContainText(said);
    await atStep(page, "enter-phone");
    await expect(page.locator("#phone")).toHaveValue(typed);
    await expect(page.locator("#phone")).toHaveAttribute("aria-invalid", "true");
    await expect(page.locator("#phone")).toBeFocused();
    await expect(page).toHaveTitle(/^Error: /);
  });
}

test("where the text did not get through a call is offered at once", async ({ page, patient }) => {
  // Numbers that end with 92 are out of reach.
  const number = "+447700900992";
  const deliver = await hold(page, "**/api/otp/sessions/**");
  await sendCode(page, number, patient.origin);
  const call = page.getByRole("button", { name: "Call me instead" });
  await expect(call).toHaveAttribute("aria-disabled", "true");
  deliver();
  await expect(page.locator(".advice")).toContainText("The message did not get through.");
  await expect(call).not.toHaveAttribute("aria-disabled", "true");
  await call.click();
  await expect(page.locator("#sent-to")).toContainText("We are calling you with a code on");
});

test("a block for suspected fraud looks like any text that did not come", async ({
  page,
  patient,
}) => {
  await sendCode(page, "+447700900993", patient.origin);
  await expect(page.locator(".advice")).toContainText("The message did not get through. Check");
  await expect(page.locator("body")).not.toContainText(/fraud|block|452/i);
});

test("a text that takes its time is with the carrier, and no more is promised", async ({ page, patient }) => {
  // Numbers that end with 91 are delivered after 45 seconds.
  await sendCode(page, "+447700900991", patient.origin);
  await expect(page.locator("#sent-to")).toContainText("We texted a code to");
  await expect(page.locator("#deliveries")).toHaveText("Text message With your carrier");
});
