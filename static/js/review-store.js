// What the browser keeps: drafts by output and tab, and submissions that have not arrived yet.
// Everything is kept under the reviewer's own mark, so that two people of one browser never meet.

const tab = (() => {
  try {
    const own = sessionStorage.getItem("review-tab") ?? crypto.randomUUID?.() ?? String(Math.random());
    sessionStorage.setItem("review-tab", own);
    return own;
  } catch {
    return "tab";
  }
})();

export class Store {
  constructor(reviewer) {
    this.prefix = `review:${reviewer}:`;
  }

  #draftKey(url, of = tab) {
    return `${this.prefix}draft:${url}:${of}`;
  }

  saveDraft(url, body) {
    this.#write(this.#draftKey(url), { ...body, at: Date.now() });
  }

  // The latest draft of this output that any tab of this browser left.
  latestDraft(url) {
    return this.#keys(this.#draftKey(url, ""))
      .map((key) => this.#read(key))
      .filter(Boolean)
      .sort((one, other) => other.at - one.at)[0];
  }

  dropDrafts(url) {
    for (const key of this.#keys(this.#draftKey(url, ""))) localStorage.removeItem(key);
  }

  get unsent() {
    return this.#keys(`${this.prefix}unsent:`)
      .map((key) => this.#read(key))
      .filter(Boolean)
      .sort((one, other) => one.at - other.at);
  }

  addUnsent(submission) {
    this.#write(`${this.prefix}unsent:${submission.body.client_id}`, submission);
  }

  dropUnsent(submission) {
    localStorage.removeItem(`${this.prefix}unsent:${submission.body.client_id}`);
  }

  #keys(prefix) {
    try {
      return Object.keys(localStorage).filter((key) => key.startsWith(prefix));
    } catch {
      return [];
    }
  }

  #read(key) {
    try {
      return JSON.parse(localStorage.getItem(key));
    } catch {
      return null;
    }
  }

  #write(key, value) {
    try {
      localStorage.setItem(key, JSON.stringify(value));
    } catch {
      // Storage is full or refused: the server's draft is the only one then.
    }
  }
}
