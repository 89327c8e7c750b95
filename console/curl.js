// A request as a shell command.
import { parse } from "./cells.js";

// quote makes text one word of a POSIX shell. In single quotes only the single
// quote itself is special (IEEE Std 1003.1 §2.2.2).
export const quote = (text) => (/^[\w./:=@%+,-]+$/.test(text) ? text : "'" + text.replaceAll("'", `'\\''`) + "'");

// curl returns a command that sends the same request. It contains the real
// tokens and passwords, as it would not work otherwise.
export function curl({ method, url, headers, body, stream }) {
  const words = ["curl", stream ? "-iN" : "-i"];
  if (method !== (body == null ? "GET" : "POST")) words.push("-X", method);
  if (/[[\]{}]/.test(url)) words.push("-g"); // without -g, curl expands brackets and braces
  words.push(quote(url));
  for (const [name, value] of Object.entries(headers)) words.push("-H", quote(`${name}: ${value}`));
  if (body != null) words.push("--data-raw", quote(body)); // -d would read a file for @
  return words.join(" ");
}

// masked returns a body without its secrets. A JSON body is split into lines. Its
// numbers stay as they are written.
export function masked(body) {
  try {
    return JSON.stringify(parse(body), (name, value) => (/password/.test(name) && typeof value === "string" ? "••••••••" : value), 2);
  } catch {
    return body;
  }
}
