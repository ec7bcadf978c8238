// A table row with data-href opens by click anywhere in it and by Enter; its first link stays the real one.
// While one has the focus, the arrow keys, j and k go to its neighbours, Home and End to the first and last.
function opensItself(target) {
  return target.closest("a, button, input, select, textarea, label, summary");
}

const PLACES = {
  ArrowDown: (place) => place + 1,
  ArrowUp: (place) => place - 1,
  j: (place) => place + 1,
  k: (place) => place - 1,
  Home: () => 0,
  End: (place, last) => last,
};

document.addEventListener("click", (event) => {
  const row = event.target.closest("tr[data-href]");
  if (!row || opensItself(event.target) || String(window.getSelection())) return;
  if (event.ctrlKey || event.metaKey) window.open(row.dataset.href, "_blank", "noopener");
  else window.location.assign(row.dataset.href);
});

document.addEventListener("keydown", (event) => {
  const row = event.target;
  if (!row.matches("tr[data-href]") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter") {
    window.location.assign(row.dataset.href);
  } else if (Object.hasOwn(PLACES, event.key)) {
    const rows = [...row.parentElement.querySelectorAll("tr[data-href]")];
    event.preventDefault();
    rows[PLACES[event.key](rows.indexOf(row), rows.length - 1)]?.focus();
  }
});
