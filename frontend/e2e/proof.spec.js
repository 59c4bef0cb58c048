// The proof reaches the application, or the person is told that it did not.

import { askForCode, claims, codeFrom, expect, framing, link, test } from "./application.js";
import { pressUntil, wrong } from "./fixtures.js";

const heading = (frame) => frame.getByRole("heading", { name: "Phone number verified" });
const codeField = (frame) => frame.getByLabel("6-digit code");
const newCode = (frame) => frame.getByRole("button", { name: "Send a new code" });

// Where people meet the page: how they get there, where it is then, and how its
// application comes by the proof.
const places = {
  "the plain page": {
    open: (page, application, hosting) => page.goto(hosting.origin),
    frame: (page) => page,
    succeeds: async (page, number, network) => {
      await expect(heading(page)).toBeVisible();
      expect(network.proofs.map((proof) => claims(proof).phone_number)).toContain(number);
      expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
    },
  },
  "the hosted page": {
    open: (page, application, hosting) => {
      application.pages.set("/account/phone", "<title>back</title>");
      const return_to = `${application.origin}/account/phone`;
      return page.goto(link(hosting.origin, { return_to, state: "s", nonce: "n" }));
    },
    frame: (page) => page,
    succeeds: async (page, number) => {
      await expect(page).toHaveTitle("back");
      const fragment = new URLSearchParams(new URL(page.url()).hash.slice(1));
      expect(claims(fragment.get("proof"))).toMatchObject({ phone_number: number, nonce: "n" });
    },
  },
  "the page in a frame": {
    open: (page, application, hosting) => {
      application.pages.set("/", framing(application, hosting, { state: "s", nonce: "n" }));
      return page.goto(application.origin);
    },
    frame: (page) => page.frameLocator("iframe"),
    succeeds: async (page, number) => {
      await expect(heading(page.frameLocator("iframe"))).toBeVisible();
      const heard = await page.evaluate(() => window.heard.map(([, message]) => message));
      expect(heard).toMatchObject([{ type: "countersign.verified", state: "s" }]);
      expect(claims(heard[0].proof)).toMatchObject({ phone_number: number, nonce: "n" });
    },
  },
};

/**
 * What lies between the page and the service's checks. The first check is made and
 * its answer lost, by a broken connection or without a trace; after that nothing
 * passes until it is mended. A gate makes the checks wait for what the test does first.
 */
async function brokenNetwork(page, loss = "broken") {
  const network = { keys: [], proofs: [], isMended: false, saysVerified: false, gate: undefined };
  await page.route("**/api/otp/verify", async (route) => {
    network.keys.push(route.request().headers()["idempotency-key"]);
    await network.gate;
    if (network.isMended) {
      const response = await route.fetch();
      const { proof } = await response.json();
      if (proof) network.proofs.push(proof);
      await route.fulfill({ response });
      return;
    }
    if (network.keys.length === 1) {
      await route.fetch();
      if (loss === "silent") return;
    }
    await route.abort();
  });
  // Without its events it asks.
  await page.route("**/api/otp/sessions/*/events", (route) => route.abort());
  // The code seems to travel for ever: so the page looks at its session every few
  // seconds.
  await page.route("**/api/otp/sessions/*", async (route) => {
    const response = await route.fetch();
    const session = await response.json();
    for (const attempt of session.attempts ?? []) attempt.status = "sent";
    if (session.status === "verified") network.saysVerified = true;
    await route.fulfill({ response, json: session });
  });
  return network;
}

/** From the phone number to the code that is typed. */
async function typeCode(page, frame, number, origin, change = (code) => code) {
  await askForCode(frame, number);
  const code = await codeFrom(page, number, origin);
  await codeField(frame).fill(change(code));
  return code;
}

/** The page is seen again. */
async function comeBack(page) {
  for (const frame of page.frames()) {
    await frame.evaluate(() =>
      document.dispatchEvent(new Event("visibilitychange", { bubbles: true })),
    );
  }
}

/**
 * Mends the network after the act: by its own repetition the page might settle the
 * check first, and the code field be gone.
 */
async function mendAfter(network, act) {
  let open;
  network.gate = new Promise((opened) => (open = opened));
  await act();
  network.isMended = true;
  open();
}

async function claimsNothing(frame) {
  await expect(heading(frame)).toBeHidden();
  await expect(frame.getByText("You can close this page")).toBeHidden();
}

// What is on its way when a test ends is of no interest.
test.afterEach(({ page }) => page.unrouteAll({ behavior: "ignoreErrors" }));

for (const [name, { open, frame: frameOf, succeeds }] of Object.entries(places)) {
  test.describe(name, () => {
    test("a lost answer, then nothing", async ({ page, number, application, hosting }) => {
      const network = await brokenNetwork(page);
      await open(page, application, hosting);
      const frame = frameOf(page);
      await typeCode(page, frame, number, hosting.origin);
      await expect(frame.getByRole("alert")).toContainText("We cannot reach the service");
      await expect.poll(() => network.saysVerified).toBe(true);
      await claimsNothing(frame);
      network.isMended = true;
      await succeeds(page, number, network);
      expect(new Set(network.keys).size).toBe(1);
      expect(network.keys[0]).toMatch(/^[0-9a-f-]{36}$/);
    });

    test("a lost answer, then a tab change", async ({ page, number, application, hosting }) => {
      const network = await brokenNetwork(page);
      await open(page, application, hosting);
      const frame = frameOf(page);
      await typeCode(page, frame, number, hosting.origin);
      await expect(frame.getByRole("alert")).toContainText("We cannot reach the service");
      await comeBack(page);
      await expect.poll(() => network.keys.length).toBeGreaterThan(2);
      await claimsNothing(frame);
      network.isMended = true;
      await comeBack(page);
      await succeeds(page, number, network);
    });

    test("a lost answer, then a reload", async ({ page, number, application, hosting }) => {
      const network = await brokenNetwork(page, "silent");
      await open(page, application, hosting);
      await typeCode(page, frameOf(page), number, hosting.origin);
      await expect.poll(() => network.keys.length).toBeGreaterThan(0);
      await page.reload();
      // Its session says "verified" at once.
      await expect.poll(() => network.saysVerified).toBe(true);
      await claimsNothing(frameOf(page));
      network.isMended = true;
      await succeeds(page, number, network);
    });

    test("too late for the answer", async ({ page, number, application, hosting }) => {
      await page.clock.install();
      const network = await brokenNetwork(page);
      await open(page, application, hosting);
      const frame = frameOf(page);
      await typeCode(page, frame, number, hosting.origin);
      await expect(frame.getByRole("alert")).toContainText("We cannot reach the service");
      await page.clock.runFor(61_000);
      await expect(frame.getByRole("alert")).toContainText("This code has been used already");
      await claimsNothing(frame);
      network.isMended = true;
      await anotherCode(page, frame, number, hosting);
      await succeeds(page, number, network);
    });

    test("another tab has used the code", async ({ page, context, number, application, hosting }) => {
      await open(page, application, hosting);
      const frame = frameOf(page);
      // No code is typed here: it is the other tab that takes this session along.
      await askForCode(frame, number);
      const kept = await page.frames().at(-1).evaluate(() => ({ ...sessionStorage }));
      const other = await context.newPage();
      await other.addInitScript((kept) => Object.assign(sessionStorage, kept), kept);
      await other.goto(page.frames().at(-1).url());
      await codeField(other).fill(await codeFrom(page, number, hosting.origin));
      await expect(codeField(other)).toBeHidden();
      await page.bringToFront();
      await comeBack(page);
      await expect(frame.getByRole("alert")).toContainText("This code has been used already");
      await claimsNothing(frame);
      const network = await brokenNetwork(page);
      network.isMended = true;
      await anotherCode(page, frame, number, hosting);
      await succeeds(page, number, network);
    });
  });
}

/** Takes the way out that is offered: a new code. */
async function anotherCode(page, frame, number, hosting) {
  await pressUntil(newCode(frame), (within) => expect(newCode(frame)).toBeHidden(within));
  await codeField(frame).fill(await codeFrom(page, number, hosting.origin));
}

test("an answer that never comes is fetched while the person waits", async ({
  page,
  number,
  application,
  hosting,
}) => {
  const { open, succeeds } = places["the hosted page"];
  const network = await brokenNetwork(page, "silent");
  await open(page, application, hosting);
  await typeCode(page, page, number, hosting.origin);
  await expect.poll(() => network.keys.length).toBe(1);
  await expect(page.getByRole("button", { name: "Checking" })).toBeVisible();
  network.isMended = true;
  await succeeds(page, number, network);
});

test("the code stays in the tab while its answer is outstanding, and no longer", async ({
  page,
  number,
  hosting,
}) => {
  const network = await brokenNetwork(page);
  await page.goto(hosting.origin);
  const code = await typeCode(page, page, number, hosting.origin, wrong);
  const kept = () => page.evaluate(() => JSON.stringify({ ...sessionStorage }));
  await expect(page.getByRole("alert")).toContainText("We cannot reach the service");
  expect(await kept()).toContain(wrong(code));
  expect(await kept()).toContain(network.keys[0]);
  network.isMended = true;
  await expect(page.getByRole("alert")).toContainText("4 tries left");
  expect(await kept()).not.toContain(wrong(code));
  expect(await kept()).not.toContain(network.keys[0]);
});

test("a code that is typed while another's answer is outstanding comes after it", async ({
  page,
  number,
  hosting,
}) => {
  const network = await brokenNetwork(page);
  await page.goto(hosting.origin);
  const code = await typeCode(page, page, number, hosting.origin, wrong);
  await expect(page.getByRole("alert")).toContainText("We cannot reach the service");
  await mendAfter(network, () => codeField(page).fill(code));
  await places["the plain page"].succeeds(page, number, network);
  expect(new Set(network.keys).size).toBe(2);
});

test("the right code is not lost behind a wrong one that is typed after it", async ({
  page,
  number,
  application,
  hosting,
}) => {
  const { open, succeeds } = places["the hosted page"];
  const network = await brokenNetwork(page);
  await open(page, application, hosting);
  const code = await typeCode(page, page, number, hosting.origin);
  await expect(page.getByRole("alert")).toContainText("We cannot reach the service");
  await mendAfter(network, () => codeField(page).fill(wrong(code)));
  await succeeds(page, number, network);
});
