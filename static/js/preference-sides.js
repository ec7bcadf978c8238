// The answers side by side: as they read, as raw text, or with what differs between two of them.

import { diffWords } from "./review-diff.js";

const TAG_OF = { same: "span", cut: "del", new: "ins" };

export class Sides {
  #sides = [];
  #shows = "text";

  constructor(root, { onView }) {
    this.root = root;
    this.onView = onView;
    this.buttons = { raw: root.querySelector("[data-raw]"), diff: root.querySelector("[data-compare]") };
    for (const [view, button] of Object.entries(this.buttons)) {
      if (!button) continue;
      button.hidden = false;
      button.addEventListener("click", () => this.toggle(view));
    }
  }

  get elements() {
    return [...this.root.querySelectorAll("[data-side]")];
  }

  // Other answers; they begin as they read.
  fill(sides) {
    this.#sides = sides;
    for (const [position, element] of this.elements.entries()) {
      element.querySelector("[data-answer]").innerHTML = sides[position].html;
      const candidate = element.querySelector("[data-candidate]");
      candidate.textContent = sides[position].candidate;
      candidate.hidden = !sides[position].candidate;
    }
    this.#view("text");
  }

  // What the server has put there already.
  take(sides) {
    this.#sides = sides;
  }

  toggle(view) {
    if (!this.buttons[view]) return;
    this.#view(this.#shows === view ? "text" : view);
  }

  #view(view) {
    this.#shows = view;
    for (const [name, button] of Object.entries(this.buttons)) button?.setAttribute("aria-pressed", String(name === view));
    const { parts, isTooLong } =
      view === "diff" ? diffWords(this.#sides[0].text, this.#sides[1].text) : { parts: [], isTooLong: false };
    for (const [position, element] of this.elements.entries()) {
      const raw = element.querySelector("[data-answer-raw]");
      element.querySelector("[data-answer]").hidden = view !== "text";
      raw.hidden = view === "text";
      raw.classList.toggle("is-diff", view === "diff");
      if (view === "diff") raw.replaceChildren(...marked(parts, position === 0 ? "new" : "cut"));
      else raw.textContent = view === "raw" ? this.#sides[position].text : "";
    }
    const legend = this.root.querySelector("[data-compare-legend]");
    if (legend) {
      legend.hidden = view !== "diff";
      legend.querySelector("[data-too-long]").hidden = !isTooLong;
    }
    this.onView();
  }
}

// Each side shows its own words: what the other one has alone is left out.
function marked(parts, without) {
  return parts
    .filter(([kind]) => kind !== without)
    .map(([kind, text]) => {
      const part = document.createElement(TAG_OF[kind]);
      part.textContent = text;
      return part;
    });
}
