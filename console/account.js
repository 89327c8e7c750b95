// Who is signed in, and the tokens that say so.
import { $, busy, copy, el, outside, say, tokenText } from "./dom.js";
import { send, serverNow } from "./wire.js";
import { distance, isTime, meanings, read, span } from "./token.js";

// The tokens are in this variable and nowhere else. localStorage and
// sessionStorage can be read by any script of this origin, now or later (OWASP
// HTML5 Security Cheat Sheet, Local Storage), and on loopback the origin
// is whatever program listens on this port next. So a reload forgets the
// tokens; it doesn't end them.
let session = null; // { kind: "catalog" or "book", name, id, access, refresh }
const listeners = [];

export const current = () => session;
export const onSession = (listener) => listeners.push(listener);

function become(next) {
  session = next;
  for (const listener of listeners) listener(session);
}

const expiry = (token) => read(token)?.payload.exp ?? 0;
export const expired = () => session != null && expiry(session.access) <= serverNow();

// ask sends a request in the caller’s name: with the bearer header of the
// catalog, or with the header of the book API.
export function ask(method, path, options = {}) {
  const book = path.startsWith("/bookapi");
  const token = options.refresh ? session?.refresh : session?.access;
  const headers = { ...(token && (book ? { "x-access-token": token } : { Authorization: "Bearer " + token })), ...options.headers };
  return send(method, path, { ...options, headers });
}

// --- signing in

const kinds = {
  catalog: { name: "email", label: "E-mail", type: "email", hint: "At least 5 characters, with a number and a special character." },
  book: { name: "username", label: "Username", type: "text", hint: "Anything, up to 72 bytes: this tutorial has no rule." },
};
const form = () => $("#sign-in");
const kind = () => form().elements.kind.value;

function dress() {
  const k = kinds[kind()];
  $("#identity-label").textContent = k.label;
  $("#identity").type = k.type;
  $("#password-hint").textContent = k.hint;
  clearFaults();
}

function clearFaults() {
  for (const name of ["identity", "password"]) fault(name, "");
  $("#form-error").textContent = "";
}

function fault(name, text) {
  $(`#${name}-error`).textContent = text;
  const input = $("#" + name);
  if (text) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

// showFault puts what the API says at the field that it is about. It has one
// sentence for an answer, so the words tell which field that is.
function showFault({ says, status }) {
  const about = /^Bad email or password/.test(says) || status === 429 || status === 0 ? ""
    : /password/i.test(says) ? "password"
    : /e-?mail|user/i.test(says) ? "identity"
    : $("#identity").value.trim() === "" || /@/.test($("#identity").value) && kind() === "book" ? "identity"
    : $("#password").value === "" ? "password" : "";
  if (about === "") {
    $("#form-error").textContent = says;
    $("#password").focus();
    return;
  }
  fault(about, says);
  $("#" + about).focus();
}

async function signIn(how) {
  clearFaults();
  const name = $("#identity").value, password = $("#password").value;
  if (kind() === "catalog") {
    const answer = await send("POST", "/api/v1/auth/" + how, { json: { email: name, password } });
    if (!answer.ok) return showFault(answer);
    const { access_token: access, refresh_token: refresh, user } = answer.json.data[0];
    become({ kind: "catalog", name: user.username, id: user.id, access, refresh });
  } else {
    if (how === "signup") {
      const answer = await send("POST", "/signup", { json: { username: name, password } });
      if (!answer.ok) return showFault(answer);
    }
    const answer = await send("POST", "/login", { json: { username: name, password } });
    if (!answer.ok) return showFault(answer);
    become({ kind: "book", name, id: null, access: answer.json.token, refresh: null });
    const me = await ask("GET", "/api/v1/auth/me", { by: "page" }); // either token opens both APIs
    if (me.ok) become({ ...session, id: me.json.data[0].id });
  }
  $("#password").value = "";
  say("Signed in as " + session.name);
  location.hash = "#token";
}

const letters = "abcdefghijkmnpqrstuvwxyz23456789";
export const random = (n) => Array.from(crypto.getRandomValues(new Uint8Array(n)), (b) => letters[b % letters.length]).join("");

async function demo() {
  form().elements.kind.value = "catalog";
  dress();
  $("#identity").value = `ann-${random(4)}@example.com`;
  $("#password").value = `${random(5)}-${random(5)}-7`;
  await signIn("signup");
}

// --- what can be done with a session

async function refresh() {
  const answer = await ask("POST", "/api/v1/auth/refresh", { refresh: true });
  if (!answer.ok) return say(answer.says, true);
  become({ ...session, access: answer.json.data[0].access_token });
  say("A new access token. The old one stays good until it expires.");
  await listTokens("page");
}

async function leave(path, done) {
  const withRefresh = path.endsWith("/logout") && expired() && session.refresh != null;
  const answer = await ask("DELETE", path, { refresh: withRefresh });
  if (!answer.ok) return say(answer.says, true);
  become(null);
  say(done);
  location.hash = "#start";
}

const logOut = () => leave("/api/v1/auth/logout", "Logged out: both tokens have ended");
const logOutEverywhere = () => leave("/api/v1/auth/sessions", "Logged out everywhere");

// --- the token, taken apart

function drawTokens() {
  const box = $("#tokens");
  box.replaceChildren();
  if (!session) return;
  const both = [
    ["access", "Access token", "Goes with every request. Short-lived, as whoever holds it is you.", session.access],
    session.refresh && ["refresh", "Refresh token", "Only gets new access tokens. Long-lived, and sent to one address only.", session.refresh],
  ].filter(Boolean);
  for (const [id, title, what, token] of both) {
    box.append(el("article", { class: "card token-card", id: id + "-token", "aria-labelledby": id + "-title" },
      el("header", {}, el("h3", { id: id + "-title" }, title), countdown(token)),
      el("p", { class: "soft" }, what),
      el("p", { class: "encoded", tabindex: 0, role: "group", "aria-label": title + ", as it is sent" }, tokenText(token)),
      el("p", { class: "buttons" },
        id === "access" && session.refresh && el("button", { type: "button", id: "refresh", click: (e) => busy(e.target, refresh) }, "Refresh"),
        el("button", { type: "button", class: "quiet", click: () => copy(token, title + " copied. Whoever has it is you.") }, "Copy"))));
  }
  drawClaims(both.map(([id, , , token]) => [id, read(token)]));
}

// drawClaims lists what the tokens say, the access token beside the refresh one.
function drawClaims(tokens) {
  const part = (title, name, text) => el("tr", { class: "part-row " + name }, el("th", { colspan: tokens.length + 1, scope: "rowgroup" }, el("span", { class: "part " + name }, title), " ", el("span", { class: "soft" }, text)));
  const row = (member, values, name) => {
    const [what, source] = meanings[member] ?? ["A claim of this server’s own."];
    return el("tr", { class: name },
      el("th", { scope: "row" }, el("code", {}, member), el("span", { class: "what" }, what, source && " ", source && outside(source.href, source.name))),
      values.map((value, i) => el("td", { "data-label": tokens[i][0] }, worth(member, value))));
  };
  const members = (which) => [...new Set(tokens.flatMap(([, t]) => Object.keys(t[which])))];
  $("#claims").replaceChildren(
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "What it says"), tokens.map(([id]) => el("th", { scope: "col" }, id)))),
    el("tbody", {}, part("Header", "header", "how it is signed"), members("header").map((m) => row(m, tokens.map(([, t]) => t.header[m]), "header"))),
    el("tbody", {}, part("Payload", "payload", "who, what for, and until when: the claims"), members("payload").map((m) => row(m, tokens.map(([, t]) => t.payload[m]), "payload"))),
    el("tbody", {}, part("Signature", "signature", "made of the two above with a key that only the server has"),
      el("tr", { class: "signature" },
        el("th", { scope: "row" }, el("code", {}, tokens[0][1].header.alg), el("span", { class: "what" }, "Change one letter of the header or the payload, and it no longer fits. ", outside("https://www.rfc-editor.org/rfc/rfc7515#section-5.2", "RFC 7515 §5.2"))),
        tokens.map(([id, t]) => el("td", { "data-label": id }, el("code", { class: "wrap" }, t.signature))))));
}

// worth is the value of a claim, times also in words.
function worth(member, value) {
  if (value === undefined) return "—";
  if (!isTime(member)) return el("code", { class: "wrap" }, JSON.stringify(value));
  const at = new Date(value * 1000);
  return [
    el("span", { class: "when", "data-at": value }, distance(value, serverNow())),
    el("time", { datetime: at.toISOString() }, at.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" })),
    el("code", {}, value),
  ];
}

function countdown(token) {
  const { iat, exp } = read(token).payload;
  return el("span", { class: "countdown", "data-from": iat, "data-until": exp, role: "timer" });
}

// tick keeps the clocks of the page going. None of them is a live region: once
// a second would be chatter. What matters is said, once: a minute left, and none.
let told = null;
export function tick() {
  const now = serverNow();
  for (const node of document.querySelectorAll("[data-until]")) {
    const left = node.dataset.until - now;
    const words = left > 0 ? span(left) + " left" : "expired " + span(left) + " ago";
    if (node.textContent !== words) node.textContent = words;
    node.classList.toggle("over", left <= 0);
    node.classList.toggle("soon", left > 0 && left <= 60);
    node.style.setProperty("--left", Math.max(0, Math.min(1, left / (node.dataset.until - node.dataset.from))));
  }
  for (const node of document.querySelectorAll("[data-at]")) {
    const words = distance(Number(node.dataset.at), now);
    if (node.textContent !== words) node.textContent = words;
  }
  const left = session ? expiry(session.access) - now : Infinity;
  const stage = left <= 0 ? "over" : left <= 60 ? "soon" : "good";
  if (stage !== told && session) {
    if (stage === "soon") say("Your access token expires in a minute");
    if (stage === "over") say("Your access token has expired", true);
  }
  told = stage;
  $("#expired").hidden = stage !== "over";
}

// --- the tokens that the server knows of

async function listTokens(by = "you") {
  if (!session) return;
  const answer = await ask("GET", "/api/v1/auth/tokens", { by });
  const body = $("#token-rows");
  if (!answer.ok) {
    body.replaceChildren(el("tr", {}, el("td", { colspan: 5 }, answer.says)));
    return;
  }
  const own = { [read(session.access).payload.jti]: "this page’s" };
  if (session.refresh) own[read(session.refresh).payload.jti] = "this page’s";
  body.replaceChildren(...answer.json.data.map((t) => el("tr", { class: t.revoked ? "revoked" : "" },
    el("td", { "data-label": "Token" }, t.token_id, " ", own[t.jti] && el("span", { class: "tag" }, own[t.jti])),
    el("td", { "data-label": "Type" }, t.token_type),
    el("td", { "data-label": "jti" }, el("code", {}, t.jti.slice(0, 8) + "…")),
    el("td", { "data-label": "Expires" }, t.expires),
    el("td", { "data-label": "State" }, t.revoked ? "revoked " : "good ",
      el("button", { type: "button", class: "quiet", "aria-label": `${t.revoked ? "Restore" : "Revoke"} token ${t.token_id}`, click: (e) => busy(e.target, () => revoke(t)) }, t.revoked ? "Restore" : "Revoke")))));
}

async function revoke(t) {
  const answer = await ask("PUT", "/api/v1/auth/tokens/" + t.token_id, { json: { revoke: !t.revoked } });
  say(answer.says, !answer.ok);
  await listTokens("page");
}

export function startAccount() {
  for (const radio of form().elements.kind) radio.addEventListener("change", dress);
  dress();
  form().addEventListener("submit", (event) => {
    event.preventDefault();
    busy(event.submitter, () => signIn(event.submitter.value));
  });
  for (const button of document.querySelectorAll("[data-demo]")) button.addEventListener("click", () => busy(button, demo));
  $("#show-password").addEventListener("change", (event) => ($("#password").type = event.target.checked ? "text" : "password"));
  for (const button of document.querySelectorAll("[data-log-out]")) button.addEventListener("click", () => busy(button, logOut));
  $("#log-out-everywhere").addEventListener("click", (e) => busy(e.target, logOutEverywhere));
  $("#list-tokens").addEventListener("click", (e) => busy(e.target, () => listTokens()));
  $("#refresh-now").addEventListener("click", (e) => busy(e.target, refresh));
  onSession(() => {
    document.body.classList.toggle("in", session != null);
    for (const node of document.querySelectorAll("[data-who]")) node.textContent = session?.name ?? "";
    $("#chip-left").dataset.until = session ? expiry(session.access) : "";
    $("#chip-left").dataset.from = session ? read(session.access).payload.iat : "";
    drawTokens();
    tick();
  });
  setInterval(tick, 1000);
}

export { listTokens };
