// A table wider than its place is scrolled by keyboard too: it takes the focus while it is too wide. One that
// fits lets its header follow the page.
const watch = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const isTooWide = target.scrollWidth > target.clientWidth;
    target.classList.toggle("table-fits", !isTooWide);
    if (isTooWide) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
for (const each of document.querySelectorAll(".table-wrap")) watch.observe(each);
