// A word diff: the longest common subsequence of words, after cutting what is equal at both ends.

const MOST_CELLS = 4_000_000;

const words = (text) => text.match(/\s+|[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu) ?? [];

// [kind, text] with kind "same", "cut" or "new", in reading order.
export function diffWords(before, after) {
  const a = words(before);
  const b = words(after);
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end += 1;
  const parts = [
    ["same", a.slice(0, start)],
    ...between(a.slice(start, a.length - end), b.slice(start, b.length - end)),
    ["same", a.slice(a.length - end)],
  ];
  return joined(parts);
}

function between(a, b) {
  // Past this the table would stop the typing; the whole middle is shown as replaced.
  if (a.length * b.length > MOST_CELLS) return [["cut", a], ["new", b]];
  const width = b.length + 1;
  const common = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1)
    for (let j = b.length - 1; j >= 0; j -= 1)
      common[i * width + j] =
        a[i] === b[j]
          ? common[(i + 1) * width + j + 1] + 1
          : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
  const parts = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      parts.push(["same", [a[i]]]);
      i += 1;
      j += 1;
    } else if (common[(i + 1) * width + j] >= common[i * width + j + 1]) parts.push(["cut", [a[i++]]]);
    else parts.push(["new", [b[j++]]]);
  }
  return [...parts, ["cut", a.slice(i)], ["new", b.slice(j)]];
}

function joined(parts) {
  const out = [];
  for (const [kind, list] of parts) {
    const text = list.join("");
    if (!text) continue;
    if (out.at(-1)?.[0] === kind) out.at(-1)[1] += text;
    else out.push([kind, text]);
  }
  return out;
}

export function showDiff(element, before, after) {
  const tags = { same: "span", cut: "del", new: "ins" };
  element.replaceChildren(
    ...diffWords(before, after).map(([kind, text]) => {
      const part = document.createElement(tags[kind]);
      part.textContent = text;
      return part;
    }),
  );
  element.hidden = before === after;
}
