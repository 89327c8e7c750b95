// The lab: every attack of attacks.json, fired at the server that this page
// comes from.
import { $, busy, el, outside, say, tokenText } from "./dom.js";
import { send } from "./wire.js";
import { current, random } from "./account.js";
import { at, labOn } from "./clock.js";
import { forge } from "./forge.js";
import { decode, encode, read } from "./token.js";

let attacks = [];
const outcomes = new Map(); // by id: "refused", "through" or "unexpected"
let keys = []; // of /.well-known/jwks.json

const bearer = (token) => ({ Authorization: "Bearer " + token });
const possible = (attack) => !attack.lab || labOn();

// A cast is who plays: accounts that are made for the lab and deleted after it,
// so that nobody's own sign-in is lost by a log-out.
async function makeCast() {
  const people = [];
  const signUp = async (name, more) => {
    const password = random(12) + "-7";
    const answer = await send("POST", "/api/v1/auth/signup", { json: { email: `${name}-${random(8)}@lab.example`, password, ...more }, by: "lab" });
    if (!answer.ok) throw new Error(answer.says);
    const { access_token: access, refresh_token: refresh, user } = answer.json.data[0];
    const person = { access, refresh, password, email: user.email, id: read(access).payload.sub };
    people.push(person);
    return person;
  };
  const dismiss = async () => {
    if (cast.item) await send("DELETE", "/api/v1/items/" + cast.item, { headers: bearer(cast.victim.access), by: "lab" });
    for (const { email, password, access } of people) {
      let token = access;
      const gone = await send("DELETE", "/api/v1/auth/me", { headers: bearer(token), json: { password }, by: "lab" });
      if (gone.ok) continue;
      const back = await send("POST", "/api/v1/auth/signin", { json: { email, password }, by: "lab" });
      if (!back.ok) continue;
      token = back.json.data[0].access_token;
      await send("DELETE", "/api/v1/auth/me", { headers: bearer(token), json: { password }, by: "lab" });
    }
  };
  const cast = { signUp, dismiss };
  try {
    cast.mallory = await signUp("mallory");
    cast.victim = await signUp("victim");
    const item = await send("POST", "/api/v1/items", { headers: bearer(cast.victim.access), json: { itemname: "the victim’s diary", category: "lab", description: "Made for the lab, and deleted after it" }, by: "lab" });
    cast.item = item.json?.data?.[0]?.id;
    return cast;
  } catch (error) {
    await dismiss();
    throw error;
  }
}

// fire runs one attack and shows how it ended.
async function fire(attack, cast) {
  const { mallory, victim } = cast;
  let made = { access: mallory.access, refresh: mallory.refresh, victim: victim.id, keys };
  if (attack.id === "replay-after-logout") {
    const again = await send("POST", "/api/v1/auth/signin", { json: { email: mallory.email, password: mallory.password }, by: "lab" });
    made.access = again.json?.data?.[0]?.access_token;
  } else if (attack.id === "admin-at-signup") {
    made.access = (await cast.signUp("eve", { admin: true })).access;
  }
  // The genuine token has to work, or a refusal of the forged one proves nothing.
  const control = await send("GET", "/api/v1/auth/me", { headers: bearer(made.access), by: "lab" });
  const controlRefresh = await send("POST", "/api/v1/auth/refresh", { headers: bearer(made.refresh), by: "lab" });
  const good = control.ok && controlRefresh.ok;
  if (attack.id === "replay-after-logout") await send("DELETE", "/api/v1/auth/logout", { headers: bearer(made.access), by: "lab" });

  const forged = await forge[attack.id](made);
  const shot = typeof forged === "string" ? { token: forged } : forged;
  shot.original ??= made.access;
  const [method, path] = attack.request.replace("{item}", cast.item).split(" ");
  const shoot = () => shoot1(method, path, shot);
  const { exp, nbf } = read(made.access).payload;
  const answer = attack.id === "expired" ? await at(exp, shoot) : attack.id === "not-yet-valid" ? await at(nbf - 60, shoot) : await shoot();

  const { status, error, description = "" } = attack.expect;
  const outcome = !good ? "unexpected"
    : answer.status === status && answer.says === error && answer.why.includes(description) ? "refused"
    : answer.ok ? "through" : "unexpected";
  outcomes.set(attack.id, outcome);
  show(attack, shot, answer, outcome, good);
  return outcome;
}

async function shoot1(method, path, { token, query, cookie, header, body }) {
  const headers = query || cookie ? {} : { Authorization: header ?? "Bearer " + token };
  if (!cookie) return send(method, query ? `${path}?access_token=${token}` : path, { headers, json: body, by: "lab" });
  const crumb = `; path=${path}; SameSite=Strict`;
  document.cookie = `access_token=${token}${crumb}`;
  try {
    return await send(method, path, { headers: { Cookie: "access_token=" + token }, json: body, by: "lab" });
  } finally {
    document.cookie = `access_token=${crumb}; Max-Age=0`;
  }
}

const words = { refused: "refused", through: "GOT THROUGH", unexpected: "not as expected" };

function show(attack, shot, answer, outcome, good) {
  const card = $("#attack-" + attack.id);
  card.className = "attack " + outcome;
  $(".outcome", card).textContent = words[outcome] + (outcome === "refused" ? " " + answer.status : "");
  const same = shot.token === shot.original;
  $(".shown", card).replaceChildren(
    el("h4", {}, same ? "A genuine token, where it doesn’t belong" : "The forged token", !same && el("span", { class: "soft" }, " — what was altered is marked")),
    el("p", { class: "encoded", tabindex: 0, role: "group", "aria-label": "The token that was sent" }, tokenText(shot.token, { original: shot.original })),
    decoded(shot),
    el("h4", {}, "The answer"),
    el("p", { class: "answer" }, el("b", {}, answer.status), " ", answer.says, answer.why && el("span", { class: "why" }, "error_description: " + answer.why)),
    outcome !== "refused" && el("p", { class: "alarm", role: "alert" },
      !good ? "The genuine token was refused before the attack, so this proves nothing."
        : `Expected ${attack.expect.status} “${attack.expect.error}”. ${outcome === "through" ? "This server let the attack through: that is a hole." : "This is another refusal than the one that should have stopped it."}`));
  $("details", card).open = true;
  score();
}

// decoded shows those parts of a forgery that were altered as the JSON they are.
function decoded({ token, original }) {
  const before = original.split(".");
  return token.split(".").slice(0, 2).map((part, i) => {
    if (part === before[i]) return null;
    const text = decode(part), was = decode(before[i]);
    return el("p", { class: "decoded" }, el("span", { class: "part " + ["header", "payload"][i] }, ["header", "payload"][i]), " ", el("code", { class: "wrap" }, ...diff(text, was)));
  });
}

// diff marks the members of a JSON object that another doesn't have.
function diff(text, was) {
  const members = (t) => t.slice(1, -1).split(/,(?=")/);
  const old = new Set(members(was));
  const seen = members(text);
  const out = seen.flatMap((m, i) => [i ? "," : "{", old.has(m) && seen.indexOf(m) === i ? m : el("mark", {}, m)]);
  return [...out, "}"];
}

function score() {
  const run = attacks.filter(possible);
  const refused = run.filter((a) => outcomes.get(a.id) === "refused").length;
  const bad = run.filter((a) => outcomes.has(a.id) && outcomes.get(a.id) !== "refused").length;
  $("#score").textContent = `${refused} of ${run.length} refused`;
  $("#score-box").className = bad ? "bad" : refused === run.length ? "good" : "";
  $("#segments").replaceChildren(...attacks.map((a) => el("span", { class: outcomes.get(a.id) ?? (possible(a) ? "" : "off") })));
  $("#score-note").textContent = bad ? `${bad} not refused as it should be` : run.length < attacks.length ? `${attacks.length - run.length} more need the lab’s clock` : "";
}

async function withCast(work) {
  let cast;
  try {
    cast = await makeCast();
  } catch (error) {
    say("The lab’s accounts could not be made: " + error.message, true);
    return;
  }
  try {
    await work(cast);
  } finally {
    await cast.dismiss();
  }
}

async function runOne(attack) {
  let outcome;
  await withCast(async (cast) => (outcome = await fire(attack, cast)));
  if (outcome) say(`${attack.title}: ${words[outcome]}`, outcome !== "refused");
}

async function runAll() {
  outcomes.clear();
  for (const attack of attacks) {
    const card = $("#attack-" + attack.id);
    card.className = "attack";
    $(".outcome", card).textContent = "";
    $("details", card).open = false;
  }
  score();
  await withCast(async (cast) => {
    for (const attack of attacks.filter(possible)) {
      await fire(attack, cast);
      $("#attack-" + attack.id + " details").open = false;
    }
  });
  say("The lab is done: " + $("#score").textContent, $("#score-box").className === "bad");
}

function card(attack, i) {
  return el("li", { class: "attack", id: "attack-" + attack.id },
    el("h3", {}, attack.title),
    el("span", { class: "outcome" }),
    el("button", { type: "button", "aria-label": "Fire: " + attack.title, disabled: !possible(attack), click: (e) => busy(e.target, () => runOne(attack)) }, "Fire"),
    el("p", { class: "soft" }, attack.explanation),
    el("p", { class: "source" }, "Stopped by ", el("code", {}, attack.defence), ". Written in ", outside(attack.url, attack.source), attack.lab && !labOn() && el("span", { class: "tag" }, "needs the lab’s clock")),
    el("details", {}, el("summary", {}, "What was sent, and the answer"), el("div", { class: "shown" }, el("p", { class: "soft" }, "Not fired yet."))));
}

export function drawAttacks() {
  $("#attacks").replaceChildren(...attacks.map(card));
  outcomes.clear();
  score();
}

// --- a forgery of one's own

function own() {
  const token = current()?.access;
  const t = token && read(token);
  $("#own").hidden = !t;
  if (!t) return;
  $("#own-header").value = JSON.stringify(t.header, null, 2);
  $("#own-payload").value = JSON.stringify(t.payload, null, 2);
  forgeOwn();
}

// compact is what JSON text is in a token: as it was, if it says the same still.
function compact(text, part) {
  let value;
  try {
    value = JSON.stringify(JSON.parse(text));
  } catch {
    return encode(text);
  }
  return value === JSON.stringify(JSON.parse(decode(part))) ? part : encode(value);
}

function forgeOwn() {
  const original = current()?.access;
  if (!original) return "";
  const [header, payload, signature] = original.split(".");
  const token = `${compact($("#own-header").value, header)}.${compact($("#own-payload").value, payload)}.${signature}`;
  $("#own-token").replaceChildren(tokenText(token, { original }));
  $("#own-answer").textContent = token === original ? "Nothing is altered yet: this is your own token." : "Altered. The signature is still the old one.";
  $("#own-answer").className = "answer soft";
  return token;
}

async function fireOwn() {
  const answer = await send("GET", "/api/v1/auth/me", { headers: bearer(forgeOwn()) });
  $("#own-answer").className = "answer " + (answer.ok ? "fine" : "refused");
  $("#own-answer").replaceChildren(el("b", {}, answer.status), " ", answer.ok ? "A good token, for " + answer.json.data[0].username : answer.says, answer.why && el("span", { class: "why" }, "error_description: " + answer.why));
}

export async function startLab() {
  const answer = await send("GET", "/console/attacks.json", { by: "page" });
  attacks = answer.json ?? [];
  keys = (await send("GET", "/.well-known/jwks.json", { by: "page" })).json?.keys ?? [];
  for (const node of document.querySelectorAll("[data-attacks]")) node.textContent = attacks.length;
  drawAttacks();
  $("#run-all").addEventListener("click", (e) => busy(e.target, runAll));
  $("#own").addEventListener("input", forgeOwn);
  $("#own").addEventListener("submit", (event) => {
    event.preventDefault();
    busy(event.submitter ?? event.target, fireOwn);
  });
}

export { own as sessionForgery };
