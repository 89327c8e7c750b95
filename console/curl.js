// A request as a line for a shell.

// quote makes text one word of a POSIX shell: between single quotes nothing has a
// meaning but the single quote itself (IEEE Std 1003.1 §2.2.2).
export const quote = (text) => (/^[\w./:=@%+,-]+$/.test(text) ? text : "'" + text.replaceAll("'", `'\\''`) + "'");

// curl is a request as a command that sends the same. It holds tokens and
// passwords as they are, or it would not work.
export function curl({ method, url, headers, body, stream }) {
  const words = ["curl", stream ? "-iN" : "-i"];
  if (method !== (body == null ? "GET" : "POST")) words.push("-X", method);
  if (/[[\]{}]/.test(url)) words.push("-g"); // else they are a pattern
  words.push(quote(url));
  for (const [name, value] of Object.entries(headers)) words.push("-H", quote(`${name}: ${value}`));
  if (body != null) words.push("--data-raw", quote(body)); // -d reads a file for @
  return words.join(" ");
}

// masked is a body as a projector may show it, in lines if it is JSON.
export function masked(body) {
  try {
    return JSON.stringify(JSON.parse(body), (name, value) => (/password/.test(name) && typeof value === "string" ? "••••••••" : value), 2);
  } catch {
    return body;
  }
}
