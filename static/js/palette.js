// Ctrl/Cmd+K opens the palette, Ctrl/Cmd+/ the list of shortcuts; in the palette arrows choose and Enter opens.

const options = () => [...document.querySelectorAll("[data-palette] [role='option']:not([aria-disabled])")];
const chosen = () => options().find((option) => option.getAttribute("aria-selected") === "true");

function choose(option) {
  for (const [number, each] of options().entries()) {
    each.id = `palette-option-${number}`;
    each.setAttribute("aria-selected", String(each === option));
  }
  const input = document.querySelector("[data-palette] [role='combobox']");
  if (option) input.setAttribute("aria-activedescendant", option.id);
  else input.removeAttribute("aria-activedescendant");
  option?.scrollIntoView({ block: "nearest" });
}

function move(step) {
  const all = options();
  const at = all.indexOf(chosen());
  choose(all[(at + step + all.length) % all.length]);
}

document.addEventListener("keydown", (event) => {
  const isCommand = (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
  if (isCommand && event.key.toLowerCase() === "k") {
    event.preventDefault();
    const dialog = document.querySelector("dialog[open]");
    if (dialog) dialog.close();
    else htmx.ajax("GET", "/palette", { source: "#dialog", target: "#dialog", swap: "innerHTML" });
  } else if (isCommand && event.key === "/") {
    event.preventDefault();
    if (!document.querySelector("dialog[open]")) document.querySelector("[data-shortcuts]")?.click();
  } else if (event.target.matches?.("[data-palette] [role='combobox']") && !event.isComposing) {
    if (event.key === "Enter") chosen()?.click();
    else if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp") move(-1);
    else return;
    event.preventDefault();
  }
});

document.addEventListener("click", (event) => {
  const option = event.target.closest("[data-palette] [role='option']");
  if (option) setTimeout(() => option.closest("dialog")?.close()); // once its own click is done
});

document.addEventListener("htmx:after:swap", () => {
  if (document.querySelector("[data-palette][open]") && !chosen()) choose(options()[0]);
});
