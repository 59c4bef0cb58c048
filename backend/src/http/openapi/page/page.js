// Reads openapi.json and writes the page: each call with what it takes and
// answers, and a form that tries it. Text goes in as text, never as HTML.

const METHODS = ["get", "post", "put", "patch", "delete"];
const main = document.querySelector("#calls");
const state = document.querySelector("#state");

/** An element with attributes and children; texts and empty places are fine. */
function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

/** Text with `code` in it. */
function prose(text) {
  return text.split("`").map((part, index) => (index % 2 ? el("code", {}, part) : part));
}

function paragraphs(text) {
  return (text ?? "").split("\n\n").filter(Boolean).map((part) => el("p", {}, prose(part)));
}

let contract;

function resolved(value) {
  if (!value?.$ref) return value ?? {};
  const steps = value.$ref.slice(2).split("/");
  return steps.reduce((at, step) => at[step.replaceAll("~1", "/").replaceAll("~0", "~")], contract);
}

function pretty(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

/** What a schema allows, in a few words. */
function kind(schema) {
  const name = schema?.$ref?.split("/").pop();
  const it = resolved(schema);
  if (it.oneOf ?? it.anyOf) return (it.oneOf ?? it.anyOf).map(kind).join(" or ");
  if (it.enum) return it.enum.map(pretty).join(" | ");
  if (it.type === "array") return `list of ${kind(it.items)}`;
  const type = [it.type ?? "value"].flat().join(" or ");
  return it.type === "object" && name ? name : (it.format ?? type);
}

/** What a schema says of itself, or one of its choices does. */
function meaning(schema) {
  const it = resolved(schema);
  const choices = (it.oneOf ?? it.anyOf ?? []).map(meaning);
  return schema?.description ?? it.description ?? choices.find(Boolean) ?? "";
}

/** The fields of a schema, those of its parts included. */
function fields(schema) {
  const it = resolved(schema);
  const parts = it.allOf ?? it.oneOf ?? [];
  const own = Object.entries(it.properties ?? {}).map(([name, field]) => ({
    name,
    field,
    required: (it.required ?? []).includes(name),
  }));
  const seen = new Set();
  return [...own, ...parts.flatMap(fields)].filter(({ name }) => !seen.has(name) && seen.add(name));
}

function fieldTable(label, rows) {
  if (rows.length === 0) return null;
  return el(
    "div",
    { class: "wide", tabindex: "0", role: "group", "aria-label": label },
    el(
      "table",
      {},
      el("caption", {}, label),
      el("thead", {}, el("tr", {}, ["Name", "Value", "Meaning"].map((word) => el("th", { scope: "col" }, word)))),
      el(
        "tbody",
        {},
        rows.map(({ name, field, required, place }) => {
          return el(
            "tr",
            {},
            el("th", { scope: "row" }, el("code", {}, name), required && el("small", {}, " required")),
            el("td", {}, kind(field), place && el("small", {}, ` in the ${place}`)),
            el("td", {}, prose(meaning(field))),
          );
        }),
      ),
    ),
  );
}

function block(label, text) {
  return el("pre", { tabindex: "0", role: "group", "aria-label": label }, el("code", {}, text));
}

function exampleBlocks(label, content) {
  return Object.entries(content?.examples ?? {}).map(([name, example]) =>
    el(
      "figure",
      {},
      el("figcaption", {}, el("code", {}, name)),
      block(`${label}: ${name}`, pretty(resolved(example).value)),
    ),
  );
}

function response(id, status, value) {
  const it = resolved(value);
  const [type, content] = Object.entries(it.content ?? {})[0] ?? [];
  const headers = Object.entries(it.headers ?? {}).map(([name, header]) => ({
    name,
    field: { ...resolved(header).schema, description: resolved(header).description },
    required: resolved(header).required,
  }));
  const details = el(
    "details",
    { class: status < "400" ? "good" : "bad" },
    el("summary", {}, el("b", {}, status), " ", it.description, type && el("small", {}, ` ${type}`)),
  );
  // Most are never opened, and there are hundreds of examples.
  const write = () =>
    details.append(
      ...[
        fieldTable(`Headers of ${status} of ${id}`, headers),
        status < "400" && fieldTable(`Fields of ${status} of ${id}`, fields(content?.schema)),
        ...exampleBlocks(`Example of ${status} of ${id}`, content),
      ].filter(Boolean),
    );
  details.addEventListener("toggle", write, { once: true });
  return details;
}

/** The first example of a request's body, as its text. */
function firstBody(type, content) {
  const [example] = Object.values(content.examples ?? {});
  const value = resolved(example).value ?? {};
  return type.includes("form") ? String(new URLSearchParams(value)) : pretty(value);
}

/** Sends what a form says, and shows the answer as it comes. */
async function attempt({ method, path, id }, form, output) {
  const values = new FormData(form);
  let address = path;
  const query = new URLSearchParams();
  const headers = new Headers();
  for (const input of form.querySelectorAll("[data-place]")) {
    const { place } = input.dataset;
    const value = values.get(input.name);
    if (place === "path") address = address.replace(`{${input.name}}`, encodeURIComponent(value));
    else if (value && place === "query") query.set(input.name, value);
    else if (value && place === "header") headers.set(input.name, value);
  }
  const body = form.querySelector("textarea");
  if (body) headers.set("content-type", body.dataset.type);
  if (String(query)) address += `?${query}`;
  // Served under a path of a proxy's, the calls are there too.
  const origin = new URL("..", new URL("docs", document.baseURI)).href.replace(/\/$/, "");
  const started = performance.now();
  const controller = new AbortController();
  const stop = form.querySelector(".stop");
  stop.hidden = false;
  stop.onclick = () => controller.abort();
  const status = el("p", { class: "status" }, "Sending …");
  const text = el("code");
  output.replaceChildren(status, el("pre", { tabindex: "0", role: "group", "aria-label": `Answer of ${id}` }, text));
  try {
    const answer = await fetch(origin + address, {
      method: method.toUpperCase(),
      headers,
      body: body?.value,
      signal: controller.signal,
    });
    const took = Math.round(performance.now() - started);
    status.replaceChildren(el("b", {}, String(answer.status)), ` ${answer.statusText}, ${took} ms, ${address}`);
    const head = [...answer.headers].map(([name, value]) => `${name}: ${value}\n`).join("");
    const isJson = (answer.headers.get("content-type") ?? "").includes("json");
    if (isJson) {
      const raw = await answer.text();
      let shown = raw;
      try {
        shown = pretty(JSON.parse(raw));
      } catch {
        // Shown as it is.
      }
      text.textContent = `${head}\n${shown}`;
      return;
    }
    text.textContent = `${head}\n`;
    // A stream is shown as it comes.
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader?.read(); part && !part.done; part = await reader.read()) {
      text.append(part.value);
    }
  } catch (error) {
    if (error.name === "AbortError") status.append(" (stopped)");
    else status.replaceChildren(el("b", {}, "No answer."), " The service cannot be reached.");
  } finally {
    stop.hidden = true;
  }
}

function input(id, { name, in: place, required, schema, description }) {
  const it = resolved(schema);
  const key = `${id}-${name}`;
  const attributes = { id: key, name, "data-place": place, required: required === true };
  const control = it.enum
    ? el("select", attributes, it.enum.map((value) => el("option", {}, value)))
    : el("input", {
        ...attributes,
        autocomplete: "off",
        spellcheck: "false",
        placeholder: it.examples?.[0],
      });
  return el("p", {}, el("label", { for: key }, name, el("small", {}, required ? "" : " optional")), control);
}

function tryForm(call) {
  const { id, operation } = call;
  const [type, content] = Object.entries(resolved(operation.requestBody).content ?? {})[0] ?? [];
  const output = el("div", { class: "answer", "aria-live": "polite" });
  const body = `${id}-body`;
  const form = el(
    "form",
    {},
    (operation.parameters ?? []).map((parameter) => input(id, resolved(parameter))),
    content &&
      el(
        "p",
        {},
        el("label", { for: body }, "Body", el("small", {}, ` ${type}`)),
        el("textarea", { id: body, rows: "6", spellcheck: "false", "data-type": type }, firstBody(type, content)),
      ),
    el(
      "p",
      { class: "row" },
      el("button", { type: "submit" }, "Send"),
      el("button", { type: "button", class: "stop", hidden: true }, "Stop"),
    ),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(call, form, output);
  });
  return el("details", { class: "try" }, el("summary", {}, `Try ${id}`), form, output);
}

function section(call) {
  const { method, path, id, operation } = call;
  const parameters = (operation.parameters ?? []).map(resolved).map((parameter) => ({
    name: parameter.name,
    field: { ...parameter.schema, description: parameter.description ?? meaning(parameter.schema) },
    required: parameter.required,
    place: parameter.in,
  }));
  const [type, content] = Object.entries(resolved(operation.requestBody).content ?? {})[0] ?? [];
  return el(
    "section",
    { id, "aria-labelledby": `${id}-title` },
    el("h3", { id: `${id}-title` }, operation.summary),
    el("p", { class: "route" }, el("span", { class: `method ${method}` }, method.toUpperCase()), el("code", {}, path)),
    paragraphs(operation.description),
    fieldTable(`Parameters of ${id}`, parameters),
    content && el("h4", {}, "Body", el("small", {}, ` ${type}`)),
    content && fieldTable(`Body of ${id}`, fields(content.schema)),
    content && exampleBlocks(`Body of ${id}`, content),
    el("h4", {}, "Answers"),
    Object.entries(operation.responses).map(([status, value]) => response(id, status, value)),
    tryForm(call),
  );
}

/** A name that may be broken after its underscores. */
function breakable(name) {
  return name.split(/(?<=_)/).flatMap((part) => [part, el("wbr")]);
}

function errors() {
  const byCode = new Map();
  for (const example of Object.values(contract.components.examples)) {
    if (!byCode.has(example.value.code)) byCode.set(example.value.code, example.value);
  }
  const rows = [...byCode.values()].sort((a, b) => a.status - b.status || a.code.localeCompare(b.code));
  const head = ["Status", "Code", "What to do"];
  const table = el(
    "table",
    {},
    el("caption", {}, "Every code"),
    el("thead", {}, el("tr", {}, head.map((word) => el("th", { scope: "col" }, word)))),
    el(
      "tbody",
      {},
      rows.map(({ status, code, detail }) =>
        el("tr", {}, el("td", {}, String(status)), el("th", { scope: "row" }, el("code", {}, breakable(code))), el("td", {}, detail)),
      ),
    ),
  );
  return el(
    "section",
    { id: "errors" },
    el("h2", {}, "Errors"),
    el("div", { class: "wide", tabindex: "0", role: "group", "aria-label": "Every code" }, table),
  );
}

function write() {
  const calls = Object.entries(contract.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({
      method,
      path,
      id: item[method].operationId,
      operation: item[method],
    })),
  );
  const groups = contract.tags.map(({ name, description }) => ({
    name,
    description,
    calls: calls.filter(({ operation }) => operation.tags.includes(name)),
  }));
  document.querySelector("#version").textContent = `version ${contract.info.version}`;
  document.querySelector("#contents").append(
    el(
      "ul",
      {},
      groups.map(({ name, calls }) =>
        el("li", {}, el("b", {}, name), el("ul", {}, calls.map(({ id, operation }) => el("li", {}, el("a", { href: `#${id}` }, operation.summary))))),
      ),
      el("li", {}, el("a", { href: "#errors" }, "Errors")),
    ),
  );
  main.append(
    ...paragraphs(contract.info.description),
    ...groups.map(({ name, description, calls }) =>
      el("div", { class: "group" }, el("h2", {}, name), el("p", {}, description), calls.map(section)),
    ),
    errors(),
  );
  state.remove();
  main.dataset.ready = "";
  document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

try {
  const answer = await fetch("openapi.json");
  if (!answer.ok) throw new Error(String(answer.status));
  contract = await answer.json();
  write();
} catch {
  state.textContent = "The contract could not be read. Reload to try again.";
}
