// Active seconds on one output: a hidden tab and more than a minute without a sign of life do not count.

const IDLE = 60_000;
const SIGNS = ["pointermove", "pointerdown", "keydown", "wheel", "touchstart", "scroll"];

export class Clock {
  #counted = 0;
  #since = null;
  #lastSign = performance.now();

  constructor() {
    for (const sign of SIGNS) addEventListener(sign, () => this.#sign(), { passive: true, capture: true });
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#settle(false) : this.#sign()));
    this.restart(0);
  }

  // Begin a new output; `seconds` were counted for it before.
  restart(seconds) {
    this.#counted = seconds * 1000;
    this.#lastSign = performance.now();
    this.#since = document.hidden ? null : this.#lastSign;
  }

  get seconds() {
    this.#settle(!document.hidden);
    return Math.round(this.#counted / 100) / 10;
  }

  #sign() {
    this.#settle(!document.hidden);
    this.#lastSign = performance.now();
    if (this.#since === null && !document.hidden) this.#since = this.#lastSign;
  }

  #settle(goesOn) {
    const now = performance.now();
    if (this.#since !== null) {
      const end = Math.min(now, this.#lastSign + IDLE);
      this.#counted += Math.max(0, end - this.#since);
    }
    const idle = now > this.#lastSign + IDLE;
    this.#since = goesOn && !idle ? now : null;
  }
}
