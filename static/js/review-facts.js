// What the answer has from the facts, marked on demand: names and figures that are written alike in both, and
// the numbers and dates that the server found in neither request nor facts. Marks are the browser's own
// highlights, so that the text stays as it is: a pointer for the eye, nothing more.

const FIGURE = /\p{Sc}?\p{Nd}+(?:[.,:/’']\p{Nd}+)*(?:\s?%)?/gu;
const NAME = /(?<![\p{L}\p{N}])\p{Lu}[\p{L}\p{M}’'-]{2,}/gu;
const WORD = /[\p{L}\p{M}’'-]+/gu;

// 1,200, 1’200 and £1200 are one figure, and so are 5% and 5 %.
const plainFigure = (text) => text.replace(/[\p{Sc}\s%]/gu, "").replace(/[,’'](?=\p{Nd}{3}(?!\p{Nd}))/gu, "");

export class Facts {
  // `unsupported` gives the texts of the numbers that were found nowhere; null where nobody looked.
  constructor({ answer, raw, source, legend, button, unsupported }) {
    Object.assign(this, { answer, raw, source, legend, button, unsupported, isOn: false });
    button.hidden = !this.isPossible;
    button.addEventListener("click", () => this.toggle());
  }

  get isPossible() {
    return Boolean(window.CSS?.highlights && window.Highlight);
  }

  toggle() {
    if (!this.isPossible) return;
    this.isOn = !this.isOn;
    this.button.setAttribute("aria-pressed", String(this.isOn));
    this.refresh();
  }

  // After another answer, or another view of it, is on the screen.
  refresh() {
    CSS.highlights?.delete("shared");
    CSS.highlights?.delete("absent");
    this.legend.hidden = !this.isOn;
    if (!this.isOn) return;
    const shown = this.raw.hidden ? this.answer : this.raw;
    const given = textNodes(this.source).filter((node) => !node.parentElement.closest("[data-reference]"));
    // Where answers are ranked, their ranks are no words of theirs.
    const said = textNodes(shown).filter((node) => !node.parentElement.closest("[data-ranks]"));
    const unsupported = this.unsupported();
    const pattern = anyOf(unsupported ?? []);
    const absent = pattern ? said.flatMap((node) => occurrences(node, pattern)) : [];
    const ordinary = ordinaryWords([...given, ...said]);
    const facts = marks(given, ordinary);
    const claims = marks(said, ordinary).filter((mark) => !absent.some((other) => overlap(mark, other)));
    const known = new Set(facts.map((mark) => mark.key));
    const shared = claims.filter((mark) => known.has(mark.key));
    const claimed = new Set(shared.map((mark) => mark.key));
    CSS.highlights.set("shared", highlight([...shared, ...facts.filter((mark) => claimed.has(mark.key))]));
    CSS.highlights.set("absent", highlight(absent));
    this.legend.textContent = inWords(claimed.size, unsupported);
  }
}

function inWords(shared, unsupported) {
  const found = `${shared} name${shared === 1 ? "" : "s"} and numbers of the answer are in the request or the facts (highlighted).`;
  if (!unsupported) return `${found} The answer is too long for its numbers to be checked.`;
  if (!unsupported.length) return `${found} Every number is supported.`;
  return `${found} Unsupported numbers (underlined; sums are not checked): ${unsupported.join(", ")}.`;
}

function anyOf(texts) {
  if (!texts.length) return null;
  const wanted = texts.map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).sort((one, other) => other.length - one.length);
  return new RegExp(`(?<!\\p{Nd}|\\p{Nd}[.,:/])(?:${wanted.join("|")})(?!\\p{Nd}|[.,:/]\\p{Nd})`, "gu");
}

function occurrences(node, pattern) {
  return [...node.data.matchAll(pattern)].map((match) => ({ node, start: match.index, text: match[0] }));
}

const overlap = (one, other) =>
  one.node === other.node && one.start < other.start + other.text.length && other.start < one.start + one.text.length;

function textNodes(element) {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const nodes = [];
  while (walker.nextNode()) nodes.push(walker.currentNode);
  return nodes;
}

// A word that is written small anywhere is no name, however a sentence begins with it.
function ordinaryWords(nodes) {
  const words = nodes.flatMap((node) => node.data.match(WORD) ?? []);
  return new Set(words.filter((word) => word === word.toLowerCase()));
}

function marks(nodes, ordinary) {
  return nodes.flatMap((node) => [
    ...[...node.data.matchAll(FIGURE)].map((match) => mark(node, match, plainFigure(match[0]))),
    ...[...node.data.matchAll(NAME)]
      .filter((match) => !ordinary.has(match[0].toLowerCase()))
      .map((match) => mark(node, match, match[0])),
  ]);
}

const mark = (node, match, key) => ({ node, start: match.index, text: match[0], key });

function highlight(found) {
  const ranges = found.map(({ node, start, text }) => {
    const range = new Range();
    range.setStart(node, start);
    range.setEnd(node, start + text.length);
    return range;
  });
  return new Highlight(...ranges);
}
