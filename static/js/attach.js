// Files come by the button, by dropping them anywhere on the page, and by pasting them.

import { canUpload, upload } from "./uploads.js";

const input = () => document.querySelector("[data-attach] input[type=file]");
const target = () => document.querySelector("[data-drop]");

function bringsFiles({ dataTransfer }) {
  return canUpload() && dataTransfer?.types.includes("Files");
}

function showTarget(isShown) {
  if (target()) target().hidden = !isShown;
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-attach-button]")) input().click();
});

document.addEventListener("change", (event) => {
  if (event.target !== input()) return;
  upload([...input().files]);
  input().value = ""; // so that the same file can be chosen again
});

document.addEventListener("dragenter", (event) => bringsFiles(event) && showTarget(true));
document.addEventListener("dragleave", (event) => event.relatedTarget === null && showTarget(false));
document.addEventListener("dragover", (event) => {
  if (!bringsFiles(event)) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "copy";
});
document.addEventListener("drop", (event) => {
  if (!bringsFiles(event)) return;
  event.preventDefault();
  showTarget(false);
  upload([...event.dataTransfer.files]);
});

// Programs such as spreadsheets add a picture of the text that was copied: then the text is what is meant.
document.addEventListener("paste", (event) => {
  const { files } = event.clipboardData;
  if (!canUpload() || !files.length || event.clipboardData.getData("text/plain")) return;
  event.preventDefault();
  upload([...files]);
});
