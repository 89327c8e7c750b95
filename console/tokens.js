// The tokens, taken apart, and those that the server knows of.
import { $, $$, button, copy, el, link, onClick, partName, say, wholeToken } from "./dom.js";
import { serverNow } from "./wire.js";
import { ask, current, expiry, onRefusal, onSession, refused } from "./session.js";
import { distance, isTime, meanings, read, span } from "./token.js";

function drawTokens() {
  const session = current();
  const tokens = session ? [["access", session.access], ["refresh", session.refresh]].filter(([, token]) => token) : [];
  $("#tokens").replaceChildren(...tokens.map(([type, token]) => {
    const access = type === "access";
    const name = access ? "Access token" : "Refresh token";
    const { iat, exp } = read(token).payload;
    return el("article", { class: "card", id: type + "-token", "aria-label": name },
      el("header", {}, el("h2", {}, name), el("span", { class: "countdown", "data-from": iat, "data-until": exp, role: "timer" })),
      el("p", { class: "soft" }, access ? "Goes with every request. It lets anyone who has it act as you, so it doesn’t live long." : "Only gets new access tokens. It lives long, and goes to one address only."),
      wholeToken(token, name + ", as it is sent"),
      el("p", { class: "buttons" },
        access && session.refresh && button("Refresh", refresh),
        button("Copy", () => copy(token, name + " copied. It lets anyone who has it act as you."), { class: "quiet" })));
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
    const gone = refused() && (Number(until) === expiry() || !/by its owner/.test(refused())); // only a revocation by hand leaves the refresh token
    word(node, gone ? "refused" : left > 0 ? span(left) + " left" : "expired " + span(left) + " ago");
    node.classList.toggle("over", left <= 0 || Boolean(gone));
    node.style.setProperty("--left", Math.max(0, Math.min(1, left / (until - from))));
  }
  for (const node of $$("[data-at]")) word(node, distance(Number(node.dataset.at), now));
  const left = current() ? expiry() - now : Infinity;
  const was = stage;
  stage = left <= 0 ? "over" : left <= 60 ? "soon" : "";
  if (stage === "soon" && was === "" && !refused()) say("Your access token expires in a minute");
  if ((stage === "over") !== (was === "over")) for (const listener of listeners) listener();
  live(left);
}

// live marks where the session’s token is in its life.
function live(left) {
  const at = !current() ? "none" : refused() ? "refused" : left <= 0 ? "expired" : "good";
  if (document.body.dataset.life === at) return;
  document.body.dataset.life = at;
  for (const step of $$("#life li")) step.ariaCurrent = step.dataset.stage === at ? "step" : null;
  $("#life-now").textContent = {
    none: "There is none yet: it begins with a sign-in.", good: "Yours is in use now.",
    expired: "Yours has expired.", refused: "Yours is refused by the server.",
  }[at];
}

// onExpiry is called when the access token expires, and when it is a good one again.
const listeners = [];
export const onExpiry = (listener) => listeners.push(listener);

// --- the tokens that the server knows of

export async function listTokens(by = "you") {
  const answer = await ask("GET", "/api/v1/auth/tokens", { by });
  const session = current();
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

let refresh; // gets a new access token: account.js

export function startTokens(onRefresh) {
  refresh = onRefresh;
  onClick("#list-tokens", () => listTokens());
  onSession(() => {
    drawTokens();
    tick();
  });
  onRefusal(tick);
  tick();
  setInterval(tick, 1000);
}
