// Loaded before the style sheets, so that a chosen theme never flashes the other one.
try {
  const theme = localStorage.getItem("evalapp-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is refused: the system's choice stands.
}
