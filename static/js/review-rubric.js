// The rubric's form: which criterion is current, scores, reasons, and the answers in it.

import * as choice from "./controls/choice.js";
import * as marks from "./controls/marks.js";
import * as number from "./controls/number.js";
import * as words from "./controls/words.js";

const REASON_KEYS = "adfgjklopqwxyzbim";

// How each criterion is answered, by what its kind calls it.
const CONTROLS = { choice, marks, number, words };
const of = (criterion) => CONTROLS[criterion.dataset.control];
const isRated = (criterion) => of(criterion).isRated;

export class Rubric {
  constructor(element, { commandKeys, onChange }) {
    this.element = element;
    this.onChange = onChange;
    this.commandKeys = commandKeys;
    this.locked = false;
    this.reasonsOf = null;
    element.addEventListener("change", (event) => this.#changed(event));
    // Words are kept while they are written, as the comment is.
    element.addEventListener("input", (event) => event.target.matches("textarea, .levels input[type=number]") && this.#changed(event));
    element.addEventListener("keydown", (event) => this.#moveOn(event));
    // A locked group stays focusable and readable; only a change is refused.
    element.addEventListener("click", (event) => this.#refuseLocked(event), true);
    element.addEventListener("keydown", (event) => this.#refuseLocked(event), true);
    element.addEventListener("focusin", () => this.#focused());
    element.addEventListener("click", (event) => this.#chooseByGuide(event));
    element.addEventListener("toggle", () => this.#makeRoom(), true);
    addEventListener("resize", () => this.#makeRoom());
    for (const words of element.querySelectorAll("[data-condition]")) words.hidden = true;
    this.#makeRoom();
    this.#ask();
  }

  // Those that are asked now.
  get criteria() {
    return this.#all.filter((each) => !each.hidden);
  }

  get #all() {
    return [...this.element.querySelectorAll("[data-criterion]")];
  }

  // What a figure would score: the focused one, else the first without a score.
  get current() {
    const focused = document.activeElement?.closest?.("[data-criterion]");
    if (focused && this.element.contains(focused)) return focused;
    const rated = this.criteria.filter(isRated);
    return rated.find((each) => !of(each).isAnswered(each)) ?? rated.at(-1);
  }

  // Back to scoring from wherever somebody wrote; from a text of the rubric on to what follows it.
  focusCurrent() {
    const text = document.activeElement?.closest?.("[data-criterion] textarea");
    if (!text) return this.focus(this.current);
    text.blur();
    this.focus(this.#following(text.closest("[data-criterion]")) ?? this.current);
  }

  // Where a new answer begins, wherever the focus of the one before it was.
  focusFirst() {
    const rated = this.criteria.filter(isRated);
    const first = rated.find((each) => !of(each).isAnswered(each)) ?? rated[0];
    // On a phone the rubric stands below the answer, which is to be read before it is scored.
    this.focus(first, { scroll: first !== this.criteria[0] });
  }

  focus(criterion, { scroll = true } = {}) {
    const target = criterion && (of(criterion).chosen(criterion) ?? of(criterion).first(criterion));
    target?.focus({ preventScroll: true });
    if (scroll) criterion?.scrollIntoView({ block: "nearest" });
    this.#mark();
  }

  // Score the current criterion; true when the value exists in it.
  score(value) {
    const criterion = this.current;
    const input = of(criterion).answerOf(criterion, value, this.locked);
    if (!input || this.locked || this.element.closest("[hidden]")) return false;
    input.checked = true;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    this.focus(this.#following(criterion) ?? criterion);
    return true;
  }

  // The letters on the reasons come and go with the keys.
  keysSwitched() {
    this.#offerReasons(this.reasonsOf);
  }

  toggleReason(key) {
    const label = this.reasonsOf?.querySelector(`.reason[data-key="${CSS.escape(key)}"]`);
    if (!label || this.locked) return false;
    label.querySelector("input").click();
    return true;
  }

  missing() {
    return this.criteria.filter((each) => of(each).isWrong(each) || (each.querySelector("[data-required]") && !of(each).isAnswered(each)));
  }

  isAnswered(criterion) {
    return of(criterion).isAnswered(criterion);
  }

  // What a criterion among the missing waits for, in words.
  wanted(criterion) {
    return of(criterion).wanted(criterion);
  }

  nameOf(key) {
    const criterion = this.#all.find((each) => each.dataset.criterion === key);
    return criterion?.querySelector("legend").firstChild.textContent.trim() ?? key;
  }

  lock(locked) {
    this.locked = locked;
    for (const criterion of this.#all) of(criterion).lock(criterion, locked);
    this.element.classList.toggle("is-locked", locked);
  }

  read() {
    const answers = { scores: {}, tags: {}, texts: {} };
    for (const criterion of this.criteria) {
      const key = criterion.dataset.criterion;
      for (const [part, given] of Object.entries(of(criterion).read(criterion))) answers[part][key] = given;
      const given = [...criterion.querySelectorAll(".reason input:checked")].map((each) => each.value);
      // Reasons belong to a low score; raising it takes them back.
      if (given.length && of(criterion).isLow(criterion)) answers.tags[key] = given;
    }
    return answers;
  }

  write({ scores = {}, tags = {}, texts = {} } = {}) {
    for (const criterion of this.#all) {
      const key = criterion.dataset.criterion;
      of(criterion).write(criterion, { scores: scores[key], texts: texts[key] });
      const given = new Set(tags[key] ?? []);
      for (const input of criterion.querySelectorAll(".reason input")) input.checked = given.has(input.value);
      criterion.classList.remove("field-bad");
      for (const old of criterion.querySelectorAll(".field-error")) old.remove();
    }
    this.#offerReasons(null);
    this.#ask();
  }

  showErrors(fields) {
    for (const criterion of this.criteria) {
      const key = criterion.dataset.criterion;
      const texts = ["scores", "tags", "texts", "spans"].map((part) => fields[`${part}.${key}`]).find(Boolean);
      if (!texts) continue;
      criterion.classList.add("field-bad");
      const line = document.createElement("p");
      line.className = "field-error";
      line.textContent = texts.join(" ");
      criterion.append(line);
    }
  }

  // What to answer after it; a text that need not be written does not stand in the way of figures.
  #following(criterion) {
    const after = this.criteria.slice(this.criteria.indexOf(criterion) + 1);
    return after.find((each) => isRated(each) || each.querySelector("[data-required]"));
  }

  // Enter ends a number, and goes on to what follows.
  #moveOn(event) {
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey || !event.target.matches(".levels input[type=number]")) return;
    event.preventDefault();
    const criterion = event.target.closest("[data-criterion]");
    event.target.blur();
    this.focus(this.#following(criterion) ?? criterion);
  }

  #changed(event) {
    const criterion = event.target.closest("[data-criterion]");
    criterion.classList.remove("field-bad");
    for (const old of criterion.querySelectorAll(".field-error")) old.remove();
    if (of(criterion).changed(criterion, event)) {
      this.#offerReasons(of(criterion).isLow(criterion) ? criterion : null);
      this.#ask();
    }
    this.onChange();
  }

  #refuseLocked(event) {
    const isRadio = event.target.type === "radio";
    const changes = event.type === "click" ? event.target.closest("label, input") : isRadio && event.key.startsWith("Arrow");
    if (this.locked && changes) event.preventDefault();
  }

  // Ask what the answers so far call for. In the rubric's order, since a question that is not asked has
  // no answer that another could depend on; what was chosen there stays for when it is asked again.
  #ask() {
    for (const criterion of this.#all) {
      const { dependsOn, dependsValues } = criterion.dataset;
      if (!dependsOn) continue;
      const before = this.#all.find((each) => each.dataset.criterion === dependsOn);
      const given = before.hidden ? null : of(before).chosen(before)?.value;
      criterion.hidden = !dependsValues.split(" ").includes(given);
      criterion.disabled = criterion.hidden;
    }
    this.#mark();
  }

  // For the longest guide and the most reasons, whichever are shown.
  #makeRoom() {
    this.element.classList.add("is-measured");
    const all = (part) => [...this.element.querySelectorAll(`.criterion-row ${part}`)];
    const rooms = {
      "--guide": all(".criterion-guide").map((guide) => guide.scrollHeight),
      // What a fieldset scrolls leaves out its legend.
      "--why": all(".reason-list").map((list) => list.offsetTop + list.offsetHeight),
    };
    for (const [room, heights] of Object.entries(rooms))
      if (heights.length) this.element.style.setProperty(room, `${Math.max(...heights)}px`);
    this.element.classList.remove("is-measured");
  }

  // Coming back to a low score, its reasons can be changed.
  #focused() {
    const criterion = this.current;
    if (criterion !== this.reasonsOf && of(criterion).isLow(criterion)) this.#offerReasons(criterion);
    this.#mark();
  }

  #mark() {
    for (const each of this.criteria) each.classList.toggle("is-current", each === this.current);
    for (const level of this.element.querySelectorAll(".level-guide > [data-level]")) {
      const criterion = level.closest("[data-criterion]");
      level.classList.toggle("is-chosen", of(criterion).chosen(criterion)?.value === level.dataset.level);
    }
  }

  // What a level means can be clicked, too.
  #chooseByGuide(event) {
    const level = event.target.closest(".level-guide > [data-level]");
    const criterion = level?.closest("[data-criterion]");
    const input = criterion && of(criterion).answerOf(criterion, level.dataset.level, this.locked);
    if (input && !this.locked) input.click();
  }

  #offerReasons(criterion) {
    for (const mark of this.element.querySelectorAll("[data-reason-key]")) mark.remove();
    for (const label of this.element.querySelectorAll(".reason[data-key]")) delete label.dataset.key;
    this.reasonsOf?.classList.remove("offers-reasons");
    this.reasonsOf = criterion;
    criterion?.classList.add("offers-reasons");
    if (!criterion || !this.commandKeys.on) return;
    const taken = new Set(Object.values(this.commandKeys.map));
    const free = [...REASON_KEYS].filter((key) => !taken.has(key));
    for (const [position, label] of [...criterion.querySelectorAll(".reason")].entries()) {
      if (position >= free.length) break;
      label.dataset.key = free[position];
      const mark = document.createElement("kbd");
      mark.textContent = free[position];
      mark.dataset.reasonKey = "";
      mark.className = "keys";
      label.append(mark);
    }
  }
}
