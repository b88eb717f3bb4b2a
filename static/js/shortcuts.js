// Ctrl/Cmd+Shift+O begins a new chat.

document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || !event.shiftKey || event.code !== "KeyO") return;
  event.preventDefault();
  document.querySelector("[data-new-chat]")?.click();
});
