// A tool that runs says for how long: from its start, which the server tells by the age of the run.

const TICK_MS = 100;
const beganAt = new WeakMap();
let ticking = null;

function beginningOf(stream) {
  if (!beganAt.has(stream)) beganAt.set(stream, performance.now() - Number(stream.dataset.ageMs));
  return beganAt.get(stream);
}

function words(ms) {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const total = Math.round(seconds);
  return total < 60 ? `${total} s` : `${Math.floor(total / 60)} min ${total % 60} s`;
}

function tick() {
  const times = document.querySelectorAll("[data-running-since]");
  for (const time of times) {
    const stream = time.closest(".message").querySelector("[data-stream]");
    if (stream) time.textContent = words(performance.now() - beginningOf(stream) - Number(time.dataset.runningSince));
  }
  if (times.length) return;
  clearInterval(ticking);
  ticking = null;
}

function look() {
  // At once, and not when the first tool is called: the run's age is that of the moment when the page was made.
  document.querySelectorAll("[data-stream]").forEach(beginningOf);
  if (!document.querySelector("[data-running-since]")) return;
  tick();
  ticking ??= setInterval(tick, TICK_MS);
}

document.addEventListener("htmx:after:swap", look);
look();
