// Writing a message: Enter sends, drafts survive, a failed post keeps its text, a message may wait for its turn.

const isTouch = matchMedia("(hover: none) and (pointer: coarse)").matches;
const growsByItself = CSS.supports("field-sizing", "content");

const form = () => document.querySelector("[data-composer]");
const textarea = () => form()?.elements.text;
const draftKey = () => `draft:${form().dataset.draft}`;
const isLive = () => form().querySelector("[data-stop]") !== null;

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
  if (!form() || form().dataset.begun) return;
  form().dataset.begun = "";
  const draft = localStorage.getItem(draftKey());
  if (draft && !textarea().value) textarea().value = draft;
  if (!isTouch && !document.querySelector("dialog[open]")) textarea().focus({ preventScroll: true });
  show();
}

function wait(isWaiting) {
  form().toggleAttribute("data-waiting", isWaiting);
  document.querySelector("[data-note]").hidden = isWaiting;
  document.querySelector("[data-queued]").hidden = !isWaiting;
}

function send() {
  if (!textarea().value.trim()) return;
  if (isLive()) wait(true);
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
  if (event.key === "Escape" && !event.defaultPrevented && !document.querySelector("dialog[open], :popover-open")) {
    form()?.querySelector("[data-stop]")?.click();
  }
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-unqueue]")) wait(false);
});

// Only what the server has taken leaves the box; what was typed meanwhile stays.
document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
  if (ctx.sourceElement !== form() || ctx.response.status >= 300) return;
  const sent = ctx.request.body.get("text");
  if (textarea().value.startsWith(sent)) write(textarea().value.slice(sent.length).trimStart());
  wait(false);
});

document.addEventListener("htmx:after:swap", () => {
  begin();
  show();
  if (!form()?.hasAttribute("data-waiting") || isLive()) return;
  wait(false);
  send();
});

// A swap may take the element that has the focus (Send becomes Stop): then the next word goes here.
let focused = null;
document.addEventListener("htmx:before:swap", () => (focused = document.activeElement));
document.addEventListener("htmx:after:swap", () => {
  const isLost = focused && focused !== document.body && !focused.isConnected;
  if (isLost && !isTouch && document.activeElement === document.body) textarea()?.focus({ preventScroll: true });
});

begin();
