// Stretches of the answer that a reviewer marks with labels, by mouse or by keys. They are kept as offsets in
// Unicode code points of the exact text, as the server counts; the browser counts UTF-16.

const MOST = 200;
const LONGEST_COMMENT = 1_000;
const SHOWN = 90;
const isTouch = matchMedia("(pointer: coarse)").matches;
const HOW = isTouch
  ? "Press and hold a word, drag the ends of the selection, then tap a label."
  : "Select words with Shift and the arrows, or with the mouse, then press a label or its number.";

// Between the two ways of counting; a position inside a character goes to its edge.
export class Offsets {
  constructor(text) {
    this.starts = [];
    let unit = 0;
    for (const character of text) {
      this.starts.push(unit);
      unit += character.length;
    }
    this.starts.push(unit);
  }

  units(point) {
    return this.starts[Math.min(point, this.starts.length - 1)];
  }

  // The first character that begins at or after this unit.
  points(unit) {
    let low = 0;
    let high = this.starts.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.starts[middle] < unit) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // The character that this unit lies in.
  pointsBefore(unit) {
    const point = this.points(unit);
    return this.starts[point] > unit ? point - 1 : point;
  }
}

export class Spans {
  // `raw`: where the exact text stands. `showRaw`: shows or hides it. `say`: tells the reviewer something.
  constructor({ rubric, raw, bar, opener, text, showRaw, onChange, onPaint, say }) {
    Object.assign(this, { rubric, raw, bar, opener, showRaw, onChange, onPaint, say });
    this.isOn = false;
    this.selected = null;
    this.latest = null;
    this.groups = [...rubric.element.querySelectorAll("[data-spans]")].map((element) => this.#group(element));
    this.#number();
    this.#setText(text);
    if (!this.groups.length) return;
    for (const group of this.groups) this.#list(group);
    opener.hidden = false;
    opener.addEventListener("click", () => this.toggle());
    this.#listen();
  }

  // What was marked where the rubric asks for marks now.
  read() {
    const given = this.groups.filter((group) => !group.criterion.hidden && group.marks.length);
    return { spans: Object.fromEntries(given.map((group) => [group.key, group.marks])) };
  }

  write(spans = {}) {
    for (const group of this.groups) {
      group.marks = (spans[group.key] ?? []).map((mark) => ({ ...mark }));
      this.#list(group);
    }
    // Words marked before stand in the exact text alone.
    if (this.raw.hidden && this.groups.some((group) => group.marks.length)) this.showRaw();
    else this.paint();
  }

  // Another answer is on the screen.
  show(text) {
    this.#setText(text);
    this.isOn = false;
    this.#follow();
  }

  toggle() {
    if (this.isOn) this.#leave();
    else this.enter();
  }

  // To the exact text, from wherever the focus is.
  enter() {
    if (this.isOn) return this.raw.focus();
    if (!this.groups.some((group) => !group.criterion.hidden))
      return this.say("This rubric asks for no highlights here", true);
    this.openedRaw = this.raw.hidden;
    if (this.raw.hidden) this.showRaw();
    this.isOn = true;
    this.#follow();
    this.#tell(HOW);
    this.raw.focus();
    this.raw.scrollIntoView({ block: "nearest" });
    this.#select(this.selected?.start ?? 0, this.selected?.end ?? 0);
  }

  // The exact text came or went.
  rawToggled() {
    if (this.raw.hidden && this.isOn) {
      this.isOn = false;
      this.#follow();
    }
    this.paint();
  }

  // The marks in the exact text: each carries the figure of its label behind it, beside its colour.
  paint() {
    if (this.raw.hidden || !this.groups.length) return;
    const all = this.groups.flatMap((group) => group.marks.map((mark) => ({ group, mark, ...this.#reach(mark) })));
    const edges = [...new Set([0, this.text.length, ...all.flatMap(({ from, to }) => [from, to])])].sort((a, b) => a - b);
    const pieces = edges.slice(1).map((to, position) => this.#piece(edges[position], to, all));
    this.raw.replaceChildren(...pieces);
    this.onPaint();
  }

  #piece(from, to, all) {
    const over = all.filter((each) => each.from <= from && each.to >= to);
    const words = document.createTextNode(this.text.slice(from, to));
    if (!over.length) return words;
    const piece = document.createElement("mark");
    piece.className = "span-mark";
    piece.classList.toggle("is-undesired", over.some(({ group, mark }) => group.labels[mark.label - 1]?.isUndesired));
    const ending = over.filter((each) => each.to === to);
    if (ending.length) piece.dataset.ends = ending.map(({ group, mark }) => group.labels[mark.label - 1]?.figure ?? "?").join(" ");
    piece.title = over.map(({ group, mark }) => group.labels[mark.label - 1]?.text).join(", ");
    piece.append(words);
    return piece;
  }

  #group(element) {
    const criterion = element.closest("[data-criterion]");
    element.querySelector("[data-span-quote]")?.remove();
    const boxes = [...element.querySelectorAll("[data-span-list] input")];
    const opener = element.querySelector("[data-mark-open]");
    opener.hidden = false;
    opener.addEventListener("click", () => this.enter());
    const labels = [...element.querySelectorAll("[data-label]")].map((item) => ({
      number: Number(item.dataset.label),
      text: item.textContent.trim(),
      isUndesired: item.classList.contains("is-undesired"),
    }));
    const marks = boxes.filter((box) => box.checked).map((box) => JSON.parse(box.value));
    return { criterion, key: criterion.dataset.criterion, element, labels, marks, list: element.querySelector("[data-span-list]") };
  }

  // One figure for each label of the rubric, also where it asks for marks more than once.
  #number() {
    let figure = 0;
    for (const label of this.groups.flatMap((group) => group.labels)) label.figure = ++figure;
    for (const group of this.groups)
      for (const [position, item] of [...group.element.querySelectorAll("[data-label]")].entries())
        item.value = group.labels[position].figure;
  }

  #setText(text) {
    this.text = text;
    this.offsets = new Offsets(text);
    this.selected = null;
    this.latest = null;
  }

  #reach(mark) {
    return { from: this.offsets.units(mark.start), to: this.offsets.units(mark.end) };
  }

  #quote(mark) {
    const { from, to } = this.#reach(mark);
    const words = [...this.text.slice(from, to)];
    return words.length <= SHOWN ? words.join("") : `${words.slice(0, SHOWN / 2).join("")} … ${words.slice(-SHOWN / 2).join("")}`;
  }

  #list(group) {
    group.marks.sort((one, other) => one.start - other.start || one.end - other.end || one.label - other.label);
    group.list.replaceChildren(...group.marks.map((mark) => this.#row(group, mark)));
    const nothing = group.criterion.querySelector(".levels input[value=na]");
    if (!nothing) return;
    nothing.disabled = group.marks.length > 0;
    if (group.marks.length) nothing.checked = false;
  }

  #row(group, mark) {
    const label = group.labels[mark.label - 1];
    const name = label?.text ?? `label ${mark.label}`;
    const words = this.#quote(mark);
    const row = document.createElement("li");
    const head = document.createElement("p");
    const figure = document.createElement("span");
    figure.className = "span-figure";
    figure.textContent = label?.figure ?? "?";
    const title = document.createElement("strong");
    title.textContent = name;
    const quote = document.createElement("q");
    quote.dir = "auto";
    quote.textContent = words;
    head.append(figure, " ", title, " ", quote);
    const comment = document.createElement("input");
    comment.value = mark.comment ?? "";
    comment.maxLength = LONGEST_COMMENT;
    comment.placeholder = "Comment (optional)";
    comment.setAttribute("aria-label", `Comment on ${name}, “${words}”`);
    comment.dataset.markComment = "";
    comment.addEventListener("input", () => {
      mark.comment = comment.value;
      this.onChange();
    });
    comment.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) event.preventDefault();
      if (!this.isOn || (event.key !== "Enter" && event.key !== "Escape") || event.ctrlKey || event.metaKey) return;
      event.stopPropagation();
      this.raw.focus();
    });
    const drop = document.createElement("button");
    drop.type = "button";
    drop.className = "button button-quiet";
    drop.textContent = "Remove";
    drop.setAttribute("aria-label", `Remove ${name}, “${words}”`);
    drop.addEventListener("click", () => {
      const next = row.nextElementSibling ?? row.previousElementSibling;
      this.#drop(group, mark);
      const place = next && [...group.list.children].find((each) => each.dataset.mark === next.dataset.mark);
      (place?.querySelector("button") ?? group.element.querySelector("[data-mark-open]")).focus();
    });
    row.dataset.mark = `${mark.label}:${mark.start}:${mark.end}`;
    row.append(head, comment, drop);
    return row;
  }

  #drop(group, mark) {
    group.marks = group.marks.filter((each) => each !== mark);
    if (this.latest?.mark === mark) this.latest = null;
    this.#offerComment();
    this.#list(group);
    this.paint();
    this.onChange();
  }

  #mark(group, label) {
    // The browser tells of a new selection a moment after it is there.
    this.#follows();
    const at = this.selected && trimmed(this.text, this.selected);
    if (!at) return this.#tell("Nothing is selected. " + HOW);
    const mark = { label: label.number, start: this.offsets.pointsBefore(at.start), end: this.offsets.points(at.end), comment: "" };
    if (group.marks.some((each) => each.label === mark.label && each.start === mark.start && each.end === mark.end))
      return this.#tell(`That is highlighted as ${label.text} already.`);
    if (this.groups.reduce((sum, each) => sum + each.marks.length, 0) >= MOST)
      return this.#tell(`One answer has at most ${MOST} highlights. Remove some first.`);
    group.marks.push(mark);
    this.latest = { group, mark };
    this.#list(group);
    group.criterion.classList.remove("field-bad");
    for (const old of group.criterion.querySelectorAll(".field-error")) old.remove();
    this.paint();
    this.#tell(`“${this.#quote(mark)}” highlighted as ${label.text}.${isTouch ? "" : " Press c to comment."}`);
    this.#offerComment();
    this.raw.focus();
    this.#select(at.end, at.end);
    this.onChange();
  }

  // By touch the list of marks is far from the text: the comment on the last one stands at the labels.
  #offerComment() {
    const line = this.bar.querySelector("[data-span-comment]");
    line.hidden = !isTouch || !this.latest;
    if (line.hidden) return;
    const { group, mark } = this.latest;
    const field = line.querySelector("input");
    field.value = mark.comment ?? "";
    field.oninput = () => {
      mark.comment = field.value;
      const row = [...group.list.children][group.marks.indexOf(mark)];
      if (row) row.querySelector("[data-mark-comment]").value = field.value;
      this.onChange();
    };
  }

  #comment() {
    if (!this.latest) return;
    const { group, mark } = this.latest;
    const row = [...group.list.children][group.marks.indexOf(mark)];
    row?.querySelector("[data-mark-comment]").focus();
  }

  // The innermost mark at the caret.
  #dropAtCaret() {
    const at = this.#caret();
    const over = this.groups
      .flatMap((group) => group.marks.map((mark) => ({ group, mark, ...this.#reach(mark) })))
      .filter(({ from, to }) => at !== null && from <= at && at <= to)
      .sort((one, other) => one.to - one.from - (other.to - other.from));
    if (!over.length) return this.#tell("No highlight here.");
    this.#drop(over[0].group, over[0].mark);
    this.#select(at, at);
    this.#tell("Highlight removed.");
  }

  #leave() {
    this.isOn = false;
    this.#follow();
    // Marks show in the exact text alone, which stays for their sake.
    const isMarked = this.groups.some((group) => group.marks.length);
    if (this.openedRaw && !this.raw.hidden && !isMarked) this.showRaw();
    this.rubric.focus(this.rubric.current);
  }

  // The text can be walked with the arrows as one that is written, and cannot be changed.
  #follow() {
    const attributes = {
      contenteditable: "true", role: "textbox", "aria-multiline": "true", "aria-readonly": "true", tabindex: "0",
      inputmode: "none", spellcheck: "false", "aria-label": "Exact text of the answer, to highlight",
    };
    for (const [name, value] of Object.entries(attributes))
      if (this.isOn) this.raw.setAttribute(name, value);
      else this.raw.removeAttribute(name);
    this.opener.setAttribute("aria-pressed", String(this.isOn));
    this.bar.hidden = !this.isOn;
    this.#offerComment();
    if (this.isOn) this.#buttons();
  }

  #buttons() {
    const asked = this.groups.filter((group) => !group.criterion.hidden);
    const rows = asked.flatMap((group) => group.labels.map((label) => this.#button(group, label)));
    const close = document.createElement("button");
    close.type = "button";
    close.className = "button button-quiet";
    close.append("Done ", Object.assign(document.createElement("kbd"), { textContent: "Esc" }));
    close.addEventListener("click", () => this.#leave());
    this.bar.querySelector("[data-span-buttons]").replaceChildren(...rows, close);
  }

  #button(group, label) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button";
    button.append(`${label.text} `);
    button.append(Object.assign(document.createElement(label.figure < 10 ? "kbd" : "span"), { textContent: label.figure }));
    // The selection stays where it is.
    button.addEventListener("mousedown", (event) => event.preventDefault());
    button.addEventListener("click", () => this.#mark(group, label));
    return button;
  }

  #tell(text) {
    this.bar.querySelector("[data-span-said]").textContent = text;
  }

  #listen() {
    document.addEventListener("selectionchange", () => this.#follows());
    for (const kind of ["beforeinput", "dragstart", "drop"])
      this.raw.addEventListener(kind, (event) => this.isOn && event.preventDefault());
    // What an input method wrote in spite of that goes again.
    this.raw.addEventListener("input", () => this.paint());
    this.raw.addEventListener("keydown", (event) => this.#pressed(event));
  }

  #follows() {
    if (!this.isOn) return;
    const range = this.#range();
    if (!range) return;
    const start = this.#unit(range.startContainer, range.startOffset);
    const end = this.#unit(range.endContainer, range.endOffset);
    this.selected = start < end ? { start, end } : null;
  }

  #pressed(event) {
    if (!this.isOn || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const labels = this.groups.filter((group) => !group.criterion.hidden).flatMap((group) => group.labels.map((label) => [group, label]));
    const chosen = labels.find(([, label]) => String(label.figure) === event.key);
    if (event.key === "Escape") this.#leave();
    else if (chosen) this.#mark(...chosen);
    else if (event.key === "c") this.#comment();
    else if (event.key === "Delete" || event.key === "Backspace") this.#dropAtCaret();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #range() {
    const selection = document.getSelection();
    const range = selection.rangeCount ? selection.getRangeAt(0) : null;
    return range && this.raw.contains(range.startContainer) && this.raw.contains(range.endContainer) ? range : null;
  }

  #caret() {
    const range = this.#range();
    return range && this.#unit(range.startContainer, range.startOffset);
  }

  #unit(node, offset) {
    const before = new Range();
    before.selectNodeContents(this.raw);
    before.setEnd(node, offset);
    return before.toString().length;
  }

  #select(start, end) {
    const [from, to] = [this.#point(start), this.#point(end)];
    document.getSelection().setBaseAndExtent(...from, ...to);
  }

  #point(unit) {
    const walker = document.createTreeWalker(this.raw, NodeFilter.SHOW_TEXT);
    let left = unit;
    while (walker.nextNode()) {
      if (left <= walker.currentNode.length) return [walker.currentNode, left];
      left -= walker.currentNode.length;
    }
    return [this.raw, this.raw.childNodes.length];
  }
}

// Without the white space at its ends, which a double click takes along; null where nothing else is left.
function trimmed(text, { start, end }) {
  const words = text.slice(start, end);
  const from = start + (words.length - words.trimStart().length);
  const to = end - (words.length - words.trimEnd().length);
  return from < to ? { start: from, end: to } : null;
}
