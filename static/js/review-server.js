// Requests to the server: every answer is sorted into what the page can do about it.

// From the cookie, because a sign-in in another tab makes a new one, and this page's own is void then.
const token = () =>
  document.cookie.match(/(?:^|;\s*)csrftoken=([^;]+)/)?.[1] ??
  document.querySelector("[name=csrfmiddlewaretoken]").value;

// `away`: try again later with the same body; `signedOut`: sign in again first; else `status` and `body`.
export async function send(url, { method = "GET", body, keepalive = false } = {}) {
  let response;
  try {
    response = await fetch(url, {
      method,
      keepalive,
      redirect: "manual",
      headers: {
        Accept: "application/json",
        ...(method === "POST" && { "Content-Type": "application/json", "X-CSRFToken": token() }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    return { away: true };
  }
  if (response.type === "opaqueredirect" || response.status === 401) return { signedOut: true };
  if (response.status >= 500 || response.status === 429 || response.status === 408) return { away: true };
  let answer = {};
  try {
    answer = await response.json();
  } catch {
    return response.ok ? { away: true } : { status: response.status, body: {}, message: "The server refused the request." };
  }
  if (answer.error?.code === "session_lost") return { signedOut: true };
  return { status: response.status, ok: response.ok, body: answer, message: answer.error?.message };
}
