// The screen of comparisons: answers side by side, one preference, nothing chosen or typed is ever lost.

import { Sides } from "./preference-sides.js";
import { PairPreference, RankPreference } from "./preference-answer.js";
import { Desk } from "./review-desk.js";
import { Facts } from "./review-facts.js";
import { preferenceInWords } from "./review-words.js";

const desk = new Desk(document.querySelector("[data-review]"));
const { part } = desk;
const preference = new (desk.config.is_ranking ? RankPreference : PairPreference)(part("form"), desk.changed);
// Raw texts and differences stand beside the answers, so that there is no other element to look into.
const facts = new Facts({
  answer: part("sides"),
  raw: Object.assign(document.createElement("pre"), { hidden: true }),
  source: part("source"),
  legend: part("facts-legend"),
  button: part("facts"),
  unsupported: () => desk.task.unsupported_numbers,
});
const sides = new Sides(document.querySelector("[data-review]"), { onView: () => facts.refresh() });

const sheet = {
  read: () => ({ ...preference.read(), comment: part("comment").value }),
  write(given) {
    preference.write(given ?? {});
    part("comment").value = given?.comment ?? "";
  },
  paint: (task) => sides.fill(task.sides),
  shortcoming() {
    if (preference.missing) {
      preference.showErrors({ choice: [`${preference.missing}.`] });
      preference.focusMissing();
    }
    // What is missing stands at the preference already.
    return preference.missing && "Not submitted yet";
  },
  showErrors: (fields) => preference.showErrors(fields),
  inWords: preferenceInWords,
};

sides.take(desk.task.sides);
desk.start({
  sheet,
  marks: preference,
  actions: {
    raw: () => sides.toggle("raw"),
    diff: () => sides.toggle("diff"),
    facts: () => facts.toggle(),
  },
});
