// A double click on a title in the list renames it there; Escape leaves it, or a message in hand, as it was.

document.addEventListener("click", (event) => {
  // The page is there already: loading it again would swallow the double click.
  const isPlain = !event.ctrlKey && !event.metaKey && !event.shiftKey;
  if (isPlain && event.target.closest(".conversation a[aria-current]")) event.preventDefault();
});

document.addEventListener("dblclick", (event) => {
  const item = event.target.closest(".conversation");
  if (item && event.target.closest("a[aria-current]")) item.querySelector("[data-rename]")?.click();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !event.target.dataset?.escape) return;
  event.preventDefault();
  document.querySelector(event.target.dataset.escape).click();
}, { capture: true });

document.addEventListener("htmx:after:swap", () => {
  const input = document.querySelector("input[data-select]:not([data-begun])");
  if (!input) return;
  input.dataset.begun = "";
  input.focus();
  input.select();
});
