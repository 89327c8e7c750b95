// The lab: it makes every attack of attacks.json against this page's server.
import { $, $$, button, el, link, onClick, partName, say, wholeToken } from "./dom.js";
import { send } from "./wire.js";
import { at, labOn } from "./clock.js";
import { forged } from "./forge.js";
import { decode, random, read } from "./token.js";

let attacks = [];
const outcomes = new Map(); // by id: refused, through or unexpected
const words = { refused: "refused", through: "GOT THROUGH", unexpected: "not as expected" };

const bearer = (token) => ({ Authorization: "Bearer " + token });
const inLab = (method, path, token, json) => send(method, path, { headers: token ? bearer(token) : {}, json, by: "lab" });
let rotates = false; // the server has -rotate-refresh
const canFire = (attack) => !attack.held && (!attack.lab || labOn());
const possible = (attack) => canFire(attack) && (!attack.rotation || rotates);
const lacks = (attack) => (attack.held ? "shelf attack only" : !canFire(attack) ? "needs the lab’s clock" : possible(attack) ? "" : "needs -rotate-refresh");

// A Cast is the accounts of the lab, which are deleted afterwards. The user's
// own sign-in is not used.
class Cast {
  people = [];

  async signUp(name, more) {
    const person = { email: `${name}-${random(8)}@lab.example`, password: random(12) + "-7" };
    const answer = await inLab("POST", "/api/v1/auth/signup", null, { ...person, ...more });
    if (!answer.ok) throw new Error(answer.says);
    const [{ access_token: access, refresh_token: refresh }] = answer.json.data;
    this.people.push(Object.assign(person, { access, refresh, id: read(access).payload.sub }));
    return person;
  }

  // signIn signs a person in once more.
  async signIn({ email, password, id }) {
    const [{ access_token: access, refresh_token: refresh }] = (await inLab("POST", "/api/v1/auth/signin", null, { email, password })).json.data;
    return { access, refresh, id };
  }

  // reader creates a book API account and signs it in.
  async reader() {
    const account = { username: "rae-" + random(8), password: random(12) };
    await inLab("POST", "/signup", null, account);
    const person = { ...account, access: (await inLab("POST", "/login", null, account)).json.token };
    this.people.push(person);
    return person;
  }

  async enter() {
    this.ann = await this.signUp("ann", { admin: true }); // she doesn't become an admin
    this.eve = await this.signUp("eve");
    const diary = { itemname: "Ann’s diary", category: "lab", description: "Made for the lab, and deleted after it" };
    this.item = (await inLab("POST", "/api/v1/items", this.ann.access, diary)).json.data[0].id;
    this.keys = (await inLab("GET", "/.well-known/jwks.json")).json.keys;
  }

  async leave() {
    if (this.item) await inLab("DELETE", "/api/v1/items/" + this.item, this.ann.access);
    for (const { access, password } of this.people) await inLab("DELETE", "/api/v1/auth/me", access, { password });
  }
}

// withCast runs work with a new cast and deletes it afterwards. Runs follow one
// another, because some change the clock.
let done = Promise.resolve();
const withCast = (work) => (done = done.then(async () => {
  const cast = new Cast();
  try {
    await cast.enter();
    await work(cast);
  } catch (error) {
    say("The lab had to stop: " + error.message, true);
  } finally {
    await cast.leave();
  }
}));

const rotated = async (token) => (await inLab("POST", "/api/v1/auth/refresh", token)).json.data[0].refresh_token;

// scenes prepare attacks that need more than eve's sign-in. Each returns the
// tokens, and next: a step after the tokens were found to be valid.
const scenes = {
  "admin-at-signup": async ({ ann }) => ann,
  "replay-after-logout": async (cast) => {
    const again = await cast.signIn(cast.eve);
    return { ...again, next: () => inLab("DELETE", "/api/v1/auth/logout", again.access) };
  },
  "restores-itself": async (cast) => {
    const again = await cast.signIn(cast.eve);
    const { jti } = read(again.refresh).payload;
    const id = (await inLab("GET", "/api/v1/auth/tokens", again.access)).json.data.find((t) => t.jti === jti).token_id;
    return { ...again, row: id, next: () => inLab("PUT", "/api/v1/auth/tokens/" + id, again.access, { revoke: true }) };
  },
  "refresh-replayed": async (cast) => {
    const owner = await cast.signIn(cast.eve);
    const stolen = await rotated(owner.refresh);
    if (!(rotates = Boolean(stolen))) return null;
    return { ...owner, refresh: await rotated(stolen), next: () => inLab("POST", "/api/v1/auth/refresh", owner.refresh) };
  },
  "renamed-by-thief": (cast) => cast.reader(),
};

// fire makes one attack and shows its result. It counts as refused only if the
// response is the expected one and the genuine token was valid before.
// Otherwise another check may have refused it.
async function fire(attack, cast, open) {
  const player = scenes[attack.id] ? await scenes[attack.id](cast) : cast.eve;
  if (!player) return score();
  const { access, refresh, row, next } = player;
  const shot = await forged(attack.id, { access, refresh, victim: cast.ann.id, keys: cast.keys });
  const genuine = await (shot.original === refresh && !next ? inLab("POST", "/api/v1/auth/refresh", refresh) : inLab("GET", "/api/v1/auth/me", access));
  await next?.();

  const shoot = () => sendForged(attack.request.replace("{item}", cast.item).replace("{token}", row).split(" "), shot, open);
  const { exp, nbf } = read(access).payload;
  const answer = await (attack.id === "expired" ? at(exp, shoot) : attack.id === "not-yet-valid" ? at(nbf - 60, shoot) : shoot());
  const { status, error, description = "" } = attack.expect;
  const asExpected = answer.status === status || (answer.status === 401 && status === 422); // by -bad-token-status
  const outcome = answer.ok ? "through"
    : genuine.ok && asExpected && answer.says === error && answer.why.includes(description) ? "refused" : "unexpected";
  outcomes.set(attack.id, outcome);

  const card = $("#attack-" + attack.id);
  card.className = "card attack " + outcome;
  $(".outcome", card).textContent = outcome === "refused" ? "refused " + answer.status : words[outcome];
  const altered = shot.token !== shot.original;
  $(".shown", card).replaceChildren(
    el("h3", {}, altered ? "The forged token; what was altered is marked" : "A genuine token, where it has no business"),
    wholeToken(shot.token, "The token that was sent", shot.original), ...decodedChanges(shot),
    el("h3", {}, "The answer"), answered(answer),
    outcome === "refused" ? "" : el("p", { class: "alarm", role: "alert" },
      outcome === "through" ? "The server obeyed. That is a hole." : genuine.ok ? "Refused, but not by what should have stopped it." : "The genuine token was refused as well, so this proves nothing.",
      ` Expected: ${status} ${error}`));
  if (attack.rotation) $(".tag", card)?.remove();
  if (open || outcome !== "refused") $("details", card).open = true;
  score();
  return outcome;
}

// sendForged sends a forged token, usually in the header.
async function sendForged([method, path], { token, query, cookie, header, body }, open) {
  const headers = cookie ? { Cookie: "access_token=" + token } : query ? {} : { Authorization: header ?? "Bearer " + token };
  const crumb = (value) => cookie && (document.cookie = `access_token=${value}; path=${path}; SameSite=Strict`);
  crumb(token);
  const answer = await send(method, query ? `${path}?access_token=${token}` : path, { headers, json: body, by: "attack", open });
  crumb("; Max-Age=0");
  return answer;
}

export const answered = ({ status, says, why }) => el("p", { class: "answer" }, el("b", {}, status), " " + says, why && el("code", {}, "error_description: " + why));

// decodedChanges shows the changed parts of a forged token as JSON, and marks members
// that the original doesn't have.
function decodedChanges({ token, original }) {
  const before = original.split(".");
  return token.split(".").slice(0, 2).map((part, i) => {
    if (part === before[i]) return [];
    const members = (text) => decode(text).slice(1, -1).split(/,(?=")/);
    const old = members(before[i]);
    return el("p", { class: "json" }, partName(i), el("code", {}, members(part).map((m, n, all) =>
      [n ? ", " : " { ", old.includes(m) && all.indexOf(m) === n ? m : el("mark", {}, m)]), " }"));
  }).flat();
}

function score() {
  const run = attacks.filter(possible);
  const refused = run.filter(({ id }) => outcomes.get(id) === "refused").length;
  const bad = [...outcomes.values()].filter((outcome) => outcome !== "refused").length;
  $("#score").textContent = `${refused} of ${run.length} refused`;
  $("#score-box").className = "card " + (bad ? "bad" : refused === run.length ? "good" : "");
  $("#segments").replaceChildren(...attacks.map((a) => el("span", { class: outcomes.get(a.id) ?? (possible(a) ? "" : "off") })));
  const count = (which, what) => ((n) => n > 0 && n + what)(attacks.filter(which).length);
  $("#score-note").textContent = bad ? `${bad} not refused as it should be: see below` : [
    count((a) => a.lab && !labOn(), " more need the lab’s clock"),
    count((a) => a.rotation && !rotates, " needs -rotate-refresh"),
    count((a) => a.held, " need shelf attack"),
  ].filter(Boolean).join(", ");
}

const runOne = (attack) => withCast(async (cast) => {
  const outcome = await fire(attack, cast, true);
  say(`${attack.title}: ${outcome ? words[outcome] : lacks(attack)}`, outcome && outcome !== "refused");
});

async function runAll() {
  drawAttacks();
  await withCast(async (cast) => {
    for (const attack of attacks.filter(canFire)) await fire(attack, cast, false);
    say("All fired: " + $("#score").textContent, $("#score-box").className.includes("bad"));
  });
}

export function drawAttacks() {
  outcomes.clear();
  $("#attacks").replaceChildren(...attacks.map((attack) => el("li", { class: "card attack", id: "attack-" + attack.id },
    el("h2", {}, attack.title),
    el("span", { class: "outcome" }),
    button("Fire", () => runOne(attack), { "aria-label": "Fire: " + attack.title, disabled: !canFire(attack) }),
    el("p", {}, attack.explanation),
    el("p", { class: "soft" }, "Stopped by ", el("code", {}, attack.defence), ". Written in ", link(attack.url, attack.source), ". ", attack.held && "A browser sends bodies whole. ", lacks(attack) && el("span", { class: "tag" }, lacks(attack))),
    el("details", {}, el("summary", {}, "What was sent, and the answer"), el("div", { class: "shown" }, "Not fired yet.")))));
  score();
}

export async function startLab(onAttacks) {
  onClick("#run-all", runAll);
  attacks = (await send("GET", "/console/attacks.json", { by: "page" })).json ?? [];
  for (const node of $$("[data-attacks]")) node.textContent = attacks.length;
  drawAttacks();
  onAttacks(attacks);
}
