// A citation shows its passage while it has the pointer or the focus; Escape closes it.

const HIDE_DELAY_MS = 150;
let chip = null;
let card = null;
let timer = null;

function show(next) {
  clearTimeout(timer);
  if (next === chip) return;
  hide();
  card = document.getElementById(next.getAttribute("aria-describedby"));
  if (!card) return;
  chip = next;
  card.showPopover({ source: chip });
}

function hide() {
  clearTimeout(timer);
  if (card?.matches(":popover-open")) card.hidePopover();
  chip = card = null;
}

const hideSoon = () => {
  clearTimeout(timer);
  timer = setTimeout(hide, HIDE_DELAY_MS);
};

document.addEventListener("pointerover", ({ target, pointerType }) => {
  if (pointerType === "touch") return;
  const next = target.closest("[data-cite]");
  if (next) show(next);
  else if (card?.contains(target)) clearTimeout(timer);
  else if (card && !chip.matches(":focus-visible")) hideSoon();
});

document.addEventListener("focusin", ({ target }) => {
  const next = target.closest("[data-cite]");
  if (next) show(next);
  else hide();
});

document.addEventListener("focusout", ({ target }) => {
  if (target === chip) hideSoon();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !card) return;
  event.preventDefault();
  hide();
}, { capture: true });

// The words around it were sent anew: the card has nothing to stand beside.
document.addEventListener("htmx:after:swap", () => {
  if (chip && !(chip.isConnected && card.isConnected)) hide();
});
