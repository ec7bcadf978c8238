// "3 min ago" keeps true while the page stays open.
const UNITS = [
  [90 * 60, 60, "min"],
  [36 * 3600, 3600, "h"],
  [14 * 86400, 86400, "days"],
];

function words(seconds) {
  const distance = Math.abs(seconds);
  if (distance < 45) return seconds >= 0 ? "just now" : "in a moment";
  for (const [limit, size, unit] of UNITS) {
    if (distance < limit) {
      const count = Math.max(1, Math.round(distance / size));
      const text = `${count} ${unit === "days" && count === 1 ? "day" : unit}`;
      return seconds >= 0 ? `${text} ago` : `in ${text}`;
    }
  }
  return null;
}

setInterval(() => {
  for (const time of document.querySelectorAll("time[data-relative]")) {
    const text = words((Date.now() - Date.parse(time.dateTime)) / 1000);
    if (text && text !== time.textContent) time.textContent = text;
  }
}, 30_000);
