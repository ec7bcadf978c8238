// The preference on a comparison: which of two answers is better, or the order of several. Both have the face
// that the keys of the review screen speak to: score, focusFirst, focusCurrent, toggleReason.

const CHOICE_OF = { 1: "a", 2: "b", 3: "tie", 4: "both_bad" };

class Preference {
  constructor(root, onChange) {
    this.root = root;
    root.addEventListener("change", (event) => {
      if (event.target.type !== "radio") return;
      this.changed(event.target);
      onChange();
    });
    this.onChange = onChange;
  }

  get inputs() {
    return [...this.root.querySelectorAll("input[type=radio]")];
  }

  changed() {}

  toggleReason() {
    return false;
  }

  showErrors(fields) {
    this.clearErrors();
    const texts = [fields.choice, fields.ranks, fields.comment].flatMap((each) => each ?? []);
    for (const text of texts) {
      const line = document.createElement("p");
      line.className = "field-error";
      line.setAttribute("role", "alert");
      line.textContent = text[0].toUpperCase() + text.slice(1);
      // Above the comment: below the button it would lie under a phone's edge.
      this.root.querySelector("[data-comment]").closest(".field").before(line);
    }
  }

  clearErrors() {
    for (const old of this.root.querySelectorAll("[data-preference] .field-error")) old.remove();
  }
}

export class PairPreference extends Preference {
  get chosen() {
    return this.inputs.find((input) => input.checked);
  }

  read() {
    return { choice: this.chosen?.value ?? "", ranks: null };
  }

  write({ choice = "" } = {}) {
    for (const input of this.inputs) input.checked = input.value === choice;
    this.clearErrors();
    this.mark();
  }

  changed() {
    this.clearErrors();
    this.mark();
  }

  // The better one is outlined, beside the button that says so.
  mark() {
    const choice = this.chosen?.value;
    for (const [position, side] of [...this.root.querySelectorAll("[data-side]")].entries())
      side.classList.toggle("is-better", choice === "ab"[position]);
  }

  score(key) {
    const input = this.inputs.find((each) => each.value === CHOICE_OF[key]);
    if (!input || input.disabled) return false;
    input.checked = true;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    input.focus({ preventScroll: true });
    return true;
  }

  get missing() {
    return this.chosen ? "" : "Choose the better answer, “equally good” or “both bad”";
  }

  focusFirst() {
    (this.chosen ?? this.inputs[0])?.focus({ preventScroll: true });
  }

  focusMissing() {
    this.inputs[0].focus();
  }

  focusCurrent() {
    this.focusFirst();
  }
}

export class RankPreference extends Preference {
  get groups() {
    return [...this.root.querySelectorAll("[data-ranks]")];
  }

  rankOf(group) {
    return Number(group.querySelector("input:checked")?.value) || null;
  }

  read() {
    return { choice: "", ranks: this.groups.map((group) => this.rankOf(group)) };
  }

  write({ ranks } = {}) {
    for (const [position, group] of this.groups.entries())
      for (const input of group.querySelectorAll("input")) input.checked = Number(input.value) === ranks?.[position];
    this.before = this.read().ranks;
    this.clearErrors();
    this.say();
  }

  // A rank is given once: who had it takes the rank that is free now.
  changed(input) {
    const own = input.closest("[data-ranks]");
    const position = this.groups.indexOf(own);
    const left = this.before?.[position] ?? null;
    for (const other of this.groups) {
      if (other === own || this.rankOf(other) !== Number(input.value)) continue;
      for (const each of other.querySelectorAll("input")) each.checked = Number(each.value) === left;
    }
    this.before = this.read().ranks;
    this.clearErrors();
    this.say();
  }

  say() {
    const ranks = this.read().ranks;
    const named = ranks.map((rank, position) => [rank, "ABCDE"[position]]).filter(([rank]) => rank);
    const words = named.sort((one, other) => one[0] - other[0]).map(([, letter]) => letter).join(" › ");
    const line = this.root.querySelector("[data-order]");
    line.textContent = words ? `Your order: ${words}` : "Rank the answers, 1 for the best.";
    if (words && ranks.includes(null)) line.textContent += " …";
  }

  get current() {
    const focused = document.activeElement?.closest?.("[data-ranks]");
    return focused ?? this.groups.find((group) => !this.rankOf(group)) ?? this.groups.at(-1);
  }

  score(key) {
    const group = this.current;
    const input = group.querySelector(`input[value="${key}"]`);
    if (!input || input.disabled) return false;
    input.checked = true;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    const after = this.groups[this.groups.indexOf(group) + 1];
    this.focusGroup(after ?? this.groups.find((each) => !this.rankOf(each)) ?? group);
    return true;
  }

  get missing() {
    const open = [..."ABCDE"].filter((_, position) => this.groups[position] && !this.rankOf(this.groups[position]));
    return open.length ? `Not ranked yet: ${open.join(", ")}` : "";
  }

  focusMissing() {
    this.focusGroup(this.groups.find((group) => !this.rankOf(group)));
  }

  focusGroup(group) {
    (group?.querySelector("input:checked") ?? group?.querySelector("input"))?.focus();
  }

  focusFirst() {
    const target = this.groups.find((group) => !this.rankOf(group)) ?? this.groups[0];
    (target.querySelector("input:checked") ?? target.querySelector("input")).focus({ preventScroll: true });
  }

  focusCurrent() {
    this.focusGroup(this.current);
  }
}
