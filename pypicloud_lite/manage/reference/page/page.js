"use strict";
// Draws every call of openapi.json with a form that sends it. Text from the server is only ever set as text.

const calls = document.getElementById("calls");
const find = document.getElementById("find");
const username = document.getElementById("username");
const password = document.getElementById("password");
let csrfToken = null;

function element(name, options = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(options)) {
    if (key === "class") made.className = value;
    else if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function headers() {
  const sent = { Accept: "application/json" };
  if (password.value) {
    const bytes = new TextEncoder().encode(`${username.value}:${password.value}`);
    sent.Authorization = "Basic " + btoa(String.fromCharCode(...bytes));
  } else if (csrfToken) {
    sent["X-CSRF-Token"] = csrfToken;
  }
  return sent;
}

async function whoAmI() {
  const who = document.getElementById("who");
  try {
    const answer = await fetch("user", { headers: headers() });
    const told = await answer.json();
    csrfToken = answer.ok ? told.csrf_token : null;
    who.textContent = answer.ok ? `Calls are made as ${told.username} (${told.credential}).` : "Calls are made anonymously.";
  } catch {
    who.textContent = "The server does not answer.";
  }
}

function resolved(schema, all) {
  if (!schema || !schema.$ref) return schema || {};
  return all.components.schemas[schema.$ref.split("/").pop()] || {};
}

function example(schema, all) {
  schema = resolved(schema, all);
  if (schema.default !== undefined && schema.default !== null) return schema.default;
  if (schema.enum) return schema.enum[0];
  if (schema.anyOf) return example(schema.anyOf[0], all);
  if (schema.type === "object") {
    const required = schema.required || [];
    return Object.fromEntries(
      Object.entries(schema.properties || {})
        .filter(([name]) => required.includes(name))
        .map(([name, one]) => [name, example(one, all)]),
    );
  }
  if (schema.type === "array") return schema.items && schema.minItems ? [example(schema.items, all)] : [];
  return { boolean: true, integer: 1, string: "" }[schema.type] ?? null;
}

function field(parameter, all) {
  const schema = resolved(parameter.schema, all);
  const label = `${parameter.name}${parameter.required ? "" : " (optional)"}`;
  let input;
  if (schema.enum) {
    input = element("select", {}, ...schema.enum.map((value) => element("option", { value }, value)));
  } else {
    input = element("input", { required: parameter.required, spellcheck: false });
  }
  return { input, parameter, node: element("label", {}, label, input) };
}

function bodyField(body, all) {
  if (!body) return null;
  if (body.content["multipart/form-data"]) {
    const input = element("input", { type: "file", required: true });
    return { input, isFile: true, node: element("label", {}, "file", input) };
  }
  const schema = body.content["application/json"].schema;
  const input = element("textarea", { value: JSON.stringify(example(schema, all), null, 2), spellcheck: false });
  const takes = Object.keys(resolved(schema, all).properties || {}).join(", ");
  return { input, isFile: false, node: element("label", {}, `JSON (takes: ${takes})`, input) };
}

async function send(path, method, fields, body, output) {
  const query = new URLSearchParams();
  let address = path;
  for (const { input, parameter } of fields) {
    if (parameter.in === "path") address = address.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (input.value !== "") query.set(parameter.name, input.value);
  }
  const options = { method: method.toUpperCase(), headers: headers() };
  if (body && body.isFile) {
    options.body = new FormData();
    options.body.set("content", body.input.files[0]);
  } else if (body) {
    options.body = body.input.value;
    options.headers["Content-Type"] = "application/json";
  }
  const url = new URL(`..${address}${query.size ? `?${query}` : ""}`, document.baseURI);
  output.textContent = "…";
  try {
    const answer = await fetch(url, options);
    let text = await answer.text();
    try {
      text = JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      // not JSON: shown as it came
    }
    output.textContent = `${answer.status} ${answer.statusText}\n\n${text.slice(0, 100000)}`;
  } catch (error) {
    output.textContent = `The call could not be sent: ${error.message}`;
  }
  whoAmI();
}

function drawn(path, method, described, all) {
  const fields = described.parameters.map((parameter) => field(parameter, all));
  const body = bodyField(described.requestBody, all);
  const output = element("pre", { hidden: true, role: "status", tabIndex: 0 });
  const form = element(
    "form",
    { class: "call" },
    element("p", {}, described.description),
    ...fields.map(({ node }) => node),
    ...(body ? [body.node] : []),
    element("div", {}, element("button", {}, "Send")),
    output,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    output.hidden = false;
    send(path, method, fields, body, output);
  });
  const name = method.toUpperCase();
  const summary = element(
    "summary",
    {},
    element("span", { class: `method ${name}` }, name),
    element("code", {}, path),
    element("span", { class: "doing" }, described.summary),
  );
  return element("details", { "data-text": `${name} ${path} ${described.summary}`.toLowerCase() }, summary, form);
}

async function draw() {
  const all = await (await fetch("openapi.json")).json();
  const sections = new Map();
  for (const [path, methods] of Object.entries(all.paths)) {
    for (const [method, described] of Object.entries(methods)) {
      const tag = described.tags[0];
      if (!sections.has(tag)) sections.set(tag, element("section", {}, element("h2", {}, tag.replace("_", " "))));
      sections.get(tag).append(drawn(path, method, described, all));
    }
  }
  calls.replaceChildren(...sections.values());
  // Somebody may have typed before the calls were there.
  narrow();
  calls.setAttribute("aria-busy", "false");
}

function narrow() {
  const sought = find.value.toLowerCase();
  for (const one of calls.querySelectorAll("details")) one.hidden = !one.dataset.text.includes(sought);
  for (const section of calls.querySelectorAll("section")) section.hidden = !section.querySelector("details:not([hidden])");
}

find.addEventListener("input", narrow);
document.getElementById("credentials").addEventListener("change", whoAmI);
document.getElementById("credentials").addEventListener("submit", (event) => event.preventDefault());
draw();
whoAmI();
