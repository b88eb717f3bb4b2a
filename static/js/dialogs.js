// Dialogs that the server sends are opened, and leave the page when they are closed.

document.addEventListener("htmx:after:swap", () => {
  const dialog = document.querySelector("dialog[data-open]:not([open])");
  if (!dialog) return;
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-close]") || event.target.matches("dialog[open]")) event.target.closest("dialog").close();
});
