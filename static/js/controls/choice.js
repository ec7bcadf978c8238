// A criterion that is answered by choosing one of its levels.

export const isRated = true;

export const chosen = (criterion) => criterion.querySelector(".levels input:checked");

export const isAnswered = (criterion) => chosen(criterion) !== null;

export const isWrong = () => false;

// Where a person begins to answer.
export const first = (criterion) => criterion.querySelector("input[type=radio]");

// What is answered by a key; null where it is typed.
export const answerOf = (criterion, value) =>
  [...criterion.querySelectorAll(".levels input:not(:disabled)")].find((each) => each.value === value) ?? null;

export const isLow = (criterion) => Boolean(chosen(criterion)?.closest(".level-low"));

export const wanted = () => "Choose an answer.";

export const read = (criterion) => {
  const given = chosen(criterion)?.value;
  return given === undefined ? {} : { scores: given === "na" ? "na" : Number(given) };
};

export const write = (criterion, { scores }) => {
  for (const input of criterion.querySelectorAll(".levels input")) input.checked = input.value === String(scores ?? "");
};

export const lock = () => {};

// True when a change settles the answer, so that reasons and other questions can follow it.
export const changed = (criterion, event) => event.target.type === "radio";
