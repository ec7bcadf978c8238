// A criterion that is answered by typing a number.

export const isRated = true;

const field = (criterion) => criterion.querySelector(".levels input[type=number]");

export const chosen = (criterion) => criterion.querySelector(".levels input:checked") ?? (field(criterion).value ? field(criterion) : null);

export const isAnswered = (criterion) => chosen(criterion) !== null;

export const isWrong = (criterion) => !field(criterion).validity.valid;

export const first = field;

// The figure goes into the field, as the first of the number.
export const answerOf = (criterion, value, isLocked) => {
  if (value === "na") return criterion.querySelector('.levels input[value="na"]:not(:disabled)');
  if (!isLocked && document.activeElement !== field(criterion)) field(criterion).select();
  return null;
};

export const isLow = (criterion) => {
  const { low } = criterion.querySelector("[data-low]").dataset;
  const given = chosen(criterion);
  return low !== "" && given?.type === "number" && Number(given.value) <= Number(low);
};

export const wanted = (criterion) => {
  const { min, max, dataset } = field(criterion);
  return `Type a ${dataset.called} from ${min} to ${max}.`;
};

export const read = (criterion) => {
  const given = chosen(criterion)?.value;
  return given === undefined ? {} : { scores: given === "na" ? "na" : Number(given) };
};

export const write = (criterion, { scores }) => {
  for (const input of criterion.querySelectorAll(".levels input"))
    if (input.type === "number") input.value = scores === "na" ? "" : (scores ?? "");
    else input.checked = input.value === scores;
  written(criterion);
};

export const lock = (criterion, isLocked) => (field(criterion).readOnly = isLocked);

// A number may be half typed; its reasons are asked for once it is left.
export const changed = (criterion, event) => {
  if (event.target.closest(".levels")) {
    if (event.target === field(criterion)) {
      if (field(criterion).value) for (const other of criterion.querySelectorAll(".levels input:checked")) other.checked = false;
    } else if (event.target.checked) field(criterion).value = "";
    if (event.type === "change") {
      written(criterion);
      return true;
    }
  }
  return false;
};

export const written = (criterion) => criterion.toggleAttribute("data-high", !isLow(criterion));
