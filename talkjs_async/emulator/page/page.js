// Follows the emulator: fetches the page again when something has happened, and swaps the parts
// that differ. All HTML comes from the server, which escapes it; nothing is put together here.
"use strict";

let busy = false, again = false;

async function refresh() {
  again = true;
  if (busy) return; // Many changes while one is being shown: one more look at the end.
  busy = true;
  try {
    while (again) {
      again = false;
      await show();
      // The first of many changes is shown at once, the others no more often than this.
      if (again) await new Promise((resume) => setTimeout(resume, 100));
    }
  } finally {
    busy = false;
  }
}

async function show() {
  const answer = await fetch(location.href, { cache: "no-store" });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const successor = fresh.getElementById(part.id);
    if (!successor || part.innerHTML === successor.innerHTML) continue;
    if (part.id === "composer" && sameWriters(part, successor)) continue; // Keep what was typed.
    const open = [...part.querySelectorAll("details[open][id]")].map((one) => one.id);
    part.replaceChildren(...document.adoptNode(successor).childNodes);
    for (const id of open) document.getElementById(id)?.setAttribute("open", ""); // It is being read.
  }
  follow();
}

function sameWriters(part, successor) {
  const writers = (form) => [...form.querySelectorAll("option, form")].map((one) => one.outerHTML.split(">")[0]);
  return writers(part).join() === writers(successor).join();
}

function follow() {
  const list = document.querySelector("[data-follow]");
  if (list) list.scrollTop = list.scrollHeight;
}

async function call(method, path, body) {
  const answer = await fetch(`/_emulator/v1/${path}`, {
    method,
    headers: { "Content-Type": "application/json", "X-Emulator": "1" },
    body: body && JSON.stringify(body),
  });
  if (!answer.ok) alert(((await answer.json()).reasons || ["It did not work."]).join("\n"));
  return answer.ok;
}

const asUser = (form, what, more) =>
  call("POST", `users/${encodeURIComponent(form.user.value)}/${what}`, { conversation: form.dataset.conversation, ...more });

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.call) call(...button.dataset.call.split(" "), JSON.parse(button.dataset.with));
  if (button.name === "read") asUser(button.form, "read");
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  event.preventDefault();
  if (form.matches("[role=search]")) return search(form.find.value);
  if (form.matches("[data-trigger]")) return call("POST", "events", { type: form.event.value });
  const text = form.text.value.trim();
  if (text && (await asUser(form, "say", { text }))) form.text.value = "";
});

function search(text) {
  const url = new URL(location.href);
  url.searchParams.set("find", text);
  history.replaceState(null, "", url);
  refresh();
}

let lastTyped = 0;
document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (event.target.name === "find") return search(event.target.value);
  if (!form || event.target.name !== "text" || Date.now() - lastTyped < 5000) return;
  lastTyped = Date.now();
  asUser(form, "type");
});

// The budget fills up by itself, without anything happening.
setInterval(() => {
  for (const meter of document.querySelectorAll("meter[data-rate]")) {
    meter.value = Math.min(meter.max, meter.value + Number(meter.dataset.rate));
    const shown = meter.parentElement.querySelector("b");
    if (shown) shown.textContent = String(Math.floor(meter.value));
  }
}, 1000);

const live = document.getElementById("live");
const events = new EventSource("/_emulator/events");
events.onmessage = refresh;
events.onopen = () => { live.textContent = "live"; live.classList.add("on"); };
events.onerror = () => { live.textContent = "not live"; live.classList.remove("on"); };
follow();
