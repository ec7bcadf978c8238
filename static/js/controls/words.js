// A criterion that is answered in words.

export const isRated = false;

export const chosen = () => null;

export const first = (criterion) => criterion.querySelector("textarea");

export const isAnswered = (criterion) => first(criterion).value.trim() !== "";

export const isWrong = () => false;

export const answerOf = () => null;

export const isLow = () => false;

export const wanted = () => "Write a few words.";

export const read = (criterion) => (isAnswered(criterion) ? { texts: first(criterion).value } : {});

export const write = (criterion, { texts }) => (first(criterion).value = texts ?? "");

export const lock = () => {};

export const changed = () => false;
