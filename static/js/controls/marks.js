// A criterion that is answered by marks in the output, which `review-spans.js` makes; here is whether there are any, and
// that there is nothing to mark.

export const isRated = false;

export const chosen = (criterion) => criterion.querySelector(".levels input:checked");

export const isAnswered = (criterion) => chosen(criterion) !== null || criterion.querySelector("[data-span-list] li") !== null;

export const isWrong = () => false;

export const first = (criterion) => criterion.querySelector("[data-mark-open]");

export const answerOf = (criterion, value) => criterion.querySelector(`.levels input[value="${CSS.escape(value)}"]:not(:disabled)`);

export const isLow = () => false;

export const wanted = (criterion) =>
  criterion.querySelector(".levels") ? "Highlight something in the answer, or say that there is nothing to mark." : "Highlight something in the answer.";

export const read = (criterion) => (chosen(criterion) ? { scores: "na" } : {});

export const write = (criterion, { scores }) => {
  for (const input of criterion.querySelectorAll(".levels input")) input.checked = input.value === scores;
};

export const lock = () => {};

export const changed = () => false;
