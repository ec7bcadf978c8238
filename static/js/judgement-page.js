// The screen of comparisons: answers side by side, one verdict, nothing chosen or typed is ever lost.

import { Sides } from "./judgement-sides.js";
import { PairVerdict, RankVerdict } from "./judgement-verdict.js";
import { Desk } from "./review-desk.js";
import { Facts } from "./review-facts.js";
import { verdictInWords } from "./review-words.js";

const desk = new Desk(document.querySelector("[data-review]"));
const { part } = desk;
const verdict = new (desk.config.is_ranking ? RankVerdict : PairVerdict)(part("form"), desk.changed);
// Raw texts and differences stand beside the answers, so that there is no other element to look into.
const facts = new Facts({
  answer: part("sides"),
  raw: Object.assign(document.createElement("pre"), { hidden: true }),
  source: part("source"),
  legend: part("facts-legend"),
  button: part("facts"),
});
const sides = new Sides(document.querySelector("[data-review]"), { onView: () => facts.refresh() });

const sheet = {
  read: () => ({ ...verdict.read(), comment: part("comment").value }),
  write(given) {
    verdict.write(given ?? {});
    part("comment").value = given?.comment ?? "";
  },
  paint: (task) => sides.fill(task.sides),
  shortcoming() {
    if (verdict.missing) {
      verdict.showErrors({ choice: [`${verdict.missing}.`] });
      verdict.focusMissing();
    }
    // What is missing stands at the verdict already.
    return verdict.missing && "Not submitted yet";
  },
  showErrors: (fields) => verdict.showErrors(fields),
  inWords: verdictInWords,
};

sides.take(desk.task.sides);
desk.start({
  sheet,
  marks: verdict,
  actions: {
    raw: () => sides.toggle("raw"),
    diff: () => sides.toggle("diff"),
    facts: () => facts.toggle(),
  },
});
