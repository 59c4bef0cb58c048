import { test, expect, listen, open, sendCode } from "./fixtures.js";
import { eachState, isAccessible, picture } from "./states.js";

const SIZES = {
  phone: { width: 390, height: 844 },
  desktop: { width: 1280, height: 800 },
};

const WRITING = { ltr: "en", rtl: "ar" };

for (const colorScheme of ["light", "dark"]) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const [direction, locale] of Object.entries(WRITING)) {
      test.describe(`${colorScheme}, ${size}, ${direction}`, () => {
        test.use({ colorScheme, viewport });
        test("every state passes axe and is in the picture", async ({ page, number }) => {
          test.slow();
          const look = async (state) => {
            await isAccessible(page);
            await picture(page, `${state}-${size}-${colorScheme}-${direction}`);
          };
          await eachState(page, number, look, { query: `?locale=${locale}` });
          expect(await page.locator("html").getAttribute("dir")).toBe(direction);
        });
      });
    }
  }
}

for (const direction of Object.keys(WRITING)) {
  test.describe(`forced colours, ${direction}`, () => {
    test.use({ forcedColors: "active", viewport: SIZES.phone });
    test("every state passes axe", async ({ page, number }) => {
      test.slow();
      const look = async (state) => {
        await isAccessible(page);
        await picture(page, `${state}-phone-forced-${direction}`);
      };
      await eachState(page, number, look, { query: `?locale=${WRITING[direction]}` });
    });
  });
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
  const announced = await listen(page);
  await sendCode(page, number);
  await expect.poll(announced).toContainEqual(expect.stringContaining("We texted a code to"));
});
