// What a token contains. These functions need no page, so tests run them in
// node.

// encode encodes text or bytes as base64url (RFC 4648 §5).
export function encode(value) {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : new Uint8Array(value);
  return btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join("")).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

// decode decodes base64url. It throws if text is not valid.
export function decode(text) {
  const bytes = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(bytes, (c) => c.charCodeAt(0)));
}

// read decodes a token. That needs no key, because a token is signed and not
// encrypted. It returns null if the text is no token.
export function read(token) {
  try {
    const [header, payload, signature] = token.split(".");
    return { header: JSON.parse(decode(header)), payload: JSON.parse(decode(payload)), signature };
  } catch {
    return null;
  }
}

// meanings explains each member of a header or payload, with its RFC and
// section.
export const meanings = {
  alg: ["How it is signed. The server takes its own algorithm only, whatever stands here.", 7515, "4.1.1"],
  kid: ["Which of the server’s keys signed it.", 7515, "4.1.4"],
  typ: ["What this is: a JSON Web Token.", 7519, "5.1"],
  type: ["What it opens. Access opens the API; refresh only gets new access tokens."],
  sub: ["Whom it speaks for: your account, by an id that says nothing else about you.", 7519, "4.1.2"],
  exp: ["Refused from this second on.", 7519, "4.1.4"],
  nbf: ["Not before: refused until then.", 7519, "4.1.5"],
  iat: ["When it was issued.", 7519, "4.1.6"],
  jti: ["This token’s own number. The server knows it, and can revoke it.", 7519, "4.1.7"],
  iss: ["Who issued it.", 7519, "4.1.1"],
  fresh: ["Whether a password was shown for it."],
  public_id: ["sub again, under the name that the book tutorial gave it."],
};

export const isTime = (claim) => ["exp", "nbf", "iat"].includes(claim);

// span returns a number of seconds in its two largest units.
export function span(seconds) {
  let rest = Math.abs(Math.round(seconds));
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = Math.max(0, units.findIndex(([unit, size]) => rest >= size || unit === "s"));
  return units.slice(first, first + 2).map(([unit, size]) => {
    const n = Math.floor(rest / size);
    rest %= size;
    return n > 0 || unit === "s" && first === 3 ? `${n} ${unit}` : "";
  }).filter(Boolean).join(" ");
}

// distance returns how far a time is from now; both are in seconds since 1970.
export const distance = (at, now) => (at > now ? "in " + span(at - now) : span(now - at) + " ago");

// split splits a text into tokens, at the odd indexes, and the text between
// them.
export const split = (text) => text.split(/(eyJ[\w-]+\.[\w-]+\.[\w-]*)/);

const letters = "abcdefghijkmnpqrstuvwxyz23456789"; // 32 letters, so that each is equally likely

// random returns n letters that can't be guessed.
export const random = (n) => Array.from(crypto.getRandomValues(new Uint8Array(n)), (b) => letters[b % 32]).join("");
