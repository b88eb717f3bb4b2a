// Copying a message gives its Markdown, copying code gives the code only; other buttons carry their text.

const SHOWN_MS = 1600;

function sourceOf(button) {
  if (button.matches("[data-copy-text]")) return button.dataset.copyText;
  if (button.matches("[data-copy-code]")) return button.closest("figure").querySelector("pre").textContent;
  const message = button.closest(".message");
  const source = message.querySelector("template[data-source]");
  return source ? source.content.textContent : message.querySelector("[data-text]").textContent;
}

// Pages that came over plain http from another machine have no clipboard.
function copyTheOldWay(text) {
  const box = document.createElement("textarea");
  box.value = text;
  box.className = "visually-hidden";
  (document.querySelector("dialog[open]") ?? document.body).append(box); // a dialog keeps the focus to itself
  box.select();
  document.execCommand("copy");
  box.remove();
}

async function copy(button) {
  const text = sourceOf(button);
  if (navigator.clipboard) await navigator.clipboard.writeText(text);
  else copyTheOldWay(text);
  const label = button.getAttribute("aria-label");
  button.setAttribute("data-copied", "");
  button.setAttribute("aria-label", "Copied");
  setTimeout(() => {
    button.removeAttribute("data-copied");
    if (label) button.setAttribute("aria-label", label);
    else button.removeAttribute("aria-label");
  }, SHOWN_MS);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy-message], [data-copy-code], [data-copy-text]");
  if (button) copy(button);
});

document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || !event.shiftKey || event.code !== "Semicolon") return;
  const last = [...document.querySelectorAll("[data-copy-code]")].at(-1);
  if (!last) return;
  event.preventDefault();
  copy(last);
});
