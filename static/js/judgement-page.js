// The screen of comparisons: one after another, nothing chosen or typed is ever lost. It keeps drafts and
// sends submissions as the review screen does, over the same outbox, store and clock.

import { Sides } from "./judgement-sides.js";
import { PairVerdict, RankVerdict } from "./judgement-verdict.js";
import { Clock } from "./review-clock.js";
import { Facts } from "./review-facts.js";
import { listenForKeys, showKeys } from "./review-keys.js";
import { Outbox } from "./review-outbox.js";
import { send } from "./review-server.js";
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

let task = config.task;
let ahead = null;
let draftTimer = null;
let draftRevision = task.draft_revision;
let isDirty = false;
// A draft whose answer never came: sent again as it was, so that it cannot conflict with itself.
let unanswered = null;

const verdict = new (config.is_ranking ? RankVerdict : PairVerdict)(form, changed);
// Raw texts and differences stand beside the answers, so that there is no other element to look into.
const facts = new Facts({
  answer: part("sides"),
  raw: Object.assign(document.createElement("pre"), { hidden: true }),
  source: part("source"),
  legend: part("facts-legend"),
  button: part("facts"),
});
const sides = new Sides(root, { onView: () => facts.refresh() });
const outbox = new Outbox(store, { sent: wasSent, refused: wasRefused, waiting: isWaiting });

// State, in words

const clockTime = (when) =>
  new Date(when).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });

function say(text, isBad = false) {
  const state = part("state");
  state.textContent = text;
  state.classList.toggle("saved-bad", isBad);
}

function notice(text, { tone = "bad", actions: offered = [] } = {}) {
  const box = document.createElement("div");
  box.className = `notice notice-${tone}`;
  box.setAttribute("role", "alert");
  const line = document.createElement("p");
  line.textContent = text;
  const buttons = document.createElement("p");
  buttons.className = "buttons";
  for (const [label, act] of offered) {
    const isLink = typeof act === "string";
    const button = document.createElement(isLink ? "a" : "button");
    button.className = "button";
    button.textContent = label;
    if (isLink) button.href = act;
    else {
      button.type = "button";
      button.addEventListener("click", () => {
        box.remove();
        act();
      });
    }
    buttons.append(button);
  }
  box.append(line, ...(offered.length ? [buttons] : []));
  part("notices").append(box);
}

// The verdict, and drafts of it: in this browser at once, on the server within two seconds

const answers = () => ({ ...verdict.read(), comment: part("comment").value });

function fill(given) {
  verdict.write(given ?? {});
  part("comment").value = given?.comment ?? "";
}

function changed() {
  isDirty = true;
  store.saveDraft(task.url, { answers: answers(), seconds: clock.seconds });
  if (!task.revision) draftTimer ??= setTimeout(saveDraft, DRAFT_WAIT);
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
  else if (answer.status === 409 && answer.body.error?.code !== "campaign_closed")
    say("This one was submitted in another tab or went to somebody else; your draft is kept in this browser", true);
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

// A draft of this browser that is newer than the server's wins: it holds what was chosen offline.
function restore(given) {
  const local = store.latestDraft(task.url);
  const serverAt = task.draft_saved_at ? Date.parse(task.draft_saved_at) : 0;
  const isLocal = Boolean(local) && local.at > serverAt + DRAFT_WAIT;
  fill(isLocal ? local.answers : given);
  clock.restart((isLocal ? local.seconds : task.draft_seconds) ?? 0);
  if (!isLocal) return;
  say(`Draft of ${clockTime(local.at)} restored`);
  isDirty = true;
  if (!task.revision) draftTimer ??= setTimeout(saveDraft, DRAFT_WAIT);
}

// One comparison after another

function show(next) {
  task = next;
  draftRevision = next.draft_revision;
  isDirty = false;
  unanswered = null;
  part("source").innerHTML = next.source_html;
  part("notices").replaceChildren();
  sides.fill(next.sides);
  form.action = next.url;
  form.elements.client_id.value = next.client_id;
  form.elements.revision.value = next.revision;
  document.querySelector("[data-skip-form]").action = `${next.url}skip/`;
  skipOpener?.toggleAttribute("hidden", Boolean(next.revision));
  form.hidden = false;
  part("end").hidden = true;
  root.querySelector(".review-instructions")?.removeAttribute("open");
  restore(next.answers ?? next.draft);
  progress(next.progress);
  history.replaceState(null, "", next.url);
  document.documentElement.scrollTop = 0;
  verdict.focusFirst();
  fetchAhead();
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
  const [, place, slot] = of.url.match(/\/judgements\/([^/]+)\/(\d+)\//);
  const answer = await send(`${config.next_url}?place=${place}&slot=${slot}`);
  if (of === task && answer.ok && !answer.body.no_work) ahead = answer.body;
}

async function goOn() {
  if (ahead) {
    const own = task.revision ? 0 : 1;
    const mine = Math.max(Number(figure("mine").textContent) + own, ahead.progress.mine);
    const done = Math.max(Number(figure("done").textContent) + own, ahead.progress.done);
    show({ ...ahead, progress: { ...ahead.progress, mine, done } });
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
  const { title, text, come_back_at: when } = answer.body.no_work;
  progress(answer.body.progress);
  part("end").hidden = false;
  part("end-title").textContent = title;
  part("end-text").textContent = when ? `${text} The earliest: ${clockTime(when)}.` : text;
  part("end").querySelector("a").focus();
}

// Submitting

function submit() {
  if (form.hidden || !part("submit")) return;
  if (verdict.missing) {
    verdict.showErrors({ choice: [`${verdict.missing}.`] });
    verdict.focusFirst();
    say(verdict.missing, true);
    return;
  }
  clearTimeout(draftTimer);
  draftTimer = null;
  const body = { client_id: task.client_id, answers: answers(), seconds_active: clock.seconds, revision: task.revision };
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
    verdict.showErrors(answer.body.error?.fields ?? {});
    form.hidden = false;
    return;
  }
  const isLost = ["lease_lost", "campaign_closed"].includes(answer.body.error?.code) || answer.status === 404;
  notice(answer.message ?? "The server refused the last one.", {
    actions: [[isLost ? "See what I chose" : "Open it again", submission.url]],
  });
}

function isWaiting({ count, signedOut }) {
  const why = signedOut ? "you are signed out. Sign in again in another tab; it is sent then" : "will retry";
  say(`Not sent yet (${count}): ${why}`, true);
}

// Commands

async function undo() {
  await saveDraft();
  if (!(await outbox.flush())) return say("Wait until the last one is sent; then it can be undone", true);
  const answer = await send(config.undo_url, { method: "POST", body: {} });
  if (answer.ok) location.assign(answer.body.url);
  else say(answer.message ?? "Nothing to undo yet", true);
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
  raw: () => sides.toggle("raw"),
  diff: () => sides.toggle("diff"),
  facts: () => facts.toggle(),
  comment: () => part("comment").focus(),
  skip: () => !task.revision && open("skip"),
  help: () => open("keys"),
};

async function switchKeys(event) {
  const answer = await send(config.keys_url, { method: "POST", body: { enabled: event.target.checked } });
  if (!answer.ok) return say("The keys could not be switched; try again", true);
  keys.on = event.target.checked;
  if (keys.on)
    for (const each of document.querySelectorAll("[data-listed-key]"))
      keys.map[each.dataset.listedKey] = each.textContent;
  showKeys(document, keys);
}

function start() {
  for (const opener of root.querySelectorAll("[data-open]")) {
    opener.hidden = false;
    opener.addEventListener("click", (event) => {
      event.preventDefault();
      open(opener.dataset.open);
    });
  }
  // Only a first submission can be skipped.
  skipOpener?.toggleAttribute("hidden", Boolean(task.revision));
  form.noValidate = true;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  part("comment").addEventListener("input", changed);
  part("undo").addEventListener("click", (event) => {
    event.preventDefault();
    undo();
  });
  part("again").addEventListener("click", lookAgain);
  document.querySelector("[data-skip-form]").addEventListener("submit", skip);
  const keySwitch = document.querySelector("[data-keys-switch]");
  keySwitch.checked = keys.on;
  keySwitch.addEventListener("change", switchKeys);
  document.addEventListener("visibilitychange", () => document.hidden && saveDraft({ keepalive: true }));
  addEventListener("pagehide", () => saveDraft({ keepalive: true }));
  listenForKeys({ actions, keys, rubric: verdict });
  showKeys(document, keys);
  sides.take(task.sides);
  if (!root.querySelector(".notice-bad")) restore(task.answers ?? task.draft);
  history.replaceState(null, "", task.url);
  root.dataset.ready = "";
  verdict.focusFirst();
  if (store.unsent.length) outbox.flush();
  if (part("submit")) fetchAhead();
}

start();
