// Drafts of the task on the screen: in this browser at once, on the server within two seconds.

import { send } from "./review-server.js";
import { clockTime } from "./review-status.js";

const WAIT = 1_200;
const RETRY = 5_000;

export class Drafts {
  #store;
  #clock;
  #status;
  #sheet;
  #task;
  #timer = null;
  #revision = 0;
  #isDirty = false;
  // A draft whose answer never came: sent again as it was, so that it cannot conflict with itself.
  #unanswered = null;

  // `sheet.read()` gives the answers on the screen, `sheet.write(answers)` puts them there.
  constructor({ store, clock, status, sheet }) {
    this.#store = store;
    this.#clock = clock;
    this.#status = status;
    this.#sheet = sheet;
  }

  begin(task) {
    this.stop();
    this.#task = task;
    this.#revision = task.draft_revision;
    this.#isDirty = false;
    this.#unanswered = null;
  }

  changed() {
    this.#isDirty = true;
    this.#store.saveDraft(this.#task.url, { answers: this.#sheet.read(), seconds: this.#clock.seconds });
    this.#later(WAIT);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  // What was submitted once has no draft on the server; the browser keeps it alone.
  #later(wait) {
    if (!this.#task.revision) this.#timer ??= setTimeout(() => this.save(), wait);
  }

  async save({ keepalive = false } = {}) {
    this.stop();
    const of = this.#task;
    if ((!this.#isDirty && !this.#unanswered) || of.revision) return;
    const isRepeat = Boolean(this.#unanswered) && !keepalive;
    const body = isRepeat
      ? this.#unanswered
      : { answers: this.#sheet.read(), seconds_active: this.#clock.seconds, revision: this.#revision };
    if (!isRepeat) this.#isDirty = false;
    const answer = await send(`${of.url}draft/`, { method: "POST", body, keepalive });
    if (of !== this.#task) return;
    this.#unanswered = answer.away || answer.signedOut ? body : null;
    if (answer.ok) this.#kept(answer.body, isRepeat);
    else this.#notKept(answer);
  }

  #kept({ draft_revision: revision, saved_at: at, is_claimed: isClaimed }, isRepeat) {
    this.#revision = revision;
    if (isRepeat && this.#isDirty) this.#later(0);
    else this.#status.say(`Draft saved ${clockTime(at)}`);
    if (!isClaimed) this.#status.say("Draft saved, but the item is no longer reserved for you", true);
  }

  #notKept(answer) {
    const say = (text) => this.#status.say(text, true);
    if (this.#unanswered) {
      say(answer.signedOut ? "You are signed out; your draft is kept in this browser. Sign in again in another tab" : "Offline: your draft is kept in this browser");
      this.#later(RETRY);
    } else if (answer.status === 412) this.#conflict(answer.body);
    else if (answer.status === 409 && answer.body.error?.code !== "campaign_closed")
      say("This item was submitted in another tab or given to another reviewer; your draft is kept in this browser");
    else say(answer.message ?? "The draft could not be saved; it is kept in this browser");
  }

  #conflict({ draft, draft_revision: revision }) {
    this.#revision = revision;
    this.#status.say("Two drafts", true);
    this.#status.notice("A newer draft of this item was saved in another tab. Which one do you want to keep?", {
      tone: "warning",
      actions: [
        ["Keep this one", () => ((this.#isDirty = true), this.save())],
        ["Use the other", () => this.#sheet.write(draft)],
      ],
    });
  }

  // A draft of this browser that is newer than the server's wins: it holds what was given offline.
  restore() {
    const { url, answers, draft, draft_saved_at: savedAt, draft_seconds: seconds } = this.#task;
    const local = this.#store.latestDraft(url);
    const isLocal = Boolean(local) && local.at > (savedAt ? Date.parse(savedAt) : 0) + WAIT;
    this.#sheet.write(isLocal ? local.answers : (answers ?? draft));
    this.#clock.restart((isLocal ? local.seconds : seconds) ?? 0);
    if (!isLocal) return;
    this.#status.say(`Draft of ${clockTime(local.at)} restored`);
    this.#isDirty = true;
    this.#later(WAIT);
  }
}
