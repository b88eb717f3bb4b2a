// The page stays with the newest words only while the reader is at the end; "Latest" goes back there.

const scroller = document.scrollingElement;
const isAtEnd = () => scroller.scrollHeight - scroller.scrollTop - innerHeight < 24;
let isFollowing = !location.hash;
let lastTop = 0;

function toEnd() {
  scroller.scrollTop = scroller.scrollHeight;
}

function showButton() {
  const button = document.querySelector("[data-latest]");
  if (button) button.hidden = isFollowing || isAtEnd();
}

function leave() {
  isFollowing = false;
  showButton();
}

addEventListener("wheel", (event) => event.deltaY < 0 && !isAtTop() && leave(), { passive: true });
addEventListener("touchmove", () => leave(), { passive: true });
addEventListener("keydown", (event) => {
  const isScrollKey = ["PageUp", "Home", "ArrowUp"].includes(event.key);
  if (isScrollKey && !event.target.closest("textarea, input, select")) leave();
});
const isAtTop = () => scroller.scrollTop <= 0;

addEventListener("scroll", () => {
  if (scroller.scrollTop < lastTop && !isAtEnd()) isFollowing = false;
  if (isAtEnd()) isFollowing = true;
  lastTop = scroller.scrollTop;
  showButton();
}, { passive: true });

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-latest]")) return;
  isFollowing = true;
  toEnd();
});

// Whoever sends wants to see the answer.
document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
  if (ctx.request.method === "POST" && ctx.sourceElement.matches("[data-composer], .starters")) isFollowing = true;
});

const observer = new ResizeObserver(() => {
  if (isFollowing) toEnd();
  showButton();
});

function watch() {
  const main = document.querySelector("#main > .column");
  if (main) observer.observe(main);
}

// Earlier messages come in above: what is being read stays where it is.
let anchor = null;
document.addEventListener("htmx:before:swap", ({ detail: { tasks } }) => {
  if (!tasks.some((task) => task.target?.id === "earlier")) return;
  const element = document.querySelector("#log .message");
  anchor = { element, top: element.getBoundingClientRect().top };
});

document.addEventListener("htmx:after:swap", () => {
  watch();
  if (!anchor) return;
  scroller.scrollTop += anchor.element.getBoundingClientRect().top - anchor.top;
  anchor = null;
});

watch();
if (document.querySelector("#log .message") && !location.hash && !location.search) toEnd();
