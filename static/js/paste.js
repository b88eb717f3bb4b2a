// A long text that is pasted may become a file instead: a click puts it there and the box back as it was.

import { upload } from "./uploads.js";

const LONG_CHARS = 4000;
const FILE_NAME = "Pasted text.txt";
let offer = null;

const bar = () => document.querySelector("[data-paste-offer]");

function withdraw() {
  offer = null;
  if (bar()) bar().hidden = true;
}

document.addEventListener("paste", (event) => {
  const box = event.target;
  if (!box.matches?.("[data-composer] textarea")) return;
  const text = event.clipboardData.getData("text/plain");
  if (text.length <= LONG_CHARS) return;
  offer = { box, text, before: box.value.slice(0, box.selectionStart), after: box.value.slice(box.selectionEnd) };
  bar().hidden = false;
});

document.addEventListener("click", (event) => {
  if (!offer || !event.target.closest("[data-attach-paste]")) return;
  const { box, text, before, after } = offer;
  withdraw();
  upload([new File([text], FILE_NAME, { type: "text/plain" })]);
  box.value = before + after;
  box.dispatchEvent(new Event("input", { bubbles: true }));
  box.focus();
});

// Whoever goes on writing has decided.
document.addEventListener("input", (event) => {
  if (offer && event.target === offer.box && event.inputType !== "insertFromPaste") withdraw();
});
document.addEventListener("htmx:after:swap", () => offer && !offer.box.value && withdraw());
