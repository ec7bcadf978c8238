// A table wider than its place is scrolled by keyboard too: it takes the focus while it is too wide.
const watch = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
for (const each of document.querySelectorAll(".table-wrap")) watch.observe(each);
