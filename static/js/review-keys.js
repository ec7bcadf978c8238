// Keys of the review screen. Figures and Ctrl+Enter always work; single letters can be switched off.

// A number field takes figures alone, so letters are keys there as they are on buttons.
const isTyping = (element) =>
  element?.closest?.("textarea, input:not([type=radio], [type=checkbox], [type=number]), select, [contenteditable]");

// `actions`: name → function. `isIdle()`: nothing is on the desk; then only its own keys work. `keys`: {on, map: action → letter}, read at each key. `rubric`: see there.
export function listenForKeys({ actions, keys, rubric, isIdle = () => false }) {
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      const dialog = document.querySelector("dialog[open]");
      event.preventDefault();
      // A dialog's own form is sent; one that asks nothing has none.
      if (dialog) dialog.querySelector("form[method=post]")?.requestSubmit();
      else actions.submit();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "Escape" && isTyping(event.target)) {
      rubric.focusCurrent();
      return;
    }
    if (isTyping(event.target)) return;
    if (isIdle()) {
      const action = ["undo", "help"].find((each) => keys.on && keys.map[each] === event.key);
      if (action) actions[action]();
      return;
    }
    if (/^[0-9]$/.test(event.key) && rubric.score(event.key)) {
      event.preventDefault();
      return;
    }
    if (!keys.on || event.repeat) return;
    const action = Object.keys(keys.map).find((each) => keys.map[each] === event.key);
    if (action && actions[action]) {
      event.preventDefault();
      actions[action]();
    } else if (rubric.toggleReason(event.key)) event.preventDefault();
  });
}

// The letters beside the controls follow the person's own choice.
export function showKeys(root, keys) {
  for (const place of root.querySelectorAll("[data-key-for]")) {
    const letter = keys.on ? keys.map[place.dataset.keyFor] : undefined;
    place.replaceChildren();
    if (!letter) continue;
    const mark = document.createElement("kbd");
    mark.textContent = letter;
    place.append(mark);
  }
}
