// What a reviewer gave, as plain text that can be copied when the server does not take it any more.

const asked = (value) => (value === "na" ? "not applicable" : value);

// `nameOf(key)` names a criterion.
export function ratingInWords({ scores = {}, tags = {}, texts = {}, spans = {}, comment, correction }, nameOf) {
  const lines = Object.entries(scores).map(([key, value]) => `${nameOf(key)}: ${asked(value)}`);
  for (const [key, reasons] of Object.entries(tags)) lines.push(`${nameOf(key)}, why: ${reasons.join(", ")}`);
  for (const [key, words] of Object.entries(texts)) lines.push(`${nameOf(key)}: ${words}`);
  const remarks = Object.values(spans).flat().map((mark) => mark.comment).filter(Boolean);
  lines.push(...remarks.map((words) => `On a highlight: ${words}`));
  if (comment) lines.push(`Comment: ${comment}`);
  if (correction) lines.push(`Correction: ${correction}`);
  return lines.join("\n");
}

const VERDICTS = { a: "A is better", b: "B is better", tie: "Tie", both_bad: "Both bad" };

export function preferenceInWords({ choice, ranks, comment }) {
  const lines = [];
  if (choice) lines.push(`Preference: ${VERDICTS[choice] ?? choice}`);
  const given = (ranks ?? []).map((rank, position) => rank && `${"ABCDE"[position]} ${rank}`).filter(Boolean);
  if (given.length) lines.push(`Ranks: ${given.join(", ")}`);
  if (comment) lines.push(`Reason: ${comment}`);
  return lines.join("\n");
}
