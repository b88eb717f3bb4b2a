// A link that was closed while its stream was broken shows nothing more either: the page is asked for again.

function lookAgain(status) {
  if (status === 404) location.reload();
}

document.addEventListener("htmx:sse:error", ({ detail }) => lookAgain(detail.status));
document.addEventListener("htmx:response:error", ({ detail }) => lookAgain(detail.ctx?.response?.status));
