// The review screen: one answer beside its rubric, with spans, facts and a correction.

import { Desk } from "./review-desk.js";
import { showDiff } from "./review-diff.js";
import { Facts } from "./review-facts.js";
import { Rubric } from "./review-rubric.js";
import { Spans } from "./review-spans.js";
import { ratingInWords } from "./review-words.js";

const desk = new Desk(document.querySelector("[data-review]"));
const { part, say } = desk;
const correction = part("correction");
const correctionText = part("correction-text");
const rubric = new Rubric(part("rubric"), { commandKeys: desk.keys, onChange: changed });
const facts = new Facts({
  answer: part("answer"),
  raw: part("answer-raw"),
  source: part("source"),
  legend: part("facts-legend"),
  button: part("facts"),
  unsupported: () => desk.task.unsupported_numbers,
});
const spans = new Spans({
  rubric,
  raw: part("answer-raw"),
  bar: part("span-bar"),
  opener: part("highlight"),
  text: desk.task.answer_text,
  showRaw: toggleRaw,
  onChange: changed,
  onPaint: () => facts.refresh(),
  say,
});

function changed() {
  followScores();
  desk.changed();
}

const isRewritten = () => correction.open && correctionText.value.trim() !== desk.task.answer_text.trim();

const sheet = {
  read: () => ({
    ...rubric.read(),
    ...spans.read(),
    comment: part("comment").value,
    correction: correction && isRewritten() ? correctionText.value : null,
  }),
  write(given) {
    rubric.write(given ?? {});
    spans.write(given?.spans);
    part("comment").value = given?.comment ?? "";
    if (!correction) return;
    correctionText.value = given?.correction ?? desk.task.answer_text;
    correction.open = Boolean(given?.correction);
    followCorrection();
  },
  paint,
  shortcoming() {
    const missing = rubric.missing();
    if (!missing.length) return "";
    rubric.showErrors(Object.fromEntries(missing.map((each) => [`scores.${each.dataset.criterion}`, [rubric.wanted(each)]])));
    rubric.focus(missing[0]);
    return `${missing.length} still to score`;
  },
  showErrors: (fields) => rubric.showErrors(fields),
  inWords: (given) => ratingInWords(given, (key) => rubric.nameOf(key)),
};

function paint(task) {
  part("source").scrollTop = 0;
  part("answer").innerHTML = task.answer_html;
  part("answer").hidden = false;
  part("answer-raw").hidden = true;
  part("raw").setAttribute("aria-pressed", "false");
  part("candidate").textContent = task.candidate;
  part("candidate").hidden = !task.candidate;
  facts.refresh();
  spans.show(task.answer_text);
}

// The way to the correction says beforehand when it is not open yet.
function followScores() {
  if (!correction) return;
  const isEarly = !correction.open && rubric.missing().length > 0;
  part("score-first").hidden = !isEarly;
  correction.querySelector("summary").setAttribute("aria-disabled", String(isEarly));
}

function followCorrection() {
  followScores();
  const isLocked = isRewritten();
  rubric.lock(isLocked);
  part("locked").hidden = !isLocked;
  showDiff(part("diff"), desk.task.answer_text, correctionText.value);
}

function toggleRaw() {
  const isRaw = part("answer-raw").hidden;
  part("answer-raw").textContent = desk.task.answer_text;
  part("answer-raw").hidden = !isRaw;
  part("answer").hidden = isRaw;
  part("raw").setAttribute("aria-pressed", String(isRaw));
  facts.refresh();
  spans.rawToggled();
}

function correct() {
  if (!correction) return;
  if (!correction.open && rubric.missing().length) {
    say("Score every required criterion before you correct the answer", true);
    rubric.focus(rubric.missing()[0]);
    return;
  }
  correction.open = true;
  correctionText.focus();
}

function listenToCorrection() {
  correctionText.addEventListener("input", () => {
    followCorrection();
    changed();
  });
  correction.querySelector("summary").addEventListener("click", (event) => {
    if (correction.open) return;
    event.preventDefault();
    correct();
  });
  correction.addEventListener("toggle", followCorrection);
  part("unlock").addEventListener("click", () => {
    correctionText.value = desk.task.answer_text;
    correction.open = false;
    followCorrection();
    changed();
    rubric.focusFirst();
  });
}

part("raw").hidden = false;
part("raw").addEventListener("click", toggleRaw);
if (correction) listenToCorrection();
desk.start({
  sheet,
  marks: rubric,
  actions: {
    raw: toggleRaw,
    facts: () => facts.toggle(),
    correct,
    not_applicable: () => rubric.score("na") || say("This criterion has no “not applicable”", true),
    highlight: () => spans.enter(),
  },
});
followScores();
