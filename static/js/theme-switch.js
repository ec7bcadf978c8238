// The switch in the top bar: as the system, light, dark.
const NAMES = { system: "Theme: system", light: "Theme: light", dark: "Theme: dark" };
const ORDER = ["system", "light", "dark"];
const root = document.documentElement;
const button = document.querySelector("[data-theme-switch]");

function current() {
  return root.dataset.theme ?? "system";
}

function show() {
  button.textContent = NAMES[current()];
}

function choose(theme) {
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem("evalapp-theme");
    else localStorage.setItem("evalapp-theme", theme);
  } catch {
    // Storage is refused: the choice holds for this page.
  }
  show();
  document.dispatchEvent(new CustomEvent("evalapp:theme"));
}

if (button) {
  button.hidden = false;
  show();
  button.addEventListener("click", () => choose(ORDER[(ORDER.indexOf(current()) + 1) % ORDER.length]));
}
