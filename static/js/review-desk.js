// A reviewer's desk: one task after another, drafts, submissions on their way, skip, undo and keys. What lies on it
// (a rubric beside an answer, or answers side by side) is the page's own, behind `sheet`.

import { Clock } from "./review-clock.js";
import { Drafts } from "./review-drafts.js";
import { listenForKeys, showKeys } from "./review-keys.js";
import { Outbox } from "./review-outbox.js";
import { send } from "./review-server.js";
import { clockTime, comesBack, Status } from "./review-status.js";
import { Store } from "./review-store.js";

const TAKEN_OFF = "You were removed from this campaign";

export const openDialog = (name) => !document.getElementById(name).open && document.getElementById(name).showModal();

function assignmentIn(url) {
  const [, assignment, slot] = url.match(/\/([^/]+)\/(\d+)\/$/);
  return `assignment=${assignment}&slot=${slot}`;
}

export class Desk {
  #config = JSON.parse(document.getElementById("review-config").textContent);
  #root;
  #sheet;
  #ahead = null;
  #isOver = false;
  #marks;
  #clock = new Clock();
  #store = new Store(this.#config.reviewer);
  #drafts;
  #outbox;

  constructor(root) {
    this.#root = root;
    this.status = new Status(root);
    this.task = this.#config.task;
    this.keys = { on: Object.keys(this.#config.keys).length > 0, map: this.#config.keys };
    this.#outbox = new Outbox(this.#store, {
      sent: (...given) => this.#wasSent(...given),
      refused: (...given) => this.#wasRefused(...given),
      waiting: (...given) => this.#isWaiting(...given),
    });
  }

  get config() {
    return this.#config;
  }

  part = (name) => this.status.part(name);
  say = (text, isBad) => this.status.say(text, isBad);
  changed = () => {
    this.status.sayLacking("");
    this.#drafts.changed();
  };

  // `sheet`: read() and write(answers); paint(task); shortcoming() → words for what is missing, shown, or "";
  // showErrors(fields); inWords(answers) → them as text to copy. `marks` is what figures and reasons are typed into: see review-keys.js.
  start({ sheet, marks, actions }) {
    this.#marks = marks;
    this.#sheet = { focusFirst: () => marks.focusFirst(), ...sheet };
    this.#drafts = new Drafts({ store: this.#store, clock: this.#clock, status: this.status, sheet });
    this.#drafts.begin(this.task);
    this.#listen();
    listenForKeys({
      actions: {
        submit: () => this.#submit(),
        undo: () => this.#undo(),
        comment: () => this.part("comment").focus(),
        skip: () => !this.task.revision && openDialog("skip"),
        flag: () => openDialog("flag"),
        help: () => openDialog("keys"),
        ...actions,
      },
      keys: this.keys,
      rubric: marks,
      isIdle: () => this.#form.hidden,
    });
    showKeys(document, this.keys);
    if (!this.#root.querySelector(".notice-bad")) this.#drafts.restore();
    history.replaceState(null, "", this.task.url);
    this.#root.dataset.ready = "";
    this.#sheet.focusFirst();
    if (this.#store.unsent.length) this.#outbox.flush();
    if (this.part("submit")) this.#fetchAhead();
  }

  #listen() {
    for (const opener of this.#root.querySelectorAll("[data-open]")) {
      opener.hidden = false;
      opener.addEventListener("click", (event) => {
        event.preventDefault();
        openDialog(opener.dataset.open);
      });
    }
    this.#offerSkip(!this.task.revision);
    this.#form.noValidate = true;
    const acts = (target, kind, act) =>
      target.addEventListener(kind, (event) => {
        event.preventDefault();
        act(event);
      });
    acts(this.#form, "submit", () => this.#submit());
    acts(this.part("undo"), "click", () => this.#undo());
    acts(document.querySelector("[data-skip-form]"), "submit", (event) => this.#skip(event.target));
    acts(document.querySelector("[data-flag-form]"), "submit", (event) => this.#flag(event.target));
    this.part("comment").addEventListener("input", this.changed);
    this.part("again").addEventListener("click", () => this.#lookAgain());
    const keySwitch = document.querySelector("[data-keys-switch]");
    keySwitch.checked = this.keys.on;
    keySwitch.addEventListener("change", () => this.#switchKeys(keySwitch));
    const leave = () => this.#drafts.save({ keepalive: true });
    document.addEventListener("visibilitychange", () => document.hidden && leave());
    addEventListener("pagehide", leave);
  }

  get #form() {
    return this.part("form");
  }

  // Only a first submission can be skipped.
  #offerSkip(isOffered) {
    this.#root.querySelector("[data-open=skip]")?.toggleAttribute("hidden", !isOffered);
  }

  // One task after another

  #show(next) {
    this.task = next;
    this.#drafts.begin(next);
    this.part("source").innerHTML = next.source_html;
    this.status.dropNotices();
    this.status.sayLacking("");
    this.#form.action = next.url;
    this.#form.elements.client_id.value = next.client_id;
    this.#form.elements.revision.value = next.revision;
    document.querySelector("[data-skip-form]").action = `${next.url}skip/`;
    document.querySelector("[data-flag-form]").action = `${next.url}flag/`;
    this.#offerSkip(!next.revision);
    this.part("submit-label").textContent = next.revision ? "Submit the change" : "Submit and next";
    this.#sheet.paint(next);
    this.#form.hidden = false;
    this.part("end").hidden = true;
    // Read once, they would push every further answer down.
    this.#root.querySelector(".review-instructions")?.removeAttribute("open");
    this.#drafts.restore();
    this.status.progress(next.progress);
    history.replaceState(null, "", next.url);
    for (const each of [document.documentElement, ...this.#root.querySelectorAll(".pane")]) each.scrollTop = 0;
    this.#sheet.focusFirst();
    this.#fetchAhead();
  }

  async #fetchAhead() {
    this.#ahead = null;
    // Until the last submission is stored the server still counts it as open, and would offer it again.
    if (this.#store.unsent.length) return;
    const of = this.task;
    const answer = await send(`${this.#config.next_url}?${assignmentIn(of.url)}`);
    if (of === this.task && answer.ok && !answer.body.no_work) this.#ahead = answer.body;
  }

  async #goOn() {
    if (this.#ahead) {
      const own = this.task.revision ? 0 : 1;
      const mine = Math.max(this.status.mine + own, this.#ahead.progress.mine);
      const done = Math.max(this.status.done + own, this.#ahead.progress.done);
      return this.#show({ ...this.#ahead, progress: { ...this.#ahead.progress, mine, done } });
    }
    this.#form.hidden = true;
    this.#offerSkip(false);
    const isSent = await this.#outbox.flush();
    // A refusal has brought it back, with what was wrong.
    if (!this.#form.hidden || this.#isOver) return;
    if (isSent) await this.#lookAgain();
    else this.#cannotGoOn();
  }

  #end(title, text) {
    this.part("end").hidden = false;
    this.part("end-title").textContent = title;
    this.part("end-text").textContent = text;
  }

  #cannotGoOn() {
    this.#end(
      "The next item cannot be loaded yet",
      "Your review is kept in this browser and sent as soon as the server answers; then the next item loads by itself.",
    );
  }

  async #lookAgain() {
    const answer = await send(this.#config.next_url);
    if (answer.ok && !answer.body.no_work) return this.#show(answer.body);
    if (answer.body?.error?.code === "taken_off") return this.#end(TAKEN_OFF, answer.message);
    if (!answer.ok) return this.#cannotGoOn();
    const { title, text, come_back_at: when, closing_url: closing } = answer.body.no_work;
    this.status.progress(answer.body.progress);
    const closingLine = this.part("end-closing");
    if (closingLine) closingLine.hidden = !closing;
    if (closing) closingLine.querySelector("a").href = closing;
    this.#end(title, when ? `${text} ${comesBack(new Date(when))}` : text);
    this.part("end").querySelector(".buttons a").focus();
  }

  // Submitting

  #submit() {
    if (this.#form.hidden || !this.part("submit")) return;
    const shortcoming = this.#sheet.shortcoming();
    this.status.sayLacking(shortcoming || "");
    if (shortcoming) return;
    this.#drafts.stop();
    const { url, client_id, revision } = this.task;
    const body = { client_id, answers: this.#sheet.read(), seconds_active: this.#clock.seconds, revision };
    // Its answer brings what comes after the task that is shown meanwhile.
    const showing = this.#ahead?.url;
    this.say("");
    this.status.sayUnsent("Sending …");
    this.#outbox.post({ url, query: showing && `?ahead&${assignmentIn(showing)}`, showing, body, at: Date.now() });
    this.#goOn();
  }

  #wasSent(submission, answer) {
    this.#store.dropDrafts(submission.url);
    if (this.task.url === submission.url) this.status.dropNotices("[data-of-task]");
    this.say(`Saved ${clockTime(answer.body.saved_at)}`);
    if (this.#store.unsent.length) return;
    this.status.sayUnsent("");
    if (this.#form.hidden && !this.part("end").hidden) this.#lookAgain();
    else if (this.task.url === submission.showing && answer.body.ahead !== undefined) {
      this.#ahead = answer.body.ahead;
      if (answer.body.is_shown_taken) this.#goPastLost();
    } else if (!this.#ahead && this.task.url !== submission.url) this.#fetchAhead();
  }

  // What was fetched ahead went to somebody who had nothing, before it was shown.
  #goPastLost() {
    this.#drafts.stop();
    this.say("That item was given to a reviewer without any");
    if (this.#ahead) return this.#show(this.#ahead);
    this.#form.hidden = true;
    this.#offerSkip(false);
    return this.#lookAgain();
  }

  #wasRefused(submission, answer) {
    this.#store.saveDraft(submission.url, { answers: submission.body.answers, seconds: submission.body.seconds_active });
    if (!this.#store.unsent.length) this.status.sayUnsent("");
    this.say("Not saved", true);
    if (answer.body.error?.code === "taken_off") return this.#takenOff(answer.message, submission);
    if (this.task.url === submission.url) {
      this.status.dropNotices("[data-of-task=refusal]");
      this.status.notice(answer.message ?? "The server refused the review.", { ofTask: "refusal" });
      this.#sheet.showErrors(answer.body.error?.fields ?? {});
      this.#form.hidden = false;
      this.part("end").hidden = true;
      return;
    }
    // Its address shows nothing any more: what was given stands here.
    const given = answer.status === 404 ? this.#sheet.inWords(submission.body.answers) : "";
    const isLost = ["lease_lost", "campaign_closed"].includes(answer.body.error?.code);
    this.status.notice(answer.message ?? "The server refused the last review.", {
      actions: given ? [] : [[isLost ? "See my answers" : "Open item", submission.url]],
      given,
    });
  }

  // Nothing more comes from this campaign, also not what was fetched ahead.
  #takenOff(message, { url, body }) {
    if (!this.#isOver) this.status.dropNotices();
    const begun = this.task.url === url || this.#form.hidden ? "" : this.#sheet.inWords(this.#sheet.read());
    const given = [this.#sheet.inWords(body.answers), begun].filter(Boolean).join("\n\n");
    this.#isOver = true;
    this.#ahead = null;
    this.#drafts.stop();
    this.#form.hidden = true;
    this.#offerSkip(false);
    this.status.notice("Your last review was not counted. Your answers are kept.", { given });
    this.#end(TAKEN_OFF, message);
  }

  #isWaiting({ count, signedOut }) {
    const why = signedOut ? "you are signed out. Sign in again in another tab; it is sent then" : "will retry";
    this.status.sayUnsent(`Not sent yet (${count}): ${why}`, true);
  }

  // Commands

  async #undo() {
    await this.#drafts.save();
    if (!(await this.#outbox.flush())) return this.say("The last review is still being sent; undo it afterwards", true);
    const answer = await send(this.#config.undo_url, { method: "POST", body: {} });
    if (answer.ok) location.assign(answer.body.url);
    else this.say(answer.message ?? "Nothing to undo yet", true);
  }

  async #skip(form) {
    const given = new FormData(form);
    const reason = given.get("reason") === "other" ? given.get("other") : given.get("reason");
    const answer = await send(`${this.task.url}skip/`, { method: "POST", body: { reason } });
    if (!answer.ok) return this.say(answer.message ?? "Not skipped: the server does not answer. Try again", true);
    document.getElementById("skip").close();
    this.#drafts.stop();
    this.#store.dropDrafts(this.task.url);
    this.say("Skipped");
    this.#ahead = null;
    this.#form.hidden = true;
    await this.#lookAgain();
  }

  async #flag(form) {
    const note = new FormData(form).get("note");
    const answer = await send(`${this.task.url}flag/`, { method: "POST", body: { note } });
    if (!answer.ok) return this.say(answer.message ?? "Not flagged: the server does not answer. Try again", true);
    document.getElementById("flag").close();
    form.reset();
    this.say("Flagged: the manager sees your note. The item stays assigned to you");
  }

  // At once here; the server keeps it for the next page, and if it cannot the switch goes back.
  async #switchKeys(keySwitch) {
    const isOn = keySwitch.checked;
    this.#setKeys(isOn);
    const answer = await send(this.#config.keys_url, { method: "POST", body: { enabled: isOn } });
    if (answer.ok || keySwitch.checked !== isOn) return;
    keySwitch.checked = !isOn;
    this.#setKeys(!isOn);
    this.say("The shortcuts could not be switched; try again", true);
  }

  #setKeys(isOn) {
    this.keys.on = isOn;
    if (isOn)
      for (const each of document.querySelectorAll("[data-listed-key]"))
        this.keys.map[each.dataset.listedKey] = each.textContent;
    showKeys(document, this.keys);
    this.#marks.keysSwitched?.();
  }
}
