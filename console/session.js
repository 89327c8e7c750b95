// The sign-in that this page has, and requests with its tokens.
import { send, serverNow } from "./wire.js";
import { read } from "./token.js";

// The tokens are kept in this variable only. Any script of this origin could read
// localStorage and sessionStorage, now or later (OWASP HTML5 Security Cheat Sheet). On
// loopback, another program may use this port next and have the same origin. Reloading
// the page therefore forgets the tokens, but doesn't revoke them. keepSession is for a
// person who wants to stay signed in over a reload.
let session = null; // { kind: "catalog" or "book", name, id, access, refresh, password of a demo account }
let refusal = ""; // why the server refuses the access token
const listeners = [], judges = [];

export const current = () => session;
export const refused = () => refusal;
export const onSession = (listener) => listeners.push(listener);
export const onRefusal = (listener) => judges.push(listener);

export function setSession(next) {
  session = next;
  refusal = "";
  save();
  for (const listener of listeners) listener(session);
}

// become sets a session that isn't complete yet, without a call of the listeners.
export const become = (next) => (session = next);

export const expiry = () => read(session.access).payload.exp;
export const expired = () => session != null && expiry() <= serverNow();

// ask sends a request with the token of the session, in the header of the
// catalog or of the book API.
export async function ask(method, path, { refresh, headers, ...rest } = {}) {
  const { access } = session, token = refresh ? session.refresh : access;
  const bearer = path.startsWith("/bookapi") ? { "x-access-token": token } : { Authorization: "Bearer " + token };
  const answer = await send(method, path, { ...rest, headers: { ...bearer, ...headers } });
  if (!refresh && session?.access === access) {
    if (bearer.Authorization || answer.ok) judge(answer);
    else if (answer.status === 401) await ask("GET", "/api/v1/auth/me", { by: "page" }); // the book API doesn't say why
  }
  return answer;
}

// judge learns from an answer whether the server takes the access token. That it has
// expired is no news: the page counts that down.
export function judge({ ok, header }) {
  const challenge = header("WWW-Authenticate");
  const bad = challenge.includes("invalid_token");
  const why = /error_description="([^"]*)"/.exec(challenge)?.[1].replace(/ \S+ ago/, "") ?? "it is not valid"; // without the time, which changes
  const next = bad && !/^expired/.test(why) ? why : bad || ok ? "" : refusal;
  if (next === refusal) return;
  refusal = next;
  for (const listener of judges) listener();
}

// --- over a reload, for those who asked for it

const key = "shelf.session";

export const keeps = () => sessionStorage.getItem(key) != null;

function save(on = keeps()) {
  if (!on || !session) return sessionStorage.removeItem(key);
  const { password, ...rest } = session;
  sessionStorage.setItem(key, JSON.stringify(rest));
}

// keepSession has the tokens survive a reload of this tab, or not.
export const keepSession = save;

// keptSession is the session of before the reload, if it is complete.
export function keptSession() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(key));
    return kept && read(kept.access) && kept.name ? kept : null;
  } catch {
    return null;
  }
}
