// Signing in and out. The form is on the part Start.
import { $, $$, copy, onClick, onSubmit, say } from "./dom.js";
import { send } from "./wire.js";
import { ask, become, current, expired, expiry, keepSession, keeps, keptSession, onRefusal, onSession, refused, setSession } from "./session.js";
import { random, read } from "./token.js";
import { listTokens } from "./tokens.js";

const form = $("#sign-in");
let lastName = ""; // who was signed in before
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

async function signIn(how, more) {
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
    setSession({ kind: "catalog", name: user.email, id: user.id, access, refresh, ...more });
  } else {
    const answer = (how === "signin" || (await post("/signup"))) && (await post("/login"));
    if (!answer) return;
    const session = become({ kind: "book", name: identity.value.trim(), access: answer.token });
    const me = await ask("GET", "/api/v1/auth/me", { by: "page" }); // a token of either API works here
    setSession({ ...session, id: me.json?.data?.[0].id });
  }
  password.value = "";
  say("Signed in as " + current().name);
  location.hash = backTo;
  backTo = "#token";
}

let backTo = "#token"; // the part that is shown after a sign-in

function comeBackTo(part) {
  if (part && part !== "start") backTo = "#" + part;
}

// signInFrom shows the form, and comes back to a part after the sign-in. A sign-in that
// is over makes room for it.
export function signInFrom(part) {
  if (current() && (refused() || expired())) setSession(null);
  comeBackTo(part);
  if (!identity.value) identity.value = lastName;
  identity.focus();
}

// demo makes an account with a password that can be copied later.
function demo() {
  comeBackTo(document.body.dataset.view);
  kind.value = "catalog";
  dress();
  identity.value = `ann-${random(4)}@example.com`;
  const made = `${random(6)}-${random(6)}-7`;
  password.value = made;
  return signIn("signup", { password: made });
}

// --- what can be done with a session

export async function refresh() {
  const session = current();
  if (!session?.refresh) return say("The book API gives no refresh token: sign in again", true);
  const answer = await ask("POST", "/api/v1/auth/refresh", { refresh: true });
  if (!answer.ok) return say(answer.says, true);
  const [{ access_token: access, refresh_token: next = session.refresh }] = answer.json.data; // with -rotate-refresh there is a new refresh token
  setSession({ ...session, access, refresh: next });
  say("A new access token. The one before stays good until it expires.");
  if (document.body.dataset.view === "token") await listTokens("page");
}

// leave logs out. If the access token has expired, it uses the refresh token.
async function leave(path, done) {
  const answer = await ask("DELETE", path, { refresh: expired() && current().refresh && path.endsWith("logout") });
  if (!answer.ok && ![401, 422].includes(answer.status)) return say(answer.says, true);
  setSession(null);
  say(answer.ok ? done : answer.says, !answer.ok);
  location.hash = "#start";
}

// showWho updates what every part shows of the sign-in.
function showWho(session) {
  const { body } = document;
  body.classList.toggle("in", session != null);
  body.classList.toggle("demo", Boolean(session?.password));
  for (const node of $$("[data-who]")) node.textContent = session?.name ?? "";
  const chip = $("#chip-left").dataset;
  [chip.from, chip.until] = session ? [read(session.access).payload.iat, expiry()] : [0, 0];
  if (session?.kind === "catalog") lastName = session.name;
  $("#keep").checked = keeps();
}

export function startAccount() {
  form.addEventListener("change", ({ target }) => target.name === "kind" && dress());
  dress();
  onSubmit(form, (submitter) => signIn(submitter?.value ?? "signin"));
  onClick("[data-demo]", demo);
  $("#show-password").addEventListener("change", ({ target }) => (password.type = target.checked ? "text" : "password"));
  onClick("#copy-password", () => copy(current().password, "Password copied"));
  onClick("[data-log-out]", () => leave("/api/v1/auth/logout", "Logged out: this sign-in’s tokens have ended"));
  onClick("#log-out-everywhere", () => leave("/api/v1/auth/sessions", "Logged out everywhere"));
  $("#keep").addEventListener("change", ({ target }) => {
    keepSession(target.checked);
    say(target.checked ? "Your tokens are in sessionStorage until this tab is closed or you log out" : "Your tokens are in this page’s memory only");
  });
  onSession(showWho);
  onRefusal(() => showWho(current()));
}

// comeBack signs in again after a reload, if that was asked for.
export function comeBack() {
  const kept = keptSession();
  if (kept) setSession(kept);
}
