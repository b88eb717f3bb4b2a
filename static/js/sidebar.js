// The sidebar folds away on wide screens, remembered in a cookie; on phones it is a drawer.

const root = document.documentElement;
const isPhone = () => matchMedia("(max-width: 767px)").matches;
const YEAR_S = 31536000;

function isOpen() {
  return isPhone() ? root.hasAttribute("data-drawer") : root.dataset.sidebar === "open";
}

function setOpen(willOpen) {
  if (isPhone()) {
    root.toggleAttribute("data-drawer", willOpen);
    document.querySelector("#main").inert = willOpen;
  } else {
    root.dataset.sidebar = willOpen ? "open" : "closed";
    document.cookie = `sidebar=${root.dataset.sidebar}; path=/; max-age=${YEAR_S}; samesite=lax`;
  }
  const next = willOpen ? ".sidebar [data-sidebar-close]" : "[data-sidebar-open]";
  document.querySelector(next)?.focus({ preventScroll: true });
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-sidebar-open], [data-sidebar-close]");
  if (!button) return;
  event.preventDefault();
  setOpen(button.matches("[data-sidebar-open]"));
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && root.hasAttribute("data-drawer") && !document.querySelector(":popover-open")) {
    event.preventDefault();
    setOpen(false);
  }
  if ((event.ctrlKey || event.metaKey) && event.shiftKey && event.code === "KeyS") {
    event.preventDefault();
    setOpen(!isOpen());
  }
}, { capture: true });
