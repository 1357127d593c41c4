"use strict";
// Sends each file by itself, as twine does, and says what became of it.

const form = document.getElementById("upload");
const verdicts = document.getElementById("verdicts");
const input = form && form.querySelector("input");
const waiting = [];
let busy = false;

function row(file) {
  const item = document.createElement("li");
  const name = document.createElement("div");
  name.className = "name";
  name.textContent = file.name;
  const bar = document.createElement("progress");
  bar.max = Math.max(file.size, 1);
  bar.value = 0;
  bar.setAttribute("aria-label", `Upload of ${file.name}`);
  const said = document.createElement("div");
  said.className = "small";
  item.append(name, bar, said);
  verdicts.append(item);
  return { item, bar, said };
}

function send({ file, item, bar, said }) {
  busy = true;
  const body = new FormData();
  body.set(":action", "file_upload");
  body.set("content", file);
  const request = new XMLHttpRequest();
  request.open("POST", form.dataset.target);
  request.setRequestHeader("X-CSRF-Token", form.dataset.token);
  request.setRequestHeader("Accept", "application/json");
  request.upload.addEventListener("progress", (event) => {
    bar.value = Math.min(event.loaded, bar.max);
  });
  request.addEventListener("loadend", () => {
    let told = {};
    try {
      told = JSON.parse(request.responseText);
    } catch {
      // not one of this server's answers
    }
    bar.remove();
    if (request.status === 200) {
      item.dataset.verdict = "stored";
      said.textContent = "Stored. ";
      const link = document.createElement("a");
      link.href = `${form.dataset.target}project/${encodeURIComponent(told.name)}/`;
      link.textContent = `${told.name} ${told.version}`;
      said.append(link);
    } else {
      item.dataset.verdict = "refused";
      said.textContent = told.message || (request.status ? `Refused (${request.status}).` : "The server could not be reached.");
    }
    busy = false;
    next();
  });
  request.send(body);
}

function next() {
  if (!busy && waiting.length) send(waiting.shift());
}

function take(files) {
  for (const file of files) waiting.push({ file, ...row(file) });
  next();
}

if (form) {
  input.addEventListener("change", () => {
    take([...input.files]);
    input.value = "";
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const kind of ["dragover", "dragenter"]) {
    form.addEventListener(kind, (event) => {
      event.preventDefault();
      form.classList.add("over");
    });
  }
  form.addEventListener("dragleave", () => form.classList.remove("over"));
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    form.classList.remove("over");
    take([...event.dataTransfer.files]);
  });
}
