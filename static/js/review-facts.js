// What the answer has from the facts, marked on demand: names, figures and dates that stand in both, and the
// answer's figures that stand in neither request nor facts. Marks are the browser's own highlights, so that
// the text stays as it is. It compares writing, not meaning: a pointer for the eye, nothing more.

const FIGURE = /\p{Sc}?\p{Nd}+(?:[.,:/’']\p{Nd}+)*(?:\s?%)?/gu;
const NAME = /(?<![\p{L}\p{N}])\p{Lu}[\p{L}\p{M}’'-]{2,}/gu;
const WORD = /[\p{L}\p{M}’'-]+/gu;

// 1,200, 1’200 and £1200 are one figure, and so are 5% and 5 %.
const plainFigure = (text) => text.replace(/[\p{Sc}\s%]/gu, "").replace(/[,’'](?=\p{Nd}{3}(?!\p{Nd}))/gu, "");

export class Facts {
  constructor({ answer, raw, source, legend, button }) {
    Object.assign(this, { answer, raw, source, legend, button, isOn: false });
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
    const ordinary = ordinaryWords([...given, ...said]);
    const facts = marks(given, ordinary);
    const claims = marks(said, ordinary);
    const known = new Set(facts.map((mark) => mark.key));
    const claimed = new Set(claims.map((mark) => mark.key));
    const absent = claims.filter((mark) => mark.isFigure && !known.has(mark.key));
    CSS.highlights.set("shared", highlight([...claims.filter((mark) => known.has(mark.key)), ...facts.filter((mark) => claimed.has(mark.key))]));
    CSS.highlights.set("absent", highlight(absent));
    this.legend.textContent = inWords(new Set(claims.filter((mark) => known.has(mark.key)).map((mark) => mark.key)).size, absent);
  }
}

function inWords(shared, absent) {
  const texts = [...new Set(absent.map((mark) => mark.text.trim()))];
  const found = `${shared} name${shared === 1 ? "" : "s"} and numbers of the answer are in the request or the facts (highlighted).`;
  if (!texts.length) return `${found} Every number is.`;
  return `${found} Not found there (underlined; sums are not checked): ${texts.join(", ")}.`;
}

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
    ...[...node.data.matchAll(FIGURE)].map((match) => mark(node, match, plainFigure(match[0]), true)),
    ...[...node.data.matchAll(NAME)]
      .filter((match) => !ordinary.has(match[0].toLowerCase()))
      .map((match) => mark(node, match, match[0], false)),
  ]);
}

const mark = (node, match, key, isFigure) => ({ node, start: match.index, text: match[0], key, isFigure });

function highlight(found) {
  const ranges = found.map(({ node, start, text }) => {
    const range = new Range();
    range.setStart(node, start);
    range.setEnd(node, start + text.length);
    return range;
  });
  return new Highlight(...ranges);
}
