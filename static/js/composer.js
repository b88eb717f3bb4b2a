// Writing a message: Enter sends, drafts survive, a failed post keeps its text, a message may wait for its turn.

const isTouch = matchMedia("(hover: none) and (pointer: coarse)").matches;
const growsByItself = CSS.supports("field-sizing", "content");

const form = () => document.querySelector("[data-composer]");
const textarea = () => form()?.elements.text;
const draftKey = () => `draft:${form().dataset.draft}`;
const waitingKey = () => `waiting:${form().dataset.draft}`; // of this tab: two of them must not send it twice
const isLive = () => form().querySelector("[data-stop]") !== null;
const isUploading = () => form().hasAttribute("data-uploading");

function show() {
  if (!form()) return;
  const send = form().querySelector("[data-send]");
  if (send) send.disabled = !textarea().value.trim();
  if (!growsByItself) {
    textarea().style.height = "auto";
    textarea().style.height = `${textarea().scrollHeight}px`;
  }
}

function keepDraft() {
  if (textarea().value) localStorage.setItem(draftKey(), textarea().value);
  else localStorage.removeItem(draftKey());
}

function write(text) {
  textarea().value = text;
  keepDraft();
  show();
}

function begin() {
  if (!form() || "begun" in form().dataset) return;
  form().dataset.begun = "";
  const draft = localStorage.getItem(draftKey());
  if (draft && !textarea().value) textarea().value = draft;
  if (!isTouch && !document.querySelector("dialog[open]")) textarea().focus({ preventScroll: true });
  if (sessionStorage.getItem(waitingKey()) && textarea().value.trim()) wait("answer"); // the page was loaded again
  show();
}

// `reason`: "answer" while one is written, "files" while some are on their way, null to wait no longer.
function wait(reason) {
  form().toggleAttribute("data-waiting", reason !== null);
  if (reason === "answer") sessionStorage.setItem(waitingKey(), "yes");
  else sessionStorage.removeItem(waitingKey());
  document.querySelector("[data-note]").hidden = reason !== null;
  for (const note of document.querySelectorAll("[data-queued]")) note.hidden = note.dataset.queued !== reason;
}

function send() {
  if (!textarea().value.trim()) return;
  if (isLive()) wait("answer");
  else form().requestSubmit(form().querySelector("[data-send]"));
}

document.addEventListener("input", (event) => {
  if (event.target !== textarea()) return;
  keepDraft();
  show();
});

document.addEventListener("keydown", (event) => {
  // 229: some input methods end a composition with an Enter that says nothing else.
  if (event.isComposing || event.keyCode === 229) return;
  if (event.key === "Enter" && event.target === textarea() && !event.shiftKey && !isTouch) {
    event.preventDefault();
    send();
  }
  if (event.key === "ArrowUp" && event.target === textarea() && !textarea().value) {
    const edit = [...document.querySelectorAll(".from-you [role='button'][aria-label='Edit']")].at(-1);
    if (edit) event.preventDefault();
    edit?.click();
  }
  if (event.key === "Escape" && !event.defaultPrevented && !document.querySelector("dialog[open], :popover-open")) {
    form()?.querySelector("[data-stop]")?.click();
  }
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-unqueue]")) wait(null);
});

// Also a click on Send: the files that are on their way belong to the message.
document.addEventListener("submit", (event) => {
  if (event.target !== form() || !isUploading()) return;
  event.preventDefault();
  event.stopPropagation();
  wait("files");
}, { capture: true });

document.addEventListener("upload:failed", () => form() && wait(null));
document.addEventListener("upload:end", sendWaiting);

function sendWaiting() {
  if (!form()?.hasAttribute("data-waiting") || isLive() || isUploading()) return;
  wait(null);
  send();
}

// Only what the server has taken leaves the box; what was typed meanwhile stays.
document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
  if (ctx.sourceElement !== form() || ctx.response.status >= 300) return;
  const sent = ctx.request.body.get("text");
  if (textarea().value.startsWith(sent)) write(textarea().value.slice(sent.length).trimStart());
  wait(null);
});

document.addEventListener("htmx:after:swap", () => {
  begin();
  show();
  sendWaiting();
});

// A swap may take the element that has the focus (Send becomes Stop): then the next word goes here.
let focused = null;
document.addEventListener("htmx:before:swap", () => (focused = document.activeElement));
document.addEventListener("htmx:after:swap", () => {
  const isLost = focused && focused !== document.body && !focused.isConnected;
  if (isLost && !isTouch && document.activeElement === document.body) textarea()?.focus({ preventScroll: true });
});

begin();
addEventListener("load", sendWaiting); // by then htmx takes the form; the answer may have ended while the page was away
