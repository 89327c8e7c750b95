// A request in five languages. What is copied works when it is pasted.
import { curl } from "./curl.js";

const quoted = JSON.stringify;

// value reads a body that is JSON, or undefined.
function value(body) {
  try {
    return JSON.parse(body);
  } catch { /* it is sent as it is */ }
}

// literal writes a value as JavaScript or Python has it, on one line.
function literal(v, words = { true: "true", false: "false", null: "null" }, name = quoted) {
  if (v === null || typeof v === "boolean") return words[v];
  if (Array.isArray(v)) return `[${v.map((each) => literal(each, words, name)).join(", ")}]`;
  if (typeof v === "object") return braces(Object.entries(v).map(([key, each]) => `${name(key)}: ${literal(each, words, name)}`));
  return quoted(v);
}

const braces = (members) => (members.length > 0 ? `{ ${members.join(", ")} }` : "{}");
const plain = (key) => (/^[A-Za-z_$][\w$]*$/.test(key) && key !== "__proto__" ? key : quoted(key));
const script = (v) => literal(v, undefined, plain);
const python = (v) => literal(v, { true: "True", false: "False", null: "None" });

// exact reports whether a body can be written as a value. Text that isn't JSON stays
// text, and so does JSON whose numbers JavaScript can't keep.
const exact = (body) => value(body) !== undefined && !/\d{16}/.test(body);

function fetchSnippet({ method, url, headers, body }) {
  const options = [
    method !== "GET" && `method: ${quoted(method)}`,
    Object.keys(headers).length > 0 && `headers: ${script(headers)}`,
    body != null && `body: ${exact(body) ? `JSON.stringify(${script(value(body))})` : quoted(body)}`,
  ].filter(Boolean);
  return [
    `const response = await fetch(${quoted(url)}${options.length > 0 ? `, {\n  ${options.join(",\n  ")},\n}` : ""});`,
    "console.log(response.status, await response.text());",
  ].join("\n");
}

function axiosSnippet({ method, url, headers, body }) {
  const options = [
    `method: ${quoted(method.toLowerCase())}`, `url: ${quoted(url)}`,
    Object.keys(headers).length > 0 && `headers: ${script(headers)}`,
    body != null && `data: ${exact(body) ? script(value(body)) : quoted(body)}`,
    "validateStatus: null", // an error status is an answer, too
  ].filter(Boolean);
  return ['import axios from "axios";', "", `const { status, data } = await axios({\n  ${options.join(",\n  ")},\n});`, "console.log(status, data);"].join("\n");
}

function pythonSnippet({ method, url, headers, body }) {
  const json = body != null && exact(body);
  const named = Object.entries(headers).filter(([name, text]) => !(json && name === "Content-Type" && text === "application/json"));
  const options = [
    quoted(url),
    named.length > 0 && `headers=${python(Object.fromEntries(named))}`,
    body != null && (json ? `json=${python(value(body))}` : `data=${quoted(body)}.encode()`),
  ].filter(Boolean);
  return ["import requests", "", `response = requests.${method.toLowerCase()}(\n    ${options.join(",\n    ")},\n)`, "print(response.status_code, response.text)"].join("\n");
}

function goSnippet({ method, url, headers, body }) {
  const lines = Object.entries(headers).map(([name, text]) => `\trequest.Header.Set(${quoted(name)}, ${quoted(text)})`);
  const packages = ["fmt", "io", "log", "net/http", body != null && "strings"].filter(Boolean).map((name) => `\t"${name}"`);
  return ["package main", "", "import (", ...packages, ")", "", "func main() {",
    `\trequest, err := http.NewRequest(${quoted(method)}, ${quoted(url)}, ${body != null ? `strings.NewReader(${quoted(body)})` : "nil"})`,
    "\tif err != nil {", "\t\tlog.Fatal(err)", "\t}", ...lines,
    "\tresponse, err := http.DefaultClient.Do(request)", "\tif err != nil {", "\t\tlog.Fatal(err)", "\t}",
    "\tdefer response.Body.Close()", "\ttext, err := io.ReadAll(response.Body)", "\tif err != nil {", "\t\tlog.Fatal(err)", "\t}",
    "\tfmt.Println(response.StatusCode, string(text))", "}"].join("\n");
}

// snippets are the languages, and how a request { method, url, headers, body } looks in
// each. body is text, or null.
export const snippets = { fetch: fetchSnippet, axios: axiosSnippet, curl, Python: pythonSnippet, Go: goSnippet };

// sixLines are the lines of the part Start: an account, a row, and a list with it.
// collection is { address, row }, or null where there are items only. register tells
// that accounts live at /users.
export function sixLines(origin, collection, register) {
  const sign = register && collection;
  const [base, made, list] = collection ? [origin, collection.address, `${collection.address}?_page=1&_limit=3`] : [origin + "/api/v1", "/items", "/items?limit=3"];
  const row = collection ? collection.row : { itemname: "lamp", category: "light", description: "Bends its neck" };
  return [
    `const url = ${quoted(base)}, headers = { "Content-Type": "application/json" };`,
    "const call = (method, path, json) => fetch(url + path, { method, headers, body: JSON.stringify(json) }).then((answer) => answer.json());",
    `const me = await call("POST", ${sign ? '"/register"' : collection ? '"/api/v1/auth/signup"' : '"/auth/signup"'}, { email: \`me-\${Date.now()}@example.com\`, password: "b00k-worm" });`,
    `headers.Authorization = "Bearer " + ${sign ? "me.accessToken" : "me.data[0].access_token"};`,
    `console.log("made", await call("POST", ${quoted(made)}, ${script(row)}));`,
    `console.log("there is", await call("GET", ${quoted(list)}));`,
  ];
}
