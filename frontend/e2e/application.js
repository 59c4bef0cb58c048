// Another application, on an origin of its own, and a service that knows it.

import { createServer } from "node:http";
import { test as base, expect, pressUntil } from "./fixtures.js";
import { newKey, startService } from "./service.js";

/** Starts it; its pages are set by the test. */
async function startApplication() {
  const pages = new Map();
  // What its pages may load; a test sets it.
  const application = { policy: undefined };
  const posted = [];
  const asked = [];
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://x");
    asked.push(request.url);
    if (request.method === "POST") {
      let body = "";
      for await (const part of request) body += part;
      posted.push(new URLSearchParams(body));
      response.end();
      return;
    }
    const page = pages.get(pathname);
    const headers = { "content-type": page?.type ?? "text/html; charset=utf-8" };
    if (application.policy) headers["content-security-policy"] = application.policy;
    response.writeHead(page ? 200 : 404, headers);
    response.end(page?.text ?? page ?? "<title>not there</title>");
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  Object.assign(application, {
    origin: `http://127.0.0.1:${server.address().port}`,
    pages,
    posted,
    // Every target as it stood in the request line.
    asked,
    stop: () => new Promise((gone) => server.close(gone) && server.closeAllConnections()),
  });
  return application;
}

export const test = base.extend({
  application: async ({}, use) => {
    const application = await startApplication();
    await use(application);
    await application.stop();
  },
  stranger: async ({}, use) => {
    const stranger = await startApplication();
    await use(stranger);
    await stranger.stop();
  },
  // A service that knows the application, and not the stranger.
  hosting: async ({ application }, use) => {
    const key = newKey();
    const hosting = await startService({
      API_KEY_HASHES: key.hash,
      RETURN_URLS: `${application.origin}/account/`,
      EMBED_ORIGINS: application.origin,
    });
    await use({ ...hosting, key: key.secret });
    await hosting.stop();
  },
  quiet: [false, { option: true }],
});

export { expect };

/** What a proof says; its signature is checked by docs/integrate.md's tests. */
export const claims = (proof) =>
  JSON.parse(Buffer.from(proof.split(".")[1], "base64url").toString());

export const link = (origin, parameters) => `${origin}/?${new URLSearchParams(parameters)}`;

/** The application's page with the service's page in a frame, and what it hears. */
export const framing = (application, hosting, parameters) =>
  `<title>application</title>
   <iframe src="${link(hosting.origin, { embed: application.origin, ...parameters })}"
     width="400" height="700"></iframe>
   <script>
     window.heard = [];
     addEventListener("message", ({ origin, data }) => {
       if (data.type !== "countersign.resized") window.heard.push([origin, data]);
     });
   </script>`;

/** Types a number and has a code sent to it. */
export async function askForCode(frame, number) {
  await frame.getByLabel("Phone number", { exact: true }).fill(number);
  // Until the page knows the countries, a press only asks for them.
  await expect(frame.getByText("We will text")).toBeVisible();
  await pressUntil(frame.getByRole("button", { name: "Text me a code" }), (within) =>
    expect(frame.getByLabel("6-digit code")).toBeVisible(within),
  );
}

/** The code that a number received. */
export async function codeFrom(page, number, origin) {
  let code;
  await expect
    .poll(async () => {
      const path = `${origin}/sandbox/messages?recipient=${encodeURIComponent(number)}`;
      const [message] = await (await page.request.get(path)).json();
      code = message?.otp;
      return code;
    })
    .toMatch(/^\d{6}$/);
  return code;
}
