// What this person does in other tabs and on other devices shows here too.

const MIN_WAIT_MS = 1000;
const MAX_WAIT_MS = 30000;
let wait = MIN_WAIT_MS;

const log = () => document.querySelector("#log");

// Runs that this page shows or has shown: it needs no news of them.
const shownRuns = new Set();

function noteRuns() {
  for (const stream of document.querySelectorAll("[data-stream]")) shownRuns.add(stream.dataset.stream);
}

// A title that is being written, or an open menu, must not be swapped away.
const isListInUse = () => document.querySelector("#conversations :is(input, :popover-open)") !== null;

function refreshList() {
  if (isListInUse()) return;
  htmx.ajax("GET", "/sidebar", { source: "#conversations", target: "#conversations", swap: "innerHTML" });
}

// Many at once, as when chats are deleted together, are one reason to look again.
let isDue = false;
function refreshListSoon() {
  if (isDue) return;
  isDue = true;
  setTimeout(() => {
    isDue = false;
    refreshList();
  }, 50);
}

const isShown = (conversation) => conversation && log()?.dataset.conversation === conversation;
const lastShown = () => [...log().querySelectorAll("article")].at(-1)?.id.replace("message-", "") ?? "";

// The tab that posts is told as well: its own answer is on the way, so it looks again when that is there. A message
// that is being edited is left alone until that is done.
function whenQuiet(conversation, act) {
  if (!isShown(conversation)) return;
  if (document.querySelector("#main .htmx-request, #log textarea")) setTimeout(whenQuiet, 300, conversation, act);
  else act();
}

function fetchChanges(conversation, after) {
  htmx.ajax("GET", `/c/${conversation}/changes?after=${after}`, { source: "#log", swap: "none" });
}

function follow(conversation, run) {
  whenQuiet(conversation, () => shownRuns.has(String(run)) || fetchChanges(conversation, lastShown()));
}

// Whatever happened meanwhile, it shows now.
function catchUp() {
  refreshList();
  const { conversation } = log()?.dataset ?? {};
  whenQuiet(conversation, () => fetchChanges(conversation, ""));
}

function listen() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/news`);
  socket.addEventListener("open", () => {
    if (wait > MIN_WAIT_MS) catchUp();
    wait = MIN_WAIT_MS;
  });
  socket.addEventListener("message", (event) => {
    const { conversation, run } = JSON.parse(event.data);
    refreshListSoon();
    follow(conversation, run);
  });
  socket.addEventListener("close", () => {
    setTimeout(listen, wait);
    wait = Math.min(wait * 2, MAX_WAIT_MS);
  });
}

document.addEventListener("htmx:before:swap", (event) => {
  if (event.target.id === "conversations" && isListInUse()) event.preventDefault();
});
document.addEventListener("htmx:after:swap", noteRuns);
noteRuns();
listen();
