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

// The tab that posts is told as well: its own answer is on the way, so it looks again when that is there.
function fetchChanges(conversation, run) {
  if (log()?.dataset.conversation !== conversation) return;
  if (document.querySelector("#main .htmx-request")) {
    setTimeout(fetchChanges, 300, conversation, run);
    return;
  }
  if (shownRuns.has(String(run))) return;
  const last = [...log().querySelectorAll("article")].at(-1)?.id.replace("message-", "") ?? "";
  htmx.ajax("GET", `/c/${conversation}/changes?after=${last}`, { source: "#log", swap: "none" });
}

function listen() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/news`);
  socket.addEventListener("open", () => {
    if (wait > MIN_WAIT_MS) refreshList(); // something may have happened meanwhile
    wait = MIN_WAIT_MS;
  });
  socket.addEventListener("message", (event) => {
    const { conversation, run } = JSON.parse(event.data);
    refreshList();
    if (run) fetchChanges(conversation, run);
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
