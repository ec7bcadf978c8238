// What the page says of itself: a line of state, notices that stay until they are answered, and progress.

const inWords = (seconds) => {
  if (seconds < 1) return "under 1 s";
  return seconds < 59.5 ? `${Math.round(seconds)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
};

// In the page's language, as the server writes times.
export const clockTime = (when) =>
  new Date(when).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });

// When a place can become free by itself: the end of a lease, which may be another day.
export function comesBack(when) {
  if (when <= new Date()) return "Check now.";
  const day = when.toDateString() === new Date().toDateString() ? "" : `${when.toLocaleDateString(document.documentElement.lang)} `;
  return `The next item may become available at ${day}${clockTime(when)}.`;
}

function copyable(words) {
  const label = document.createElement("label");
  label.append("Your answers, to copy");
  const field = document.createElement("textarea");
  field.readOnly = true;
  field.value = words;
  field.rows = Math.min(12, words.split("\n").length + 1);
  field.dataset.given = "";
  field.addEventListener("focus", () => field.select());
  label.append(field);
  return label;
}

export class Status {
  #root;
  #latest = ["", false];
  #unsent = ["", false];
  #lacking = "";

  constructor(root) {
    this.#root = root;
  }

  part(name) {
    return this.#root.querySelector(`[data-${name}]`);
  }

  figure(name) {
    return this.#root.querySelector(`[data-progress="${name}"]`);
  }

  say(text, isBad = false) {
    this.#latest = [text, isBad];
    this.#show();
  }

  // Submissions on their way stay told, whatever else is said meanwhile; "" when none is left.
  sayUnsent(text, isBad = false) {
    this.#unsent = [text, isBad];
    this.#show();
  }

  // What a submission lacks stays told while a draft is saved; "" when it lacks nothing more.
  sayLacking(text) {
    this.#lacking = text;
    this.#show();
  }

  #show() {
    const said = [this.#unsent, [this.#lacking, true], this.#latest].filter(([text]) => text);
    const state = this.part("state");
    state.textContent = said.map(([text]) => text).join(" · ");
    state.classList.toggle("saved-bad", said.some(([, isBad]) => isBad));
  }

  // `actions`: [label, address or function] each. `given`: words of the reviewer's own, to be copied.
  // `ofTask`: it is about the task on the screen, and goes when that is stored.
  notice(text, { tone = "bad", actions = [], given = "", ofTask } = {}) {
    const box = document.createElement("div");
    box.className = `notice notice-${tone}`;
    box.setAttribute("role", "alert");
    if (ofTask) box.dataset.ofTask = ofTask;
    const line = document.createElement("p");
    line.textContent = text;
    const buttons = document.createElement("p");
    buttons.className = "buttons";
    for (const [label, act] of actions) {
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
    box.append(line, ...(given ? [copyable(given)] : []), ...(actions.length ? [buttons] : []));
    this.part("notices").append(box);
  }

  dropNotices(which = "*") {
    for (const each of this.part("notices").querySelectorAll(`:scope > ${which}`)) each.remove();
  }

  progress({ mine, mine_total: most, mine_words: words, done, median_seconds: median }) {
    this.figure("mine").textContent = mine;
    this.figure("words").textContent = words;
    this.figure("done").textContent = done;
    this.figure("bar").max = most;
    this.figure("bar").value = mine;
    this.#root.querySelector(".review-median").hidden = median === null;
    if (median !== null) this.figure("median").textContent = inWords(median);
  }

  get mine() {
    return Number(this.figure("mine").textContent);
  }

  get done() {
    return Number(this.figure("done").textContent);
  }
}
