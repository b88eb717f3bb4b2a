// A request that failed without words of its own gets some; the next one clears them.

const fallback = () => document.querySelector("[data-problem-fallback]");

function isForReader({ ctx }) {
  return ctx && ctx.request.method === "POST" && !ctx.request.action.endsWith("/seen");
}

function failed({ detail }) {
  if (!isForReader(detail) || !fallback()) return;
  fallback().hidden = Boolean(detail.ctx.text?.includes('hx-target="#problem"'));
}

document.addEventListener("htmx:before:request", ({ detail }) => {
  if (!isForReader(detail)) return;
  document.querySelector("#problem")?.replaceChildren();
  if (fallback()) fallback().hidden = true;
});
document.addEventListener("htmx:error", failed);
document.addEventListener("htmx:response:error", failed);
