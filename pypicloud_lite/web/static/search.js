"use strict";
// Results while somebody types; Enter and the address do the same without this.

const field = document.getElementById("q");
const results = document.getElementById("results");
const told = document.getElementById("told");
const WAIT = 150;
let timer;
let running;
let asked = field.value.trim();

async function find(text) {
  running?.abort();
  running = new AbortController();
  const address = new URL(field.form.action);
  if (text) address.searchParams.set("q", text);
  const part = new URL(address);
  part.searchParams.set("part", "results");
  try {
    const answer = await fetch(part, { signal: running.signal, headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(answer.status);
    const html = await answer.text();
    const found = new DOMParser().parseFromString(html, "text/html").body;
    results.replaceChildren(...found.childNodes);
    // How many there are is told, not each of them: a screen reader would read the list at every key.
    told.textContent = results.querySelector("h1").textContent;
    document.title = text || "Search";
    history.replaceState(null, "", address);
    results.removeAttribute("aria-busy");
  } catch (error) {
    if (error.name === "AbortError") return;
    // Somebody who was logged out, a server that is away: the plain form says what is wrong.
    results.removeAttribute("aria-busy");
    asked = null;
    told.textContent = "Press Enter to search.";
  }
}

field.addEventListener("input", () => {
  clearTimeout(timer);
  const text = field.value.trim();
  if (text === asked) return;
  timer = setTimeout(() => {
    asked = text;
    results.setAttribute("aria-busy", "true");
    find(text);
  }, WAIT);
});
