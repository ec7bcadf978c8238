// Submissions on their way. Each keeps its id until the server has answered, so that repeating it is
// harmless; what cannot be sent yet waits here, also over a reload.

import { send } from "./review-server.js";

const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 30_000;
const CARRIED_ON = 20_000;

export class Outbox {
  #store;
  #on;
  #wait = FIRST_WAIT;
  #timer = null;
  #sending = null;

  // `on.sent(submission, answer)`, `on.refused(submission, answer)`, `on.waiting({count, signedOut})`.
  constructor(store, on) {
    this.#store = store;
    this.#on = on;
    addEventListener("online", () => this.flush());
    addEventListener("focus", () => this.#timer && this.flush());
  }

  post(submission) {
    this.#store.addUnsent(submission);
    return this.flush();
  }

  // True once nothing is left to send.
  flush() {
    this.#sending ??= this.#flush().finally(() => (this.#sending = null));
    return this.#sending;
  }

  async #flush() {
    clearTimeout(this.#timer);
    this.#timer = null;
    // Read anew each time: another may be added while one is under way.
    for (let submission; (submission = this.#store.unsent[0]); ) {
      // So that it arrives also when the page is left at once; browsers carry little in that way.
      const keepalive = JSON.stringify(submission.body).length < CARRIED_ON;
      const address = `${submission.url}${submission.query ?? ""}`;
      const answer = await send(address, { method: "POST", body: submission.body, keepalive });
      if (answer.away || answer.signedOut) {
        this.#on.waiting({ count: this.#store.unsent.length, signedOut: Boolean(answer.signedOut) });
        this.#timer = setTimeout(() => this.flush(), this.#wait);
        this.#wait = Math.min(LONGEST_WAIT, this.#wait * 2);
        return false;
      }
      this.#wait = FIRST_WAIT;
      this.#store.dropUnsent(submission);
      if (answer.ok) this.#on.sent(submission, answer);
      else this.#on.refused(submission, answer);
    }
    return true;
  }
}
