// A table row with data-href opens by click anywhere in it and by Enter; its first link stays the real one.
function opensItself(target) {
  return target.closest("a, button, input, select, textarea, label, summary");
}

document.addEventListener("click", (event) => {
  const row = event.target.closest("tr[data-href]");
  if (!row || opensItself(event.target) || String(window.getSelection())) return;
  if (event.ctrlKey || event.metaKey) window.open(row.dataset.href, "_blank", "noopener");
  else window.location.assign(row.dataset.href);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches("tr[data-href]")) {
    window.location.assign(event.target.dataset.href);
  }
});
