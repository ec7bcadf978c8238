// The desk where preferences differ, by keyboard: figures give the preference as on the page that compares answers.

import { PairPreference, RankPreference } from "./preference-answer.js";
import { listenForKeys, showKeys } from "./review-keys.js";

const desk = document.querySelector("[data-desk]");
const form = desk.querySelector("[data-form]");
const later = document.querySelector("[data-later]");
const config = JSON.parse(document.getElementById("desk-config").textContent);
const keys = { on: Object.keys(config.keys).length > 0, map: config.keys };

showKeys(document, keys);
if (form) {
  const reason = form.querySelector("[name=reason]");
  const isPair = Boolean(form.querySelector("[data-choices]"));
  const preference = new (isPair ? PairPreference : RankPreference)(desk, () => {});
  preference.write(preference.read());
  // A figure gives the preference and its reason comes next, as on the desk of ratings; of a ranking once it is whole.
  const score = (value) => {
    const isGiven = preference.score(value);
    if (isGiven && !preference.missing) reason.focus();
    return isGiven;
  };
  // Out of the reason to the preference as long as that is open, else to the button.
  const goOn = () => (preference.missing ? preference.focusCurrent() : form.querySelector(".desk-submit button").focus());
  listenForKeys({
    actions: {
      submit: () => form.requestSubmit(),
      comment: () => reason.focus(),
      skip: () => later.click(),
    },
    keys,
    rubric: { score, focusCurrent: goOn, toggleReason: () => false },
  });
  // What was refused is fixed first.
  if (form.querySelector(".field-bad")) reason.focus();
  else preference.focusFirst();
}
desk.dataset.ready = "";
