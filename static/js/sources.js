// Many answers have a region "Sources": a screen reader's list of regions tells the earlier ones apart by number.

function name() {
  const answers = [...document.querySelectorAll(".from-parley")];
  const regions = document.querySelectorAll(".sources");
  for (const region of regions) {
    const number = answers.indexOf(region.closest(".from-parley")) + 1;
    const isNewest = region === regions[regions.length - 1];
    region.ariaLabel = isNewest ? "Sources" : `Sources of answer ${number}`;
  }
}

document.addEventListener("htmx:after:swap", name);
name();
