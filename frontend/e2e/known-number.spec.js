// A page for a number that the application's server knows.

import { claims, codeFrom, expect, test } from "./application.js";
import { beginPage } from "./service.js";
import { isAccessible, picture } from "./states.js";

test("the number is fixed and masked, and one press sends one code", async ({
  page,
  number,
  application,
  hosting,
}) => {
  application.pages.set("/account/phone", "<title>back</title>");
  const return_to = `${application.origin}/account/phone`;
  const address = await beginPage(hosting, number, { return_to, state: "s", nonce: "n0nce", purpose: "sign_in" });
  await page.goto(`${address}&locale=en`);
  const known = page.locator("#known-number");
  await expect(known).toHaveText(new RegExp(`^\\+•+${number.slice(-2)}$`));
  expect(await page.content()).not.toContain(number.slice(-7));
  await isAccessible(page);
  await picture(page, "known-number");
  const messages = async () => {
    const path = `${hosting.origin}/sandbox/messages?recipient=${encodeURIComponent(number)}`;
    return (await page.request.get(path)).json();
  };
  expect(await messages()).toEqual([]);
  await page.getByRole("button", { name: "Text me a code" }).click();
  await expect(page.getByLabel("6-digit code")).toBeVisible();
  await expect(page.getByRole("button", { name: "Change number" })).toBeHidden();
  // A reload goes on where it was, and sends nothing.
  await page.reload();
  await expect(page.getByLabel("6-digit code")).toBeVisible();
  expect(await messages()).toHaveLength(1);
  await page.locator("#code").fill(await codeFrom(page, number, hosting.origin));
  await expect(page).toHaveTitle("back");
  const fragment = new URLSearchParams(new URL(page.url()).hash.slice(1));
  expect(fragment.get("state")).toBe("s");
  const said = { phone_number: number, nonce: "n0nce", purpose: "sign_in" };
  expect(claims(fragment.get("proof"))).toMatchObject(said);
});

test("whoever comes second is told that it was used", async ({
  page,
  number,
  application,
  hosting,
}) => {
  const return_to = `${application.origin}/account/phone`;
  const address = await beginPage(hosting, number, { return_to });
  const name = new URL(address).searchParams.get("page");
  await page.goto(`${address}&locale=en`);
  await page.request.post(`${hosting.origin}/api/otp/page`, { data: { page: name } });
  await page.getByRole("button", { name: "Text me a code" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "expired" })).toBeVisible();
  await expect(page.getByRole("button", { name: "Cancel and go back" })).toBeVisible();
});
