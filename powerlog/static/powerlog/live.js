// Follows what happens: asks the server every few seconds whether anything has changed, and if so
// fetches the page anew and puts its parts in place. Without this script a reload does the same.

const QUICK_MS = 4000;
const HIDDEN_MS = 45000;
const PATIENCE_MS = 10000;

const main = document.querySelector("main[data-live]");
const lost = document.getElementById("lost");
let version = main?.dataset.version;
let timer = 0;
let asking = false;

function clock(date) {
  return date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

function sayLost() {
  if (lost.textContent) return;
  lost.textContent = lost.dataset.text.replace("{time}", clock(new Date()));
}

function ago(element, seconds) {
  const { s, min, h, d } = element.dataset;
  if (seconds < 120) return s.replace("{count}", seconds);
  if (seconds < 7200) return min.replace("{count}", Math.floor(seconds / 60));
  if (seconds < 172800) return h.replace("{count}", Math.floor(seconds / 3600));
  return d.replace("{count}", Math.floor(seconds / 86400));
}

// The reader's clock may be wrong: what counts is the server's, as it was when it made the page.
const ahead_s = Date.now() / 1000 - Number(main?.dataset.now);

function tick() {
  for (const element of document.querySelectorAll("[data-heard]")) {
    const seconds = Date.now() / 1000 - ahead_s - Number(element.dataset.heard);
    element.textContent = ago(element, Math.max(0, Math.floor(seconds)));
  }
}

const FOCUSABLE = "a[href], button, input, summary, [tabindex='0']";

function replace(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  for (const details of old.querySelectorAll("details[open][id]")) {
    fresh.querySelector(`#${details.id}`)?.setAttribute("open", "");
  }
  const scrolled = [...old.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
  const focused = [...old.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
  old.replaceWith(fresh);
  fresh.querySelectorAll(".scroll").forEach((each, at) => (each.scrollLeft = scrolled[at] ?? 0));
  fresh.dispatchEvent(new CustomEvent("replaced", { bubbles: true }));
  if (focused >= 0) {
    [...fresh.querySelectorAll(FOCUSABLE)][focused]?.focus({ preventScroll: true });
  }
}

async function refresh() {
  const response = await fetch(location.href, { signal: AbortSignal.timeout(PATIENCE_MS) });
  if (!response.ok || response.redirected) throw new Error(response.status);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const parts = (root) => [...root.querySelectorAll("[data-part]")];
  const ids = (root) => parts(root).map((part) => part.id).join();
  if (ids(page) !== ids(document)) {
    location.reload(); // another page by now: the first channel has come, say
    return;
  }
  for (const part of parts(page)) replace(document.getElementById(part.id), part);
  version = page.querySelector("main").dataset.version;
  document.title = page.title;
}

async function ask() {
  if (asking) return;
  asking = true;
  clearTimeout(timer);
  try {
    // "no-cache" asks with the ETag of what the browser has: mostly the answer is an empty 304.
    const options = { cache: "no-cache", signal: AbortSignal.timeout(PATIENCE_MS) };
    const response = await fetch(main.dataset.live, options);
    if (response.redirected) {
      location.reload(); // logged out
      return;
    }
    if (!response.ok) throw new Error(response.status);
    const news = await response.json();
    if (news.version !== version) await refresh();
    const state = document.querySelector("#state [data-heard]");
    if (state && news.heard) state.dataset.heard = news.heard;
    lost.textContent = "";
    tick();
  } catch {
    sayLost();
  } finally {
    asking = false;
    timer = setTimeout(ask, document.hidden ? HIDDEN_MS : QUICK_MS);
  }
}

if (main) {
  timer = setTimeout(ask, QUICK_MS);
  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", () => document.hidden || ask());
  addEventListener("online", ask);
}
