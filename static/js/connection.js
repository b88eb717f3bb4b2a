// Streams that break come back by themselves; after two seconds without one the page says so.

const PATIENCE_MS = 2000;
const MAX_WAIT_MS = 15000;
let timer = null;

const banner = () => document.querySelector("[data-offline]");

function lost() {
  timer ??= setTimeout(() => banner() && (banner().hidden = false), PATIENCE_MS);
}

function back() {
  clearTimeout(timer);
  timer = null;
  if (banner()) banner().hidden = true;
}

// The extension comes back after a stream that broke, but not after one that never began.
function tryAgain(stream) {
  const waited = Number(stream.dataset.waitMs || PATIENCE_MS / 2);
  stream.dataset.waitMs = Math.min(waited * 2, MAX_WAIT_MS);
  setTimeout(() => stream.isConnected && htmx.trigger(stream, "reconnect"), waited);
}

function failed(event) {
  const stream = event.detail.ctx?.sourceElement;
  if (!stream?.matches?.("[data-stream]")) return;
  if (event.detail.ctx.response?.status === 404) {
    stream.remove();
    return;
  }
  lost();
  tryAgain(stream);
}

document.addEventListener("htmx:error", failed);
document.addEventListener("htmx:response:error", failed);
document.addEventListener("htmx:sse:error", (event) => {
  if (event.detail.status === 404) event.target.remove();
  else lost();
});
document.addEventListener("htmx:sse:after:connection", back);
addEventListener("offline", lost);

// Whoever comes back to the tab, or to the network, sees the newest words at once and not after the usual wait.
const connections = new Map();
document.addEventListener("htmx:sse:before:connection", (event) => {
  connections.set(event.target, event.detail.connection);
});
document.addEventListener("htmx:sse:close", (event) => connections.delete(event.target));

function hurry() {
  setTimeout(() => connections.forEach((connection) => connection.delayCanceller?.()), 50);
}

document.addEventListener("visibilitychange", () => document.hidden || hurry());
addEventListener("online", () => {
  back();
  hurry();
});

// The stream has said its last word: a page that shows it has seen it.
document.addEventListener("done", (event) => {
  if (!event.target.matches?.("[data-stream]")) return;
  const stream = event.target;
  const conversation = document.querySelector("#log")?.dataset.conversation;
  if (conversation && !document.hidden) htmx.ajax("POST", `/c/${conversation}/seen`, { source: "#log", swap: "none" });
  setTimeout(() => stream.remove());
});
