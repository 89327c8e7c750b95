// The sign-in and its tokens.
import { $, $$, button, copy, el, link, onClick, onSubmit, partName, say, wholeToken } from "./dom.js";
import { send, serverNow } from "./wire.js";
import { distance, isTime, meanings, read, span } from "./token.js";

// The tokens are kept in this variable only. Any script of this origin could
// read localStorage and sessionStorage, now or later (OWASP HTML5 Security
// Cheat Sheet). On loopback, another program may use this port next and have
// the same origin. Reloading the page therefore forgets the tokens, but doesn't
// revoke them.
let session = null; // { kind: "catalog" or "book", name, id, access, refresh }
const listeners = [];

export const current = () => session;
export const onSession = (listener) => listeners.push(listener);

function setSession(next) {
  session = next;
  for (const listener of listeners) listener(session);
}

const expiry = () => read(session.access).payload.exp;
export const expired = () => session != null && expiry() <= serverNow();

// ask sends a request with the token of the session, in the header of the
// catalog or of the book API.
export function ask(method, path, { refresh, headers, ...rest } = {}) {
  const token = refresh ? session.refresh : session.access;
  const bearer = path.startsWith("/bookapi") ? { "x-access-token": token } : { Authorization: "Bearer " + token };
  return send(method, path, { ...rest, headers: { ...bearer, ...headers } });
}

// --- signing in

const form = $("#sign-in");
const { identity, password, kind } = form.elements;

function dress() {
  const book = kind.value === "book";
  $("#identity-label").textContent = book ? "Username" : "E-mail";
  identity.type = book ? "text" : "email";
  $("#password-hint").textContent = book ? "Anything up to 72 bytes: that tutorial has no rule." : "At least 5 characters, with a number and a special character.";
  fault("", "");
}

// fault shows the API's error at the field that it is about, if there is one.
function fault(about, says) {
  for (const field of [identity, password]) {
    field.ariaInvalid = field.name === about ? "true" : null;
    $(`#${field.name}-error`).textContent = field.name === about ? says : "";
    if (field.name === about) field.focus();
  }
  $("#form-error").textContent = about ? "" : says;
}

// aboutField finds the field that an error of the API is about.
function aboutField({ says, status }) {
  if (![400, 401, 403, 409].includes(status) || says.startsWith("Bad email or password")) return "";
  if (/password/i.test(says)) return "password";
  if (/mail|user/i.test(says)) return "identity";
  return identity.value.trim() === "" || identity.value.includes("@") ? "identity" : "password";
}

async function signIn(how) {
  fault("", "");
  const json = { [kind.value === "book" ? "username" : "email"]: identity.value, password: password.value };
  const post = async (path) => {
    const answer = await send("POST", path, { json });
    if (!answer.ok) fault(aboutField(answer), answer.says);
    return answer.ok && answer.json;
  };
  if (kind.value === "catalog") {
    const answer = await post("/api/v1/auth/" + how);
    if (!answer) return;
    const [{ access_token: access, refresh_token: refresh, user }] = answer.data;
    setSession({ kind: "catalog", name: user.email, id: user.id, access, refresh });
  } else {
    const answer = (how === "signin" || (await post("/signup"))) && (await post("/login"));
    if (!answer) return;
    session = { kind: "book", name: identity.value.trim(), access: answer.token };
    const me = await ask("GET", "/api/v1/auth/me", { by: "page" }); // a token of either API works here
    setSession({ ...session, id: me.json?.data?.[0].id });
  }
  password.value = "";
  say("Signed in as " + session.name);
  location.hash = "#token";
}

const letters = "abcdefghijkmnpqrstuvwxyz23456789"; // 32 letters, so that each is equally likely
export const random = (n) => Array.from(crypto.getRandomValues(new Uint8Array(n)), (b) => letters[b % 32]).join("");

function demo() {
  kind.value = "catalog";
  dress();
  identity.value = `ann-${random(4)}@example.com`;
  password.value = `${random(6)}-${random(6)}-7`;
  return signIn("signup");
}

// --- what can be done with a session

async function refresh() {
  if (!session?.refresh) return say("The book API gives no refresh token: sign in again", true);
  const answer = await ask("POST", "/api/v1/auth/refresh", { refresh: true });
  if (!answer.ok) return say(answer.says, true);
  const [{ access_token: access, refresh_token: next = session.refresh }] = answer.json.data; // with -rotate-refresh there is a new refresh token
  setSession({ ...session, access, refresh: next });
  say("A new access token. The one before stays good until it expires.");
  await listTokens("page");
}

// leave logs out. If the access token has expired, it uses the refresh token.
async function leave(path, done) {
  const answer = await ask("DELETE", path, { refresh: expired() && session.refresh && path.endsWith("logout") });
  if (!answer.ok && answer.status !== 401) return say(answer.says, true);
  setSession(null);
  say(answer.ok ? done : answer.says, !answer.ok);
  location.hash = "#start";
}

// --- the tokens, taken apart

function drawTokens() {
  const tokens = session ? [["access", session.access], ["refresh", session.refresh]].filter(([, token]) => token) : [];
  $("#tokens").replaceChildren(...tokens.map(([type, token]) => {
    const access = type === "access";
    const name = access ? "Access token" : "Refresh token";
    const { iat, exp } = read(token).payload;
    return el("article", { class: "card", id: type + "-token", "aria-label": name },
      el("header", {}, el("h2", {}, name), el("span", { class: "countdown", "data-from": iat, "data-until": exp, role: "timer" })),
      el("p", { class: "soft" }, access ? "Goes with every request. Whoever holds it is you, so it doesn’t live long." : "Only gets new access tokens. It lives long, and goes to one address only."),
      wholeToken(token, name + ", as it is sent"),
      el("p", { class: "buttons" },
        access && session.refresh && button("Refresh", refresh),
        button("Copy", () => copy(token, name + " copied. Whoever has it is you."), { class: "quiet" })));
  }));
  if (session) drawClaims(tokens.map(([type, token]) => [type, read(token)]));
}

// drawClaims lists the claims of the tokens side by side.
function drawClaims(tokens) {
  const rank = (member) => (Object.keys(meanings).indexOf(member) + 99) % 99; // unknown members last
  const row = (member, what, cells) => el("tr", {}, el("th", { scope: "row" }, el("code", {}, member), " ", el("span", { class: "soft" }, what)), cells);
  const source = (number, section) => number && [" ", link(`https://www.rfc-editor.org/rfc/rfc${number}#section-${section}`, `RFC ${number} §${section}`)];
  const part = (i, what, rows) => el("tbody", { class: ["header", "payload", "signature"][i] },
    el("tr", {}, el("th", { colspan: tokens.length + 1, scope: "rowgroup" }, partName(i), " ", what)), rows);
  const members = (which) => [...new Set(tokens.flatMap(([, token]) => Object.keys(token[which])))].sort((a, b) => rank(a) - rank(b)).map((member) => {
    const [what, ...where] = meanings[member] ?? ["A claim of this server’s own."];
    const values = tokens.map(([, token]) => token[which][member]);
    return row(member, [what, source(...where)],
      values.map((value, i) => el("td", { "data-label": tokens[i][0], class: i > 0 && value === values[0] && "same" }, claimValue(member, value))));
  });
  $("#claims").replaceChildren(
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "What it says"), tokens.map(([type]) => el("th", { scope: "col" }, type + " token")))),
    part(0, "how it is signed", members("header")),
    part(1, "who, what for, and until when: the claims", members("payload")),
    part(2, "made of the two above, with a key that only the server has",
      row(tokens[0][1].header.alg, ["Change one letter above, and this no longer fits. ", source(7515, "5.2")],
        tokens.map(([type, token]) => el("td", { "data-label": type }, el("code", {}, token.signature))))));
}

// claimValue shows the value of a claim; a time is also shown in words.
function claimValue(member, value) {
  if (value === undefined) return "—";
  if (!isTime(member)) return el("code", {}, JSON.stringify(value));
  const at = new Date(value * 1000);
  return [el("b", { "data-at": value }), el("time", { datetime: at.toISOString() }, at.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" })), el("code", {}, value)];
}

// tick updates the countdowns of the page. They are not live regions, which
// screen readers would read every second. Only "a minute left" and "expired"
// are announced, once each.
let stage = "";
function tick() {
  const now = serverNow();
  const word = (node, words) => node.textContent !== words && (node.textContent = words);
  for (const node of $$("[data-until]")) {
    const { from, until } = node.dataset;
    const left = until - now;
    word(node, left > 0 ? span(left) + " left" : "expired " + span(left) + " ago");
    node.classList.toggle("over", left <= 0);
    node.style.setProperty("--left", Math.max(0, Math.min(1, left / (until - from))));
  }
  for (const node of $$("[data-at]")) word(node, distance(Number(node.dataset.at), now));
  const left = session ? expiry() - now : Infinity;
  const was = stage;
  stage = left <= 0 ? "over" : left <= 60 ? "soon" : "";
  if (stage === "soon" && was === "") say("Your access token expires in a minute");
  $("#expired").hidden = stage !== "over"; // an alert
}

// --- the tokens that the server knows of

export async function listTokens(by = "you") {
  const answer = await ask("GET", "/api/v1/auth/tokens", { by });
  const own = session && [session.access, session.refresh].map((token) => token && read(token).payload.jti);
  $("#token-rows").replaceChildren(...(answer.ok ? answer.json.data : []).map((t) => el("tr", { class: t.revoked ? "revoked" : "" },
    el("td", { "data-label": "Token" }, t.token_id, " ", own.includes(t.jti) && el("span", { class: "tag" }, "this page’s")),
    el("td", { "data-label": "Type" }, t.token_type),
    el("td", { "data-label": "jti" }, el("code", {}, t.jti.slice(0, 8) + "…")),
    el("td", { "data-label": "Expires" }, t.expires),
    el("td", { class: "acts" }, el("span", { class: "tag" }, t.revoked ? "revoked" : "good"), " ",
      button(t.revoked ? "Restore" : "Revoke", () => revoke(t), { class: "quiet", "aria-label": `${t.revoked ? "Restore" : "Revoke"} token ${t.token_id}` })))));
  if (!answer.ok) $("#token-rows").append(el("tr", {}, el("td", { colspan: 5, class: "form-error" }, answer.says)));
}

async function revoke(t) {
  const answer = await ask("PUT", "/api/v1/auth/tokens/" + t.token_id, { json: { revoke: !t.revoked } });
  say(answer.says, !answer.ok);
  await listTokens("page");
}

export function startAccount() {
  form.addEventListener("change", ({ target }) => target.name === "kind" && dress());
  dress();
  onSubmit(form, (submitter) => signIn(submitter?.value ?? "signin"));
  onClick("[data-demo]", demo);
  $("#show-password").addEventListener("change", ({ target }) => (password.type = target.checked ? "text" : "password"));
  onClick("[data-log-out]", () => leave("/api/v1/auth/logout", "Logged out: this sign-in’s tokens have ended"));
  onClick("#log-out-everywhere", () => leave("/api/v1/auth/sessions", "Logged out everywhere"));
  onClick("#list-tokens", () => listTokens());
  onClick("#refresh-now", refresh);
  onSession(() => {
    document.body.classList.toggle("in", session != null);
    for (const node of $$("[data-who]")) node.textContent = session?.name ?? "";
    const chip = $("#chip-left").dataset;
    [chip.from, chip.until] = session ? [read(session.access).payload.iat, expiry()] : [0, 0];
    drawTokens();
    tick();
  });
  setInterval(tick, 1000);
}
