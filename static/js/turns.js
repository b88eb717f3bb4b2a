// A turn that is on the page already (another tab's news, a repeated post) is not put there twice.

document.addEventListener("htmx:before:swap", ({ detail }) => {
  const isShown = (task) =>
    task.target?.id === "log" &&
    task.swapSpec?.swap === "beforeend" &&
    [...task.fragment.querySelectorAll("article[id]")].some((article) => document.getElementById(article.id));
  for (const task of detail.tasks.filter(isShown)) detail.tasks.splice(detail.tasks.indexOf(task), 1);
});
