// Files go to the server one after the other. Each has a chip that shows how far it is, until the server's own takes over.

const MEGABYTE = 1024 * 1024;
const TOO_MANY = [429, 503];
const DEFAULT_WAIT_S = 5;

const queue = [];
let current = null;

const form = () => document.querySelector("[data-attach]");
const list = () => document.querySelector("[data-uploads]");
const box = () => document.querySelector("[data-attachments]");

export const canUpload = () => form() !== null;

export function upload(files) {
  for (const file of files) {
    const entry = { file, chip: addChip(file), request: null };
    if (file.size > form().dataset.maxMb * MEGABYTE) fail(entry, `Larger than ${form().dataset.maxMb} MB`);
    else queue.push(entry);
  }
  next();
}

function next() {
  if (current) return;
  current = queue.shift() ?? null;
  // A message waits for the files that belong to it.
  document.querySelector("[data-composer]")?.toggleAttribute("data-uploading", current !== null);
  if (current) post(current);
  else document.dispatchEvent(new CustomEvent("upload:end"));
}

function post(entry) {
  const request = new XMLHttpRequest(); // fetch tells nothing about how much has been sent
  const body = new FormData();
  body.append("csrfmiddlewaretoken", form().elements.csrfmiddlewaretoken.value);
  const composer = document.querySelector("[data-composer]")?.elements;
  for (const name of ["model", "flow"]) if (composer?.[name]?.value) body.append(name, composer[name].value);
  body.append("files", entry.file);
  request.upload.addEventListener("progress", ({ loaded, total }) => showProgress(entry, loaded / total));
  request.addEventListener("load", () => answered(entry));
  request.addEventListener("error", () => finished(entry, () => fail(entry, "The connection broke: try it again")));
  request.addEventListener("abort", () => finished(entry));
  request.open("POST", box().dataset.address);
  request.setRequestHeader("HX-Request", "true");
  request.setRequestHeader("HX-Current-URL", location.href);
  entry.request = request;
  showProgress(entry, 0);
  request.send(body);
}

function answered(entry) {
  const { request } = entry;
  if (TOO_MANY.includes(request.status)) {
    const wait = Number(request.getResponseHeader("Retry-After")) || DEFAULT_WAIT_S;
    say(entry, "Waiting for its turn");
    setTimeout(() => entry.chip.isConnected && post(entry), wait * 1000);
  } else if (request.status >= 400) finished(entry, () => fail(entry, reasonIn(request)));
  else {
    entry.chip.remove();
    finished(entry, () => show(request));
  }
}

// The next file goes where the answer to this one says: a new chat has its documents' address only then.
function finished(entry, tell = () => {}) {
  if (current === entry) current = null;
  tell();
  next();
  list().hidden = !list().childElementCount;
}

function show(request) {
  const hx = { replaceurl: request.getResponseHeader("HX-Replace-Url") };
  htmx.swap({ text: request.responseText, sourceElement: box(), swap: "none", hx });
}

// The words are those that the page would show; without any it was the server in front that refused.
function reasonIn({ status, responseText }) {
  if (status === 413) return `Larger than ${form().dataset.maxMb} MB`;
  const answer = new DOMParser().parseFromString(responseText, "text/html");
  return answer.querySelector(".problem")?.textContent || "That did not work: try it again";
}

function addChip(file) {
  const chip = document.querySelector("template[data-upload]").content.firstElementChild.cloneNode(true);
  chip.querySelector("[data-name]").textContent = file.name;
  chip.querySelector("[data-name]").title = file.name;
  chip.querySelector("[data-remove-upload]").setAttribute("aria-label", `Remove ${file.name}`);
  list().append(chip);
  list().hidden = false;
  say({ chip }, "Waiting");
  return chip;
}

function showProgress(entry, share) {
  const percent = Math.floor(share * 100);
  entry.chip.querySelector("progress").value = share;
  say(entry, percent < 100 ? `Uploading ${percent} %` : "Saving");
}

function fail(entry, reason) {
  entry.chip.classList.add("is-failed");
  entry.chip.querySelector("progress").remove();
  say(entry, reason);
  document.dispatchEvent(new CustomEvent("upload:failed"));
}

function say({ chip }, words) {
  chip.querySelector("[data-state]").textContent = words;
}

document.addEventListener("click", (event) => {
  const chip = event.target.closest("[data-remove-upload]")?.closest("li");
  if (!chip) return;
  chip.remove();
  const waiting = queue.findIndex((entry) => entry.chip === chip);
  if (waiting >= 0) queue.splice(waiting, 1);
  if (current?.chip === chip) stop(current);
  list().hidden = !list().childElementCount;
});

// One that waits for its turn has nothing to abort.
function stop(entry) {
  if (entry.request.readyState === XMLHttpRequest.DONE) finished(entry);
  else entry.request.abort();
}
