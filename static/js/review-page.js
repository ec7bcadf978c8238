// The review screen: one output after another, nothing typed is ever lost.

import { Clock } from "./review-clock.js";
import { showDiff } from "./review-diff.js";
import { Facts } from "./review-facts.js";
import { listenForKeys, showKeys } from "./review-keys.js";
import { Outbox } from "./review-outbox.js";
import { Rubric } from "./review-rubric.js";
import { send } from "./review-server.js";
import { Spans } from "./review-spans.js";
import { Store } from "./review-store.js";

const DRAFT_WAIT = 1_200;
const root = document.querySelector("[data-review]");
const config = JSON.parse(document.getElementById("review-config").textContent);
const part = (name) => root.querySelector(`[data-${name}]`);
const figure = (name) => root.querySelector(`[data-progress="${name}"]`);
const form = part("form");
const keys = { on: Object.keys(config.keys).length > 0, map: config.keys };
const store = new Store(config.reviewer);
const clock = new Clock();
const skipOpener = root.querySelector("[data-open=skip]");
const correction = part("correction");
const correctionText = part("correction-text");

let task = config.task;
let ahead = null;
let draftTimer = null;
let draftRevision = task.draft_revision;
let isDirty = false;
// A draft whose answer never came: sent again as it was, so that it cannot conflict with itself.
let unanswered = null;

const rubric = new Rubric(part("rubric"), { commandKeys: keys, onChange: changed });
const facts = new Facts({
  answer: part("answer"),
  raw: part("answer-raw"),
  source: part("source"),
  legend: part("facts-legend"),
  button: part("facts"),
});
const spans = new Spans({
  rubric,
  raw: part("answer-raw"),
  bar: part("span-bar"),
  opener: part("highlight"),
  text: task.answer_text,
  showRaw: toggleRaw,
  onChange: changed,
  onPaint: () => facts.refresh(),
  say,
});
const outbox = new Outbox(store, { sent: wasSent, refused: wasRefused, waiting: isWaiting });

// State, in words

// In the page's language, as the server writes times.
const clockTime = (when) =>
  new Date(when).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });

function say(text, isBad = false) {
  const state = part("state");
  state.textContent = text;
  state.classList.toggle("saved-bad", isBad);
}

function notice(text, { tone = "bad", actions = [] } = {}) {
  const box = document.createElement("div");
  box.className = `notice notice-${tone}`;
  box.setAttribute("role", "alert");
  const line = document.createElement("p");
  line.textContent = text;
  box.append(line);
  const buttons = document.createElement("p");
  buttons.className = "buttons";
  for (const [label, act] of actions) {
    const button = document.createElement(typeof act === "string" ? "a" : "button");
    button.className = "button";
    button.textContent = label;
    if (typeof act === "string") button.href = act;
    else {
      button.type = "button";
      button.addEventListener("click", () => {
        box.remove();
        act();
      });
    }
    buttons.append(button);
  }
  if (actions.length) box.append(buttons);
  part("notices").append(box);
}

// Answers in the form

function answers() {
  const isCorrected = correction?.open && correctionText.value.trim() !== task.answer_text.trim();
  return {
    ...rubric.read(),
    ...spans.read(),
    comment: part("comment").value,
    correction: isCorrected ? correctionText.value : null,
  };
}

function fill(given) {
  rubric.write(given ?? {});
  spans.write(given?.spans);
  part("comment").value = given?.comment ?? "";
  if (correction) {
    correctionText.value = given?.correction ?? task.answer_text;
    correction.open = Boolean(given?.correction);
    followCorrection();
  }
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
  const isLocked = correction.open && correctionText.value.trim() !== task.answer_text.trim();
  rubric.lock(isLocked);
  part("locked").hidden = !isLocked;
  showDiff(part("diff"), task.answer_text, correctionText.value);
}

// Drafts: in this browser at once, on the server within two seconds

function changed() {
  isDirty = true;
  followScores();
  store.saveDraft(task.url, { answers: answers(), seconds: clock.seconds });
  if (task.revision) return;
  draftTimer ??= setTimeout(saveDraft, DRAFT_WAIT);
}

async function saveDraft({ keepalive = false } = {}) {
  clearTimeout(draftTimer);
  draftTimer = null;
  if ((!isDirty && !unanswered) || task.revision) return;
  const of = task;
  const isRepeat = Boolean(unanswered) && !keepalive;
  const body = isRepeat ? unanswered : { answers: answers(), seconds_active: clock.seconds, revision: draftRevision };
  if (!isRepeat) isDirty = false;
  const answer = await send(`${of.url}draft/`, { method: "POST", body, keepalive });
  if (of !== task) return;
  unanswered = answer.away || answer.signedOut ? body : null;
  if (answer.ok) {
    draftRevision = answer.body.draft_revision;
    if (isRepeat && isDirty) draftTimer ??= setTimeout(saveDraft, 0);
    else say(`Draft saved ${clockTime(answer.body.saved_at)}`);
    if (!answer.body.is_held) say("Draft saved; your time on this item has run out", true);
  } else if (unanswered) {
    say(answer.signedOut ? "You are signed out; your draft is kept in this browser" : "Offline: your draft is kept in this browser", true);
    draftTimer ??= setTimeout(saveDraft, 5_000);
  } else if (answer.status === 412) draftConflict(answer.body);
  else if (answer.body.error?.code === "campaign_closed") say(answer.message, true);
  else if (answer.status === 409) say("This one was submitted in another tab or went to somebody else; your text is kept in this browser", true);
  else say(answer.message ?? "The draft could not be saved; this browser keeps it", true);
}

function draftConflict(body) {
  draftRevision = body.draft_revision;
  say("Two drafts", true);
  notice("A newer draft of this was saved in another tab. Which one do you want?", {
    tone: "warning",
    actions: [
      ["Keep this one", () => ((isDirty = true), saveDraft())],
      ["Take the other", () => fill(body.draft)],
    ],
  });
}

// One output after another

function show(next) {
  task = next;
  draftRevision = next.draft_revision;
  isDirty = false;
  unanswered = null;
  part("source").innerHTML = next.source_html;
  part("source").scrollTop = 0;
  part("answer").innerHTML = next.answer_html;
  part("answer").hidden = false;
  part("answer-raw").hidden = true;
  part("raw").setAttribute("aria-pressed", "false");
  part("candidate").textContent = next.candidate;
  part("candidate").hidden = !next.candidate;
  part("notices").replaceChildren();
  facts.refresh();
  spans.show(next.answer_text);
  form.action = next.url;
  form.elements.client_id.value = next.client_id;
  form.elements.revision.value = next.revision;
  document.querySelector("[data-skip-form]").action = `${next.url}skip/`;
  document.querySelector("[data-flag-form]").action = `${next.url}flag/`;
  skipOpener?.toggleAttribute("hidden", Boolean(next.revision));
  form.hidden = false;
  part("end").hidden = true;
  // Read once, they would push every further answer down.
  root.querySelector(".review-instructions")?.removeAttribute("open");
  restore(next.answers ?? next.draft);
  progress(next.progress);
  history.replaceState(null, "", next.url);
  document.documentElement.scrollTop = 0;
  rubric.focusFirst();
  fetchAhead();
}

// A draft of this browser that is newer than the server's wins: it holds what was typed offline.
function restore(given) {
  const local = store.latestDraft(task.url);
  const serverAt = task.draft_saved_at ? Date.parse(task.draft_saved_at) : 0;
  const isLocal = Boolean(local) && local.at > serverAt + DRAFT_WAIT;
  fill(isLocal ? local.answers : given);
  clock.restart((isLocal ? local.seconds : task.draft?.seconds_active) ?? 0);
  if (isLocal) {
    say(`Draft of ${clockTime(local.at)} restored`);
    isDirty = true;
    if (!task.revision) draftTimer ??= setTimeout(saveDraft, DRAFT_WAIT);
  }
}

function progress({ mine, mine_total: most, mine_words: words, done, median_seconds: median }) {
  figure("mine").textContent = mine;
  figure("words").textContent = words;
  figure("done").textContent = done;
  figure("bar").max = most;
  figure("bar").value = mine;
  root.querySelector(".review-median").hidden = median === null;
  if (median !== null)
    figure("median").textContent =
      median < 60 ? `${Math.round(median)} s` : `${Math.floor(median / 60)} min ${Math.round(median % 60)} s`;
}

async function fetchAhead() {
  ahead = null;
  // Until the last submission is stored the server still counts it as open, and would offer it again.
  if (store.unsent.length) return;
  const of = task;
  const [, place, slot] = of.url.match(/\/reviews\/([^/]+)\/(\d+)\//);
  const answer = await send(`${config.next_url}?place=${place}&slot=${slot}`);
  if (of === task && answer.ok && !answer.body.no_work) ahead = answer.body;
}

async function goOn() {
  if (ahead) {
    const mine = Number(figure("mine").textContent) + (task.revision ? 0 : 1);
    const done = Number(figure("done").textContent) + (task.revision ? 0 : 1);
    show({ ...ahead, progress: { ...ahead.progress, mine: Math.max(mine, ahead.progress.mine), done: Math.max(done, ahead.progress.done) } });
    return;
  }
  form.hidden = true;
  skipOpener?.toggleAttribute("hidden", true);
  if (await outbox.flush()) await lookAgain();
  else cannotGoOn();
}

function cannotGoOn() {
  part("end").hidden = false;
  part("end-title").textContent = "The next one cannot be fetched yet";
  part("end-text").textContent =
    "What you submitted is kept in this browser and sent as soon as the server answers; then this goes on by itself.";
}

async function lookAgain() {
  const answer = await send(config.next_url);
  if (answer.ok && !answer.body.no_work) return show(answer.body);
  if (!answer.ok) return cannotGoOn();
  const { title, text, come_back_at: when, closing_url: closing } = answer.body.no_work;
  progress(answer.body.progress);
  part("end-closing").hidden = !closing;
  if (closing) part("end-closing").querySelector("a").href = closing;
  part("end").hidden = false;
  part("end-title").textContent = title;
  part("end-text").textContent = when ? `${text} The earliest: ${clockTime(when)}.` : text;
  part("end").querySelector(".buttons a").focus();
}

// Submitting

function submit() {
  if (form.hidden || !part("submit")) return;
  const missing = rubric.missing();
  if (missing.length) {
    rubric.showErrors(Object.fromEntries(missing.map((each) => [`scores.${each.dataset.criterion}`, [rubric.wanted(each)]])));
    rubric.focus(missing[0]);
    say(`${missing.length} still to score`, true);
    return;
  }
  clearTimeout(draftTimer);
  draftTimer = null;
  const body = {
    client_id: task.client_id,
    answers: answers(),
    seconds_active: clock.seconds,
    revision: task.revision,
  };
  say("Sending …");
  outbox.post({ url: task.url, body, at: Date.now() });
  goOn();
}

function wasSent(submission, answer) {
  store.dropDrafts(submission.url);
  say(`Saved ${clockTime(answer.body.saved_at)}`);
  if (store.unsent.length) return;
  if (form.hidden && !part("end").hidden) lookAgain();
  else if (!ahead && task.url !== submission.url) fetchAhead();
}

function wasRefused(submission, answer) {
  store.saveDraft(submission.url, { answers: submission.body.answers, seconds: submission.body.seconds_active });
  say("Not saved", true);
  if (task.url === submission.url) {
    notice(answer.message ?? "The server refused this.");
    rubric.showErrors(answer.body.error?.fields ?? {});
    form.hidden = false;
    return;
  }
  const isLost = ["lease_lost", "campaign_closed"].includes(answer.body.error?.code) || answer.status === 404;
  notice(answer.message ?? "The server refused the last one.", {
    actions: isLost ? [["See my text", submission.url]] : [["Open it again", submission.url]],
  });
}

function isWaiting({ count, signedOut }) {
  say(
    signedOut
      ? `Not sent yet (${count}): you are signed out. Sign in again in another tab; it is sent then`
      : `Not sent yet (${count}): will retry`,
    true,
  );
}

// Commands

function toggleRaw() {
  const isRaw = part("answer-raw").hidden;
  part("answer-raw").textContent = task.answer_text;
  part("answer-raw").hidden = !isRaw;
  part("answer").hidden = isRaw;
  part("raw").setAttribute("aria-pressed", String(isRaw));
  facts.refresh();
  spans.rawToggled();
}

function correct() {
  if (!correction) return;
  if (!correction.open && rubric.missing().length) {
    say("Score first, then correct: rewriting must not move the scores", true);
    rubric.focus(rubric.missing()[0]);
    return;
  }
  correction.open = true;
  correctionText.focus();
}

async function undo() {
  await saveDraft();
  if (!(await outbox.flush())) return say("Wait until the last one is sent; then it can be undone", true);
  const answer = await send(config.undo_url, { method: "POST", body: {} });
  if (answer.ok) location.assign(answer.body.url);
  else say(answer.message ?? "Nothing to undo yet", true);
}

async function flag(event) {
  event.preventDefault();
  const note = new FormData(event.target).get("note");
  const answer = await send(`${task.url}flag/`, { method: "POST", body: { note } });
  if (!answer.ok) return say(answer.message ?? "Not flagged: the server does not answer. Try again", true);
  document.getElementById("flag").close();
  event.target.reset();
  say("Flagged: the manager sees your note. The item stays yours");
}

async function skip(event) {
  event.preventDefault();
  const given = new FormData(event.target);
  const reason = given.get("reason") === "other" ? given.get("other") : given.get("reason");
  const answer = await send(`${task.url}skip/`, { method: "POST", body: { reason } });
  if (!answer.ok) return say(answer.message ?? "Not skipped: the server does not answer. Try again", true);
  document.getElementById("skip").close();
  store.dropDrafts(task.url);
  say("Skipped");
  ahead = null;
  form.hidden = true;
  await lookAgain();
}

const open = (name) => !document.getElementById(name).open && document.getElementById(name).showModal();
const actions = {
  submit,
  undo,
  raw: toggleRaw,
  facts: () => facts.toggle(),
  correct,
  not_applicable: () => rubric.score("na") || say("This criterion has no “not applicable”", true),
  comment: () => part("comment").focus(),
  highlight: () => spans.enter(),
  flag: () => open("flag"),
  skip: () => !task.revision && open("skip"),
  help: () => open("keys"),
};

function start() {
  for (const opener of root.querySelectorAll("[data-open]")) {
    opener.hidden = false;
    opener.addEventListener("click", (event) => {
      event.preventDefault();
      open(opener.dataset.open);
    });
  }
  form.noValidate = true;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  part("comment").addEventListener("input", changed);
  part("raw").hidden = false;
  part("raw").addEventListener("click", toggleRaw);
  part("undo").addEventListener("click", (event) => {
    event.preventDefault();
    undo();
  });
  part("again").addEventListener("click", lookAgain);
  document.querySelector("[data-skip-form]").addEventListener("submit", skip);
  document.querySelector("[data-flag-form]").addEventListener("submit", flag);
  if (correction) {
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
      correctionText.value = task.answer_text;
      correction.open = false;
      followCorrection();
      changed();
      rubric.focusFirst();
    });
  }
  const keySwitch = document.querySelector("[data-keys-switch]");
  keySwitch.checked = keys.on;
  keySwitch.addEventListener("change", async () => {
    const answer = await send(config.keys_url, { method: "POST", body: { enabled: keySwitch.checked } });
    if (!answer.ok) return say("The keys could not be switched; try again", true);
    keys.on = keySwitch.checked;
    if (keys.on)
      for (const each of document.querySelectorAll("[data-listed-key]"))
        keys.map[each.dataset.listedKey] = each.textContent;
    showKeys(document, keys);
  });
  document.addEventListener("visibilitychange", () => document.hidden && saveDraft({ keepalive: true }));
  addEventListener("pagehide", () => saveDraft({ keepalive: true }));
  listenForKeys({ actions, keys, rubric });
  showKeys(document, keys);
  if (!root.querySelector(".notice-bad")) restore(task.answers ?? task.draft);
  history.replaceState(null, "", task.url);
  followScores();
  root.dataset.ready = "";
  rubric.focusFirst();
  if (store.unsent.length) outbox.flush();
  if (part("submit")) fetchAhead();
}

start();
