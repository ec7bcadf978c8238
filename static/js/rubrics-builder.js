// The rubric builder without page loads: structure buttons and the preview go through htmx; the same
// form posts by itself where scripts are off. Saving is always a plain post.

const PAUSE = 600;
let waiting = 0;

function builder() {
  return document.querySelector("[data-rubric-builder]");
}

function send(form, action) {
  clearTimeout(waiting);
  const active = document.activeElement;
  const place = form.contains(active) ? { id: active.id, start: active.selectionStart, end: active.selectionEnd } : null;
  const scroll = window.scrollY;
  const part = action === "preview" ? ".preview-side" : "#builder";
  return window.htmx
    .ajax("POST", form.dataset.address, {
      source: form,
      target: part,
      select: part,
      swap: "outerHTML",
      values: { action },
    })
    .then(() => restore(action, place, scroll));
}

function restore(action, place, scroll) {
  if (action === "preview") {
    return;
  }
  const form = builder();
  const wanted = form.dataset.focus || (place && place.id);
  const target = wanted && document.getElementById(wanted);
  window.scrollTo({ top: scroll });
  if (target) {
    target.focus({ preventScroll: Boolean(!form.dataset.focus) });
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-rubric-builder]");
  const action = event.submitter && event.submitter.value;
  if (form && window.htmx && action && action !== "save") {
    event.preventDefault();
    event.stopPropagation();
    // Asked for by hand, the form is brought up to date too: its headings and the fields of its levels.
    send(form, action === "preview" ? "refresh" : action);
  }
}, true);

document.addEventListener("input", (event) => {
  const form = event.target.closest("[data-rubric-builder]");
  if (form && window.htmx) {
    clearTimeout(waiting);
    waiting = setTimeout(() => send(form, event.target.matches("[data-refreshes]") ? "refresh" : "preview"), PAUSE);
  }
});
