// Other applications send people here: in a frame, or there and back.

import { readFileSync } from "node:fs";
import { askForCode, claims, codeFrom, expect, framing, link, test } from "./application.js";
import { atStep, hold, open } from "./fixtures.js";
import { isAccessible, picture } from "./states.js";

/** An example of docs/integrate, as it is printed there. */
function example(name) {
  const file = { return: "redirect", embed: "embed" }[name];
  const document = readFileSync(new URL(`../../docs/integrate/${file}.md`, import.meta.url), "utf8");
  const [, code] = document.split(`\`\`\`html ${name}\n`);
  return code.split("```")[0];
}

async function verify(page, frame, number, origin) {
  await askForCode(frame, number);
  await frame.locator("#code").fill(await codeFrom(page, number, origin));
}

test("a person goes there and back, and the application gets its proof", async ({
  page,
  number,
  application,
  hosting,
}) => {
  application.pages.set("/account/phone", "<title>back</title>");
  const state = 'a "b" & <c>';
  await page.goto(
    link(hosting.origin, {
      return_to: `${application.origin}/account/phone?step=2`,
      state,
      nonce: "n0nce",
      locale: "en",
    }),
  );
  await expect(page.getByRole("button", { name: "Cancel and go back" })).toBeVisible();
  await isAccessible(page);
  await picture(page, "hosted");
  await verify(page, page, number, hosting.origin);
  await expect(page).toHaveTitle("back");
  const there = new URL(page.url());
  expect(`${there.origin}${there.pathname}${there.search}`).toBe(
    `${application.origin}/account/phone?step=2`,
  );
  const fragment = new URLSearchParams(there.hash.slice(1));
  expect(fragment.get("state")).toBe(state);
  expect(claims(fragment.get("proof"))).toMatchObject({ phone_number: number, nonce: "n0nce" });
  // Back does not lead into the middle of what is done.
  expect(await page.evaluate(() => history.length)).toBeLessThanOrEqual(2);
});

test("who cancels goes back without a proof", async ({ page, application, hosting }) => {
  application.pages.set("/account/phone", "<title>back</title>");
  await page.goto(
    link(hosting.origin, { return_to: `${application.origin}/account/phone`, state: "s" }),
  );
  await page.getByRole("button", { name: "Cancel and go back" }).click();
  await expect(page).toHaveTitle("back");
  expect(new URL(page.url()).hash).toBe("#error=cancelled&state=s");
});

// What HTML reads as something else unless it is escaped, what URLs do, and what
// programs between the two might: each on its own and all in one.
const tricky = [
  "&period;&period;&sol;admin",
  "&#46;&#46;&#x2f;admin",
  "&amp;&amp;amp;&lt;b&gt;&quot;&apos;&nbsp;",
  "&num;error=forged",
  "&copy=1&reg;&notin&para",
  "&Tab;&NewLine;&lbrace;",
  "'\"<>`${x}{{y}}\\",
  "%26period%3B%00%2e",
  "a+b c%20d",
  "-->]]></script><!--",
  "caf\u00e9 \u202e\u2028 \u{1f600} \ufeff\ufffd\uffff",
];
const allTricky = tricky.join("|");

/** Goes there and cancels: the application is asked for exactly that address. */
async function cancelled(page, { application, hosting }, return_to, state) {
  const before = application.asked.length;
  const answer = await page.goto(link(hosting.origin, { return_to, state }));
  expect(answer.status(), return_to).toBe(200);
  await page.getByRole("button", { name: "Cancel and go back" }).click();
  await page.waitForURL((url) => url.origin === application.origin);
  const sent = new URL(return_to);
  const asked = application.asked.slice(before).filter((target) => target !== "/favicon.ico");
  expect(asked).toEqual([sent.pathname + sent.search]);
  const { hash } = new URL(page.url());
  expect([...new URLSearchParams(hash.slice(1))]).toEqual([
    ["error", "cancelled"],
    ["state", state],
  ]);
}

test("the state comes back to the letter", async ({ page, application, hosting }) => {
  for (const state of [allTricky, "\r\n\t\x01\x7f\f", "a\rb", "&"]) {
    await cancelled(page, { application, hosting }, `${application.origin}/account/`, state);
  }
});

test("what was checked is what is followed, whatever the characters", async ({
  page,
  application,
  hosting,
}) => {
  // As an application's library writes them, and as a careless one does: each goes
  // there, or nowhere.
  const encoded = encodeURIComponent(allTricky);
  const addresses = [`?next=${encoded}`, `?${allTricky}`];
  addresses.push(...tricky.map((characters) => `${characters}/end`));
  addresses.push(...tricky.map(encodeURIComponent));
  let followed = 0;
  for (const address of addresses) {
    const return_to = `${application.origin}/account/${address}`;
    const answer = await page.request.get(link(hosting.origin, { return_to }));
    expect([200, 400], return_to).toContain(answer.status());
    if (answer.status() === 400) continue;
    await cancelled(page, { application, hosting }, return_to, "s");
    followed += 1;
  }
  expect(followed).toBeGreaterThan(6);
});

test("a press on Cancel before the program is there counts", async ({
  page,
  application,
  hosting,
}) => {
  application.pages.set("/account/", "<title>back</title>");
  const release = await hold(page, "**/*.wasm");
  const return_to = `${application.origin}/account/`;
  await page.goto(link(hosting.origin, { return_to, locale: "en" }));
  await page.locator("#cancel").click();
  release();
  await expect(page).toHaveTitle("back");
});

test("the proof repeats the nonce to the letter, and the state comes back with it", async ({
  page,
  number,
  application,
  hosting,
}) => {
  const nonce = "&period;&amp;&#35;\"'<>%00\\&copy";
  application.pages.set("/account/", "<title>back</title>");
  await page.goto(
    link(hosting.origin, {
      return_to: `${application.origin}/account/`,
      state: allTricky,
      nonce,
      locale: "en",
    }),
  );
  await verify(page, page, number, hosting.origin);
  await expect(page).toHaveTitle("back");
  const fragment = new URLSearchParams(new URL(page.url()).hash.slice(1));
  expect(fragment.get("state")).toBe(allTricky);
  expect(claims(fragment.get("proof")).nonce).toBe(nonce);
});

test("nobody is sent to a stranger", async ({ page, stranger, application, hosting }) => {
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  const attempts = [
    { return_to: `${stranger.origin}/account/` },
    { return_to: `${application.origin}/` },
    { return_to: `${application.origin}/account/..%2f..%2fevil` },
    { return_to: `${application.origin}@${stranger.origin.slice(7)}/account/` },
    { return_to: `//${stranger.origin.slice(7)}/account/` },
    { return_to: "javascript:alert(document.domain)//account/" },
    { return_to: `${application.origin}/account/#proof=forged` },
    { return_to: `${application.origin}/account/..;/admin` },
    { return_to: `${application.origin}/account/%252e%252e/admin` },
    { return_to: `${application.origin}/account/%c0%ae%c0%ae/admin` },
    { return_to: "" },
    { embed: stranger.origin },
    { embed: "*" },
    { embed: application.origin, return_to: `${application.origin}/account/` },
    { return_to: `${application.origin}/account/`, nonce: "two words" },
    { return_to: `${application.origin}/account/`, state: "no\0text" },
  ];
  for (const parameters of attempts) {
    const answer = await page.goto(link(hosting.origin, parameters));
    expect(answer.status(), JSON.stringify(parameters)).toBe(400);
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("This link does not work");
    await expect(page.locator("#phone")).toBeHidden();
    await expect(page.locator("#cancel")).toBeHidden();
  }
  await isAccessible(page);
  await picture(page, "refused");
  const bytes = `${hosting.origin}/?return_to=${application.origin}/account/&state=%FF`;
  expect((await page.goto(bytes)).status()).toBe(400);
  const twice = `${hosting.origin}/?return_to=${application.origin}/account/&return_to=${stranger.origin}/`;
  expect((await page.goto(twice)).status()).toBe(400);
  expect(asked.filter((url) => url.startsWith(stranger.origin))).toEqual([]);
});

test("the address alone leads nowhere", async ({ page, number, stranger, hosting }) => {
  // Changed after the page came: the page believes what the server wrote.
  await open(page, hosting.origin);
  await page.evaluate(
    (origin) => history.replaceState(null, "", `/?return_to=${origin}/&embed=${origin}`),
    stranger.origin,
  );
  await verify(page, page, number, hosting.origin);
  await atStep(page, "verified");
  expect(new URL(page.url()).origin).toBe(hosting.origin);
});

test("in the application's frame, the proof comes as a message", async ({
  page,
  number,
  application,
  hosting,
}) => {
  application.pages.set("/", framing(application, hosting, { state: allTricky, nonce: "n" }));
  await page.goto(application.origin);
  await verify(page, page.frameLocator("iframe"), number, hosting.origin);
  const heard = () =>
    page.evaluate(() => window.heard.filter(([, { type }]) => type !== "countersign.resized"));
  await expect.poll(async () => (await heard()).length).toBe(1);
  const [[origin, message]] = await heard();
  expect(origin).toBe(hosting.origin);
  expect(message).toMatchObject({ type: "countersign.verified", state: allTricky });
  expect(claims(message.proof)).toMatchObject({ phone_number: number, nonce: "n" });
  await expect(page.frameLocator("iframe").locator("#verified-heading")).toBeVisible();
});

test("a frame learns how high the page is, now and when it changes", async ({
  page,
  application,
  hosting,
}) => {
  application.pages.set(
    "/",
    `<title>application</title>
     <iframe src="${link(hosting.origin, { embed: application.origin })}" width="400" height="200"></iframe>
     <script>
       window.heights = [];
       addEventListener("message", ({ data }) => window.heights.push(data));
     </script>`,
  );
  await page.goto(application.origin);
  const frame = page.frameLocator("iframe");
  const told = () => page.evaluate(() => window.heights.at(-1));
  const height = () => frame.locator("body").evaluate((body) => body.offsetHeight);
  // Both may still change: what counts is that the frame's page hears of it.
  const isTold = () =>
    expect(async () => {
      expect(await told()).toEqual({ type: "countersign.resized", height: await height() });
    }).toPass();
  await expect(frame.locator("#app")).toHaveAttribute("data-ready", "");
  await isTold();
  const before = await height();
  expect(before).toBeGreaterThan(300);
  await frame.locator("#send").click();
  await expect(frame.locator("#phone-failure")).not.toBeEmpty();
  await expect.poll(height).toBeGreaterThan(before);
  await isTold();
});

test("a stranger can neither frame the page nor hear of it", async ({
  page,
  stranger,
  application,
  hosting,
}) => {
  const framed = async (parameters) => {
    stranger.pages.set("/", `<iframe src="${link(hosting.origin, parameters)}"></iframe>`);
    await page.goto(stranger.origin);
    const frame = page.frames()[1];
    return frame ? frame.locator("#phone").isVisible() : false;
  };
  expect(await framed({})).toBe(false);
  expect(await framed({ embed: stranger.origin })).toBe(false);
  expect(await framed({ embed: application.origin })).toBe(false);
  expect(await framed({ return_to: `${application.origin}/account/` })).toBe(false);
});

test("who may frame is told for each answer", async ({ page, application, hosting }) => {
  const headers = async (parameters) =>
    (await page.request.get(link(hosting.origin, parameters))).headers();
  const framed = await headers({ embed: application.origin });
  expect(framed["content-security-policy"]).toContain(`frame-ancestors ${application.origin}`);
  expect(framed["x-frame-options"]).toBeUndefined();
  expect(framed["cache-control"]).toBe("no-store");
  for (const parameters of [{}, { return_to: `${application.origin}/account/` }, { embed: "x" }]) {
    const unframed = await headers(parameters);
    expect(unframed["content-security-policy"]).toContain("frame-ancestors 'none'");
    expect(unframed["x-frame-options"]).toBe("DENY");
  }
});

test("a session for one link's proof is not taken up for another's", async ({
  page,
  number,
  application,
  hosting,
}) => {
  const to = (nonce) =>
    link(hosting.origin, { return_to: `${application.origin}/account/`, nonce });
  await page.goto(to("first"));
  await askForCode(page, number);
  await page.reload();
  await atStep(page, "enter-code");
  await page.goto(to("second"));
  await expect(page.locator("#app")).toHaveAttribute("data-ready", "");
  await atStep(page, "enter-phone");
});

test("the documented way there and back works as printed", async ({
  page,
  number,
  application,
  hosting,
}) => {
  application.pages.set("/account/phone", example("return"));
  const return_to = `${application.origin}/account/phone`;
  await page.goto(link(hosting.origin, { return_to, state: "s", nonce: "n" }));
  await verify(page, page, number, hosting.origin);
  await expect(page.locator("#status")).toHaveText("Thank you.");
  expect(page.url()).toBe(return_to);
  const [answer] = application.posted;
  expect(answer.get("state")).toBe("s");
  expect(claims(answer.get("proof"))).toMatchObject({ phone_number: number, nonce: "n" });
});

test("the documented frame works as printed", async ({ page, number, application, hosting }) => {
  application.pages.set("/", example("embed").replace("https://verify.example.com", hosting.origin));
  await page.goto(application.origin);
  const [element, frame] = [page.locator("#verify"), page.frameLocator("#verify")];
  await expect(frame.locator("#app")).toHaveAttribute("data-ready", "");
  await expect(async () => {
    const height = await frame.locator("body").evaluate((body) => body.offsetHeight);
    expect((await element.boundingBox()).height).toBe(height);
  }).toPass();
  await verify(page, frame, number, hosting.origin);
  await expect.poll(() => application.posted.length).toBe(1);
  expect(claims(application.posted[0].get("proof"))).toMatchObject({
    phone_number: number,
    nonce: "from-your-server",
  });
});
