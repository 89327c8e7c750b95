// A forgery of one's own: any token, taken apart, edited, signed with any secret, and
// sent.
import { $, el, onClick, onSubmit, say, wholeToken } from "./dom.js";
import { send } from "./wire.js";
import { current, onSession } from "./session.js";
import { forged, presets, signed } from "./forge.js";
import { answered } from "./lab.js";
import { decode, encode, read } from "./token.js";

const form = $("#own"), own = form.elements;
let original = ""; // the token that the changes are marked against
let base = ""; // the token that the fields were filled from
let attacks = [];

// pretty shows a part as JSON on several lines, unless that would lose something, such as
// a member that is there twice.
function pretty(part) {
  let text = part;
  try {
    text = decode(part);
    const value = JSON.parse(text);
    return JSON.stringify(value) === text ? JSON.stringify(value, null, 2) : text;
  } catch {
    return text;
  }
}

// part returns the text of a field as a part of a token; the part itself if the field
// still shows it.
function part(text, was) {
  if (text === pretty(was)) return was;
  try {
    return encode(JSON.stringify(JSON.parse(text)));
  } catch {
    return encode(text); // it is sent as it is
  }
}

function token() {
  const [header = "", payload = ""] = base.split(".");
  return [part(own.header.value, header), part(own.payload.value, payload), own.signature.value.trim()].join(".");
}

// fill shows a token in the fields.
function fill(text) {
  base = text;
  const [header = "", payload = "", ...signature] = text.split(".");
  own.header.value = pretty(header);
  own.payload.value = pretty(payload);
  own.signature.value = signature.join(".");
  draw();
}

function draw() {
  const now = token();
  $("#own-token").replaceChildren(...(original ? [wholeToken(now, "Your forgery", original)] : []));
  const [, , was] = original.split(".");
  $("#own-answer").replaceChildren(!original ? "Sign in, or paste a token." : now === original ? "Nothing is altered yet." : own.signature.value === was ? "Altered, and still with the old signature." : "Altered, with another signature.");
}

// begin starts over with a token, or with that of the session.
function begin(text = current()?.access ?? "") {
  original = text;
  own.preset.value = "";
  $("#own-about").textContent = "";
  fill(text);
}

// take makes one of the forgeries, of the token that was there at first.
async function take(id) {
  if (!id) return begin(original);
  if (!read(original)) return say("There is no token to forge yet: sign in, or paste one", true);
  const keys = (await send("GET", "/.well-known/jwks.json", { by: "page" })).json?.keys ?? [];
  try {
    const shot = await forged(id, { access: original, refresh: current()?.refresh ?? original, victim: crypto.randomUUID(), keys });
    fill(shot.token);
  } catch (error) {
    return say("This token can’t be forged so: " + error.message, true);
  }
  const { explanation, source } = attacks.find((attack) => attack.id === id);
  $("#own-about").textContent = `${explanation} (${source})`;
}

async function sign() {
  const secret = own.secret.value;
  if (!secret) return say("Write a secret first", true);
  try {
    fill(await signed(token(), secret));
    say("Signed with your secret. Does the server take it?");
  } catch {
    say("The header must be a JSON object before it can be signed", true);
  }
}

function paste() {
  const text = own.paste.value.trim().replace(/^Bearer\s+/i, "");
  if (!text) return begin();
  if (!read(text)) return say("That is no token: it needs two parts of base64url JSON, and a signature", true);
  begin(text);
}

// offer lists the forgeries that can be taken.
export function offer(all) {
  attacks = all;
  own.preset.append(...all.filter(({ id }) => presets.includes(id)).map(({ id, title }) => el("option", { value: id }, title)));
}

export function startOwn() {
  let whose = "";
  onSession((session) => {
    own.paste.value = "";
    if (whose !== session?.access) begin();
    whose = session?.access;
  });
  form.addEventListener("input", ({ target }) => {
    if (target === own.paste) paste();
    else if (target === own.header || target === own.payload || target === own.signature) draw();
  });
  own.preset.addEventListener("change", () => take(own.preset.value));
  onClick("#own-sign", sign);
  onClick("#own-reset", () => {
    own.paste.value = "";
    begin();
  });
  onSubmit(form, async () => $("#own-answer").replaceChildren(answered(await send("GET", "/api/v1/auth/me", { headers: { Authorization: "Bearer " + token() } }))));
  begin();
}
