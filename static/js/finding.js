// The search box in the sidebar: Escape empties it, the arrow leads to what was found. A menu closes when it was used.

const box = () => document.querySelector("[data-find]");

document.addEventListener("keydown", (event) => {
  if (event.target !== box()) return;
  if (event.key === "Escape") {
    event.preventDefault(); // else it would stop the answer that is being written
    box().value = "";
    box().dispatchEvent(new Event("input", { bubbles: true }));
  }
  if (event.key === "ArrowDown") document.querySelector("#found a")?.focus();
}, { capture: true });

document.addEventListener("keydown", (event) => {
  const hit = event.target.closest?.("#found a");
  if (!hit || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
  event.preventDefault();
  const hits = [...document.querySelectorAll("#found a")];
  (hits[hits.indexOf(hit) + (event.key === "ArrowDown" ? 1 : -1)] ?? (event.key === "ArrowUp" ? box() : hit)).focus();
});

document.addEventListener("click", (event) => event.target.closest(".menu .menu-item")?.closest(".menu").hidePopover());

// A list that is made anew keeps the length to which it was scrolled.
document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
  ctx.request.headers["Parley-Rows"] = String(document.querySelectorAll("#conversations .conversation").length);
});
