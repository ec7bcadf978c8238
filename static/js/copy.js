// "Copy" beside a link, a token or a table; without it the field can be selected, the table opened.
for (const field of document.querySelectorAll("[data-select-all]")) {
  field.addEventListener("focus", () => field.select());
}

for (const button of document.querySelectorAll("[data-copies]")) {
  const field = document.getElementById(button.dataset.copies);
  if (!field || !navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(field.value);
      button.textContent = "Copied";
    } catch {
      field.select();
      button.textContent = "Press Ctrl+C";
    }
  });
}

// A link to a table as text copies that text; what cannot be copied is opened as without this script.
for (const link of document.querySelectorAll("a[data-copies-from]")) {
  if (!navigator.clipboard) continue;
  link.addEventListener("click", async (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    try {
      const answer = await fetch(link.href);
      if (!answer.ok) throw new Error(answer.statusText);
      await navigator.clipboard.writeText(await answer.text());
      const words = link.dataset.words ?? link.textContent;
      link.dataset.words = words;
      link.textContent = `${words} copied`;
    } catch {
      window.location.assign(link.href);
    }
  });
}
