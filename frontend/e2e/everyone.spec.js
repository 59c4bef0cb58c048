import AxeBuilder from "@axe-core/playwright";
import { test, expect, atStep, codeFor, open, sendCode, wrong } from "./fixtures.js";

const SIZES = {
  phone: { width: 390, height: 844 },
  desktop: { width: 1280, height: 800 },
};

async function isAccessible(page) {
  const found = await new AxeBuilder({ page })
    .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"])
    .analyze();
  expect(found.violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html)])).toEqual([]);
}

/** Every state of the page in turn. */
async function eachState(page, number, look) {
  await open(page);
  await look();
  await page.getByRole("button", { name: "Text me a code" }).click();
  await expect(page.getByRole("alert")).toContainText("Enter your phone number.");
  await look();
  await sendCode(page, number);
  await expect(page.getByTestId("pretend-phone-code")).toBeVisible();
  await look();
  const code = await codeFor(page, number);
  await page.locator("#code").fill(wrong(code));
  await expect(page.getByRole("alert")).toContainText("4 tries left");
  await look();
  await page.locator("#code").fill(code);
  await atStep(page, "verified");
  await look();
}

for (const colorScheme of ["light", "dark"]) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    test.describe(`${colorScheme}, ${size}`, () => {
      test.use({ colorScheme, viewport });
      test("every state passes axe", async ({ page, number }) => {
        await eachState(page, number, () => isAccessible(page));
      });
    });
  }
}

test.describe("320 pixels", () => {
  test.use({ viewport: { width: 320, height: 640 } });
  test("nothing needs scrolling sideways, and targets are large", async ({ page, number }) => {
    await eachState(page, number, async () => {
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      expect(width).toBeLessThanOrEqual(320);
      for (const target of await page.locator("button:visible, input:visible, select:visible").all()) {
        // WCAG 2.2, 2.5.8: a link within a sentence is exempt from the size.
        if (await target.evaluate((element) => element.matches(".link"))) continue;
        const box = await target.boundingBox();
        expect(box.height, await target.evaluate((element) => element.outerHTML)).toBeGreaterThanOrEqual(44);
      }
    });
  });
});

test("a failure is announced in an alert that was there before", async ({ page }) => {
  await open(page);
  const alert = await page.getByRole("alert").elementHandle();
  await page.getByRole("button", { name: "Text me a code" }).click();
  await expect(page.getByRole("alert")).toContainText("Enter your phone number.");
  expect(await alert.evaluate((element) => element.textContent)).toContain("Enter your phone number.");
});

test("what happened is told in passing", async ({ page, number }) => {
  await sendCode(page, number);
  await expect(page.locator("p.visually-hidden[role=status]")).toContainText("We texted a code to");
});
