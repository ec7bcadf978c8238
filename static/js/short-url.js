// A filter form puts every field into the address, also those that choose nothing. They are left out of it here,
// so that links to what is filtered stay short enough for every server.
document.addEventListener("formdata", (event) => {
  if (!event.target.matches("form.filter-form")) return;
  const chosen = [...event.formData].filter(([, value]) => value !== "");
  for (const name of new Set(event.formData.keys())) event.formData.delete(name);
  for (const [name, value] of chosen) event.formData.append(name, value);
});
