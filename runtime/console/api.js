// Requests to the daemon: the token, problems in plain words.

const token_key = "homeostat.token";
const name_key = "homeostat.name";
const patience_ms = 10000;

export const token = () => sessionStorage.getItem(token_key) ?? "";
export function set_token(value) {
  if (value) sessionStorage.setItem(token_key, value);
  else sessionStorage.removeItem(token_key);
}
export const own_name = () => sessionStorage.getItem(name_key) ?? "";
export const set_own_name = (value) => sessionStorage.setItem(name_key, value);

export class Problem extends Error {
  /** @param status  of HTTP; 0: no answer. */
  constructor(status, title, detail = "", retry_after = 0) {
    super(detail || title);
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.retry_after = retry_after;
  }
  /** What an operator should read. */
  get words() {
    const said = this.detail || this.title;
    switch (this.status) {
      case 0: return "No answer from the daemon. Whether it was done is not known yet; the page shows it once the daemon answers.";
      case 401: return "Please sign in.";
      case 403: return `Your role may not do that. ${said}`;
      case 404: return `It is not there any more. ${said}`;
      case 409: return `Refused: ${said}`;
      case 412: return "Somebody else was faster; this is the present state. Look again before you decide.";
      case 429: return `Too many requests. ${said}`;
      case 503: return `The daemon cannot answer at the moment. ${said}`;
      default: return said;
    }
  }
}

let on_sign_in = () => {};
/** @param call  called when the daemon wants a token. */
export const when_sign_in_is_needed = (call) => { on_sign_in = call; };

/** fetch with the token, without cookies or caches. Throws a Problem for every answer that is not 2xx. */
export async function fetch_ok(path, options = {}) {
  const headers = { Accept: "application/json", ...options.headers };
  if (token()) headers.Authorization = `Bearer ${token()}`;
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", credentials: "omit", redirect: "error", ...options, headers });
  } catch (error) {
    throw new Problem(0, error.name === "AbortError" || error.name === "TimeoutError" ? "no answer in time" : "no connection");
  }
  if (answer.ok) return answer;
  let said = {};
  try { said = await answer.json(); } catch { /* a proxy's page: the status says enough */ }
  // Loops answer a refused command with {ok: false, text}.
  const problem = new Problem(answer.status, said.title ?? answer.statusText, said.detail ?? said.text ?? "",
                              Number(answer.headers.get("Retry-After")) || 0);
  if (answer.status === 401) on_sign_in();
  throw problem;
}

export async function get(path) {
  const answer = await fetch_ok(path, { signal: AbortSignal.timeout(patience_ms) });
  try { return await answer.json(); } catch { throw new Problem(0, "the answer was cut off"); }
}

// A decision whose answer was lost is sent again under the same key, so that it is done once.
const lost_keys = new Map();

function new_key() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
}

/** @param version  for If-Match; undefined: none. */
export async function post(path, body, version) {
  const decision = `${path} ${version ?? ""} ${JSON.stringify(body)}`;
  const key = lost_keys.get(decision) ?? new_key();
  const headers = { "Content-Type": "application/json", "Idempotency-Key": key };
  if (version !== undefined) headers["If-Match"] = `"${version}"`;
  try {
    const answer = await fetch_ok(path, { method: "POST", body: JSON.stringify(body), headers, signal: AbortSignal.timeout(patience_ms) });
    lost_keys.delete(decision);
    return await answer.json().catch(() => ({}));
  } catch (problem) {
    if (problem.status === 0) lost_keys.set(decision, key);
    else lost_keys.delete(decision);
    throw problem;
  }
}

const part = encodeURIComponent;
/** Without a token the body says who it was; with one the daemon knows. */
const signed = (body) => (token() ? body : { ...body, actor: own_name() || "anonymous" });

export const api = {
  status: () => get("/api/v1/status"),
  audit: (tail, loop) => get(`/api/v1/audit?tail=${tail}${loop ? `&loop=${part(loop)}` : ""}`),
  verify: () => get("/api/v1/audit/verify"),
  command: (loop, verb, text) => post(`/api/v1/loops/${part(loop)}/${verb}`, signed({ text })),
  proposals: () => get("/api/v1/proposals"),
  decide: (id, verb, version, text) => post(`/api/v1/proposals/${part(id)}/${verb}`, signed({ text }), version),
  drift: () => get("/api/v1/drift"),
  settle_drift: (loop, revision, verb, text) => post(`/api/v1/drift/${part(loop)}/${part(revision)}/${verb}`, signed({ text })),
  pools: () => get("/api/v1/pools"),
  pool_latency: (pool, method) => get(`/api/v1/pools/${part(pool)}/metrics?last=3600&step=60&method=${part(method)}`),
  pool_regressions: (pool) => get(`/api/v1/pools/${part(pool)}/regressions`),
  pool_advice: (pool) => get(`/api/v1/pools/${part(pool)}/recommendations`),
  answer_pool_advice: (pool, id, verb, body) => post(`/api/v1/pools/${part(pool)}/recommendations/${part(id)}/${verb}`, signed(body)),
  pool_to_rules: (pool, text) => post(`/api/v1/pools/${part(pool)}/rules`, signed({ text })),
  recommendations: () => get("/api/v1/recommendations"),
  answer_recommendation: (id, verb, body) => post(`/api/v1/recommendations/${part(id)}/${verb}`, signed(body)),
};
