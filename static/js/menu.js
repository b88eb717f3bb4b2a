// In the message box "/" offers prompts, "@" models and assistants, "#" documents of other chats: arrows choose, Enter
// or Tab takes, Escape closes.

const WORD = /(?:^|\s)([/@#])([^\s/@#]*)$/;
const DELAY_MS = 120;
let word = null; // what is being typed: its sign, its text, and where it stands
let closedAt = null; // where Escape has closed the menu: it stays closed for that word
let timer = null;

const menu = () => document.querySelector("[data-menu]");
const box = () => document.querySelector("[data-composer] textarea");
const field = (name) => document.querySelector(`[data-composer] [name="${name}"]`);
const isOpen = () => menu() !== null && !menu().hidden;
const options = () => [...menu().querySelectorAll("[role='option']")];
const chosen = () => options().find((option) => option.getAttribute("aria-selected") === "true");

function wordAtCaret() {
  const { value, selectionStart, selectionEnd } = box();
  const found = selectionStart === selectionEnd && WORD.exec(value.slice(0, selectionStart));
  if (!found) return null;
  const [, sign, text] = found;
  const start = selectionStart - text.length - 1;
  // Within a sentence a slash is one of a path.
  return sign === "/" && value.slice(0, start).trim() ? null : { sign, text, start, end: selectionStart };
}

function choose(option) {
  for (const [number, each] of options().entries()) {
    each.id = `menu-option-${number}`;
    each.setAttribute("aria-selected", String(each === option));
  }
  box().setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
}

function move(step) {
  const all = options();
  choose(all[(all.indexOf(chosen()) + step + all.length) % all.length]);
}

function close() {
  clearTimeout(timer);
  word = null;
  if (menu()) menu().hidden = true;
  box()?.removeAttribute("aria-activedescendant");
}

function ask() {
  const wishes = new URLSearchParams({ sign: word.sign, q: word.text, flow: field("flow")?.value ?? "" });
  htmx.ajax("GET", `${menu().dataset.menu}?${wishes}`, { source: "#composer-menu", swap: "none" });
}

function look() {
  const next = wordAtCaret();
  if (!next) closedAt = null;
  if (!next || next.start === closedAt) return close();
  word = next;
  clearTimeout(timer);
  timer = setTimeout(ask, DELAY_MS);
}

function show() {
  if (!menu() || !word) return;
  menu().hidden = !options().length;
  if (isOpen() && !chosen()) choose(options()[0]);
}

const ACTS = {
  model: (name) => pick(field("model"), name),
  flow: (id) => pick(field("flow"), id),
  document: (id) => {
    const { address } = document.querySelector("[data-attachments]").dataset;
    htmx.ajax("POST", address, { source: "#attachments", swap: "none", values: { document: id } });
  },
};

function pick(select, value) {
  if (!select) return;
  select.value = value;
  select.dispatchEvent(new Event("change", { bubbles: true }));
}

function take({ dataset: { act, value } }) {
  const { start, end } = word;
  close();
  box().setRangeText(act === "write" ? value : "", start, end, "end");
  box().dispatchEvent(new Event("input", { bubbles: true }));
  ACTS[act]?.(value);
}

document.addEventListener("input", (event) => event.target === box() && look());
document.addEventListener("focusout", (event) => event.target === box() && close());
document.addEventListener("selectionchange", () => isOpen() && !wordAtCaret() && close());
document.addEventListener("htmx:after:swap", show);

// Before all others: here Enter does not send, and Escape does not stop the answer.
document.addEventListener("keydown", (event) => {
  if (event.target !== box() || event.isComposing || !isOpen()) return;
  if (event.key === "ArrowDown") move(1);
  else if (event.key === "ArrowUp") move(-1);
  else if (event.key === "Enter" || event.key === "Tab") take(chosen());
  else if (event.key === "Escape") {
    closedAt = word.start;
    close();
  } else return;
  event.preventDefault();
  event.stopPropagation();
}, { capture: true });

// The message box keeps the focus.
document.addEventListener("pointerdown", (event) => event.target.closest("[data-menu]") && event.preventDefault());
document.addEventListener("mousedown", (event) => event.target.closest("[data-menu]") && event.preventDefault());
document.addEventListener("click", (event) => {
  const option = event.target.closest("[data-menu] [role='option']");
  if (option) take(option);
});
