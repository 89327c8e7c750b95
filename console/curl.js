// A request as a line for a shell.

// quote makes text one word of a POSIX shell (IEEE Std 1003.1 §2.2.2): nothing
// has a meaning between single quotes but the single quote itself.
export const quote = (text) => (/^[\w./:=@%+,-]+$/.test(text) ? text : "'" + text.replaceAll("'", `'\\''`) + "'");

// curl is a request as a command line that sends the same. It holds tokens and
// passwords as they are, or it would not work.
export function curl({ method, url, headers, body, stream }) {
  const words = ["curl", stream ? "-iN" : "-i"];
  const usual = body == null ? "GET" : "POST";
  if (method !== usual) words.push("-X", method);
  if (/[[\]{}]/.test(url)) words.push("-g"); // curl would take them for a pattern
  words.push(quote(url));
  for (const [name, value] of Object.entries(headers)) words.push("-H", quote(value === "" ? `${name};` : `${name}: ${value}`));
  if (body != null) words.push("--data-raw", quote(body)); // -d would read a file for @
  return words.join(" ");
}

// masked is a body as it may be shown on a projector.
export function masked(body) {
  let value;
  try {
    value = JSON.parse(body);
  } catch {
    return body;
  }
  return JSON.stringify(value, (name, v) => (/password/.test(name) && typeof v === "string" ? "••••••••" : v), 2);
}
