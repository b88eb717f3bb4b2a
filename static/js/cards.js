// What folds stays open or closed, as its reader left it, when the server sends it anew.

const isOpen = new Map();

document.addEventListener("click", (event) => {
  const details = event.target.closest("summary")?.parentElement;
  if (details?.id) isOpen.set(details.id, !details.open);
});

document.addEventListener("htmx:after:swap", () => {
  for (const [id, open] of isOpen) {
    const details = document.getElementById(id);
    if (details && details.open !== open) details.open = open;
  }
});
