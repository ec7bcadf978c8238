// The adjudicator's desk by keyboard: a figure decides the marked criterion, then its reason is written.

import { listenForKeys, showKeys } from "./review-keys.js";
import { Rubric } from "./review-rubric.js";

const desk = document.querySelector("[data-desk]");
const form = desk.querySelector("[data-form]");
const later = document.querySelector("[data-later]");
const config = JSON.parse(document.getElementById("desk-config").textContent);
const keys = { on: Object.keys(config.keys).length > 0, map: config.keys };

showKeys(document, keys);
if (form) {
  const rubric = new Rubric(form.querySelector("[data-rubric]"), { commandKeys: keys, onChange: () => {} });
  const reasonOf = (criterion) => criterion?.closest("[data-decision]")?.querySelector("textarea");

  // Reasons stand among the criteria and belong to none of the rubric's fields.
  for (const field of form.querySelectorAll("[data-decision] textarea")) {
    for (const kind of ["input", "change"]) field.addEventListener(kind, (event) => event.stopPropagation());
  }

  // A figure moves on in the review screen; here the reason comes first.
  const decide = (value) => {
    const criterion = rubric.current;
    const isScored = Boolean(criterion) && rubric.score(value);
    if (isScored) reasonOf(criterion)?.focus();
    return isScored;
  };

  // A number is ended by Enter, and its reason comes next.
  const endNumber = (event) => {
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey || event.target.type !== "number") return;
    event.preventDefault();
    event.stopPropagation();
    reasonOf(event.target)?.focus();
  };
  form.addEventListener("keydown", endNumber, true);

  // Out of a reason to the first criterion that is still open, else to the button.
  const goOn = () => {
    const open = rubric.criteria.find((each) => !rubric.isAnswered(each));
    if (open) rubric.focus(open);
    else form.querySelector(".desk-submit button").focus();
  };

  listenForKeys({
    actions: {
      submit: () => form.requestSubmit(),
      not_applicable: () => decide("na"),
      comment: () => reasonOf(rubric.current)?.focus(),
      skip: () => later.click(),
    },
    keys,
    rubric: { score: decide, focusCurrent: goOn, toggleReason: () => false },
  });
  // What was refused is fixed first: typed elsewhere, its words would be keys.
  const refused = form.querySelector(".field-bad");
  if (!refused) rubric.focusFirst();
  else if (refused.matches("[data-criterion]")) rubric.focus(refused);
  else refused.querySelector("textarea").focus();
}
desk.dataset.ready = "";
