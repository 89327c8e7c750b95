// What a token is, without a page around it: these functions run in node too,
// where test/ holds them.

const encoder = new TextEncoder();

export const encode = (bytes) => {
  let text = "";
  for (const byte of typeof bytes === "string" ? encoder.encode(bytes) : new Uint8Array(bytes)) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
};

// decode reads base64url (RFC 4648 §5). It throws for anything else.
export const decode = (text) => {
  const bytes = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(bytes, (c) => c.charCodeAt(0)));
};

// read takes a token apart. No key is needed for that: a token is signed, and
// not encrypted (RFC 7519 §1: a JWS, not a JWE). It returns null for no token.
export function read(token) {
  try {
    const [header, payload, signature] = token.split(".");
    return { header: JSON.parse(decode(header)), payload: JSON.parse(decode(payload)), signature };
  } catch {
    return null;
  }
}

const rfc = (number, section) => ({ name: `RFC ${number} §${section}`, href: `https://www.rfc-editor.org/rfc/rfc${number}#section-${section}` });

// meanings says in a phrase what each member of a header or a payload is for.
export const meanings = {
  alg: ["How it is signed. The server takes its own algorithm only, whatever stands here.", rfc(7515, "4.1.1")],
  kid: ["Which of the server’s keys signed it.", rfc(7515, "4.1.4")],
  typ: ["What this is: a JSON Web Token.", rfc(7519, "5.1")],
  sub: ["Whom it speaks for: your account, by an id that says nothing else about you.", rfc(7519, "4.1.2")],
  public_id: ["The same again, under the name that the book tutorial gave it."],
  jti: ["This token’s own number. The server knows it, and can revoke it.", rfc(7519, "4.1.7")],
  type: ["What it opens: access opens the API, refresh only gets new access tokens."],
  fresh: ["Whether a password was shown for it, or a refresh token."],
  iat: ["When it was issued.", rfc(7519, "4.1.6")],
  nbf: ["Not before: refused until then.", rfc(7519, "4.1.5")],
  exp: ["Refused from this second on.", rfc(7519, "4.1.4")],
  iss: ["Who issued it.", rfc(7519, "4.1.1")],
};

export const isTime = (claim) => claim === "iat" || claim === "nbf" || claim === "exp";

// span words a number of seconds with its two largest units.
export function span(seconds) {
  let rest = Math.abs(Math.round(seconds));
  const words = [];
  for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]]) {
    if (rest >= size || (unit === "s" && words.length === 0)) words.push(`${Math.floor(rest / size)} ${unit}`);
    else if (words.length > 0) words.push("");
    rest %= size;
    if (words.length === 2) break;
  }
  return words.filter(Boolean).join(" ");
}

// distance words where a moment lies, seen from now; both in seconds since 1970.
export const distance = (at, now) => (at > now ? "in " + span(at - now) : span(now - at) + " ago");

// A token anywhere in a text: two base64url objects with dots behind.
const tokens = /eyJ[\w-]+\.[\w-]+\.[\w-]*/g;

// split cuts a text into what is a token, at the odd places, and what is not.
export const split = (text) => text.split(new RegExp(`(${tokens.source})`, "g"));
