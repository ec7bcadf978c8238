// A word diff: the longest common subsequence of words, after cutting what is equal at both ends.

// What is left of one text times what is left of the other; past it the table would stop the typing.
const MOST_CELLS = 4_000_000;
const TOO_LONG = "Too long to compare word by word: the old text comes first, then the new one.";

const words = (text) => text.match(/\s+|[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu) ?? [];

// parts: [kind, text] with kind "same", "cut" or "new", in reading order. isTooLong: all between what is equal at
// both ends stands there as one cut and one new text.
export function diffWords(before, after) {
  const a = words(before);
  const b = words(after);
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end += 1;
  const [cut, fresh] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  const isTooLong = cut.length * fresh.length > MOST_CELLS;
  const middle = isTooLong ? [["cut", cut], ["new", fresh]] : between(cut, fresh);
  return { parts: joined([["same", a.slice(0, start)], ...middle, ["same", a.slice(a.length - end)]]), isTooLong };
}

function between(a, b) {
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
  const { parts, isTooLong } = diffWords(before, after);
  element.replaceChildren(
    ...parts.map(([kind, text]) => {
      const part = document.createElement(tags[kind]);
      part.textContent = text;
      return part;
    }),
  );
  if (isTooLong) {
    const hint = document.createElement("p");
    hint.className = "hint";
    hint.textContent = TOO_LONG;
    element.prepend(hint);
  }
  element.hidden = before === after;
}
