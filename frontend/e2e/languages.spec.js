// The page in every language.

import { readFileSync, readdirSync } from "node:fs";
import { test, expect, atStep, codeFor, messages, open, wrong } from "./fixtures.js";

const home = new URL("../locales/", import.meta.url);
const LOCALES = readdirSync(home).map((file) => file.replace(".json", ""));
const texts = (locale) => JSON.parse(readFileSync(new URL(`${locale}.json`, home), "utf8"));

for (const locale of LOCALES) {
  const said = texts(locale);

  test.describe(locale, () => {
    test.use({ locale });

    test("what is seen first is in the reader's language already", async ({ browser, service }) => {
      const context = await browser.newContext({ javaScriptEnabled: false, locale });
      const page = await context.newPage();
      await page.goto(service.origin);
      await expect(page.locator("html")).toHaveAttribute("lang", locale);
      await expect(page.locator("h1:visible")).toHaveText(said["phone-heading"]);
      await expect(page.locator("#send")).toHaveText(said["send-sms"]);
      await expect(page).toHaveTitle(`${said["phone-heading"]} · Countersign`);
      await context.close();
    });

    test("a number is verified, and a wrong code counted", async ({ page, number }) => {
      await open(page);
      await page.locator("#phone").fill(number);
      await expect(page.locator("#phone-preview")).toContainText("+44 7700 900");
      await page.getByRole("button", { name: said["send-sms"] }).click();
      await atStep(page, "enter-code");
      await expect(page.getByRole("heading", { level: 1 })).toHaveText(said["code-heading"]);
      const code = await codeFor(page, number);
      const count = new Intl.NumberFormat(locale);
      for (let left = 4; left >= 1; left -= 1) {
        await page.locator("#code").fill(wrong(code, left));
        const form = new Intl.PluralRules(locale).select(left);
        const text = said["tries-left"][form].replace("{count}", count.format(left));
        await expect(page.locator("#code-failure")).toHaveText(text);
      }
      await page.locator("#code").fill(code);
      await atStep(page, "verified");
      await expect(page.getByRole("heading", { level: 1 })).toHaveText(said["verified-heading"]);
      await expect(page).toHaveTitle(`${said["verified-heading"]} · Countersign`);
    });

    test("has the plural forms that the language has", () => {
      const { pluralCategories } = new Intl.PluralRules(locale).resolvedOptions();
      expect(Object.keys(said["tries-left"]).sort()).toEqual([...pluralCategories].sort());
    });

    test("every problem is told in it", async ({ page }) => {
      await open(page);
      await page.locator("#phone").fill("+447700900199");
      let problem;
      await page.route("**/api/otp/send", (route) =>
        route.fulfill({
          status: problem.status,
          contentType: "application/problem+json",
          body: JSON.stringify(problem),
        }),
      );
      for (const key of Object.keys(said).filter((key) => key.startsWith("error-"))) {
        const code = key.replace("error-", "");
        problem = { type: "about:blank", title: "", status: 400, detail: "", code, message: "" };
        await page.locator("#send").click();
        await expect(page.locator("#phone-failure")).toHaveText(said[key]);
      }
      for (const [seconds, count, unit] of [
        [1, 1, "second"],
        [300, 5, "minute"],
        [7200, 2, "hour"],
      ]) {
        problem = { ...problem, status: 429, code: "rate_limited", retry_after: seconds };
        await page.locator("#send").click();
        const when = new Intl.RelativeTimeFormat(locale).format(count, unit);
        await expect(page.locator("#phone-failure")).toHaveText(
          said["retry-limited"].replace("{when}", when),
        );
      }
    });
  });
}

test("another language can be chosen in the middle, and nothing is lost", async ({
  page,
  number,
}) => {
  await open(page);
  await page.locator("#phone").fill(number);
  await page.locator("#language").selectOption("ar");
  await expect(page.locator("html")).toHaveAttribute("dir", "rtl");
  await expect(page.locator("h1:visible")).toHaveText(texts("ar")["phone-heading"]);
  await expect(page.locator("#country option:checked")).toContainText("المملكة المتحدة");
  await expect(page.locator("#phone")).toHaveValue(/900/);
  await page.locator("#send").click();
  await atStep(page, "enter-code");
  await page.locator("#code").pressSequentially("123");
  await page.locator("#language").selectOption("ja");
  await expect(page.locator("html")).toHaveAttribute("dir", "ltr");
  await expect(page.locator("h1:visible")).toHaveText(texts("ja")["code-heading"]);
  await expect(page.locator("#code")).toHaveValue("123");
  expect(await messages(page, number)).toHaveLength(1);
});

test("a language whose texts do not come leaves a page in one language that works", async ({
  page,
  number,
}) => {
  await page.route("**/locales/de.json", (route) => route.fulfill({ status: 503, body: "" }));
  await open(page);
  await page.locator("#language").selectOption("de");
  await expect(page.locator("#language")).toHaveValue("en");
  await expect(page.locator("html")).toHaveAttribute("lang", "en");
  await expect(page.locator("h1:visible")).toHaveText("Verify your phone number");
  await page.locator("#phone").fill(number);
  await page.getByRole("button", { name: "Text me a code" }).click();
  await atStep(page, "enter-code");
});

test("the document brings its texts: none are fetched", async ({ page }) => {
  const asked = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await open(page, "", "?locale=ja");
  await expect(page.locator("h1:visible")).toHaveText(texts("ja")["phone-heading"]);
  expect(asked.filter((path) => path.startsWith("/locales/"))).toEqual([]);
});

for (const [locale, language] of [
  ["zh-TW", "zh-Hant"],
  ["zh-HK", "zh-Hant"],
  ["zh-CN", "zh"],
]) {
  test.describe(locale, () => {
    test.use({ locale });
    test(`is read in ${language}`, async ({ page }) => {
      await open(page);
      await expect(page.locator("html")).toHaveAttribute("lang", language);
      await expect(page.locator("h1:visible")).toHaveText(texts(language)["phone-heading"]);
    });
  });
}

test("digits of other scripts are digits", async ({ page, number }) => {
  const arabic = (digits) => digits.replace(/\d/g, (digit) => String.fromCharCode(0x660 + +digit));
  await open(page);
  await page.locator("#phone").fill(arabic(number));
  await page.locator("#send").click();
  await atStep(page, "enter-code");
  await page.locator("#code").fill(arabic(await codeFor(page, number)));
  await atStep(page, "verified");
});
