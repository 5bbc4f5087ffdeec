// A client of the TalkJS REST API that shares nothing with this package: node's fetch, and
// jsonwebtoken from npm. Usage: node client.mjs <base URL> <app ID> <secret key>
// Prints one JSON object: what was tried -> the status that came back.
import jwt from "jsonwebtoken";

const [baseUrl, appId, secretKey] = process.argv.slice(2);
const claims = { tokenType: "app", iss: appId };
const sign = (changes = {}, { key = secretKey, ...options } = {}) =>
  jwt.sign({ ...claims, ...changes }, key, { algorithm: "HS256", expiresIn: "30s", ...options });

const request = (method, path, bearer, body) =>
  fetch(`${baseUrl}/v1/${appId}${path}`, {
    method,
    headers: {
      ...(bearer && { Authorization: `Bearer ${bearer}` }),
      ...(method !== "GET" && { "Content-Type": "application/json" }),
    },
    body: body && JSON.stringify(body),
  });

const tried = {};
const attempt = async (name, bearer) => {
  tried[name] = (await request("GET", "/users?limit=1", bearer)).status;
};

await attempt("a fresh token", sign());
await attempt("the secret key", secretKey);
await attempt("expired", sign({}, { expiresIn: "-1s" }));
await attempt("not yet valid", sign({}, { notBefore: "60s" }));
await attempt("wrong issuer", sign({ iss: "somebody" }));
await attempt("wrong type", sign({ tokenType: "user", sub: "alice" }));
await attempt("no type", jwt.sign({ iss: appId }, secretKey, { expiresIn: "30s" }));
await attempt("wrong secret", sign({}, { key: "sk_test_wrong" }));
await attempt("another algorithm", sign({}, { algorithm: "HS512" }));
await attempt("alg none", sign({}, { key: "", algorithm: "none" }));
await attempt("tampered", sign().replace(/\.[^.]+\./, `.${btoa(JSON.stringify(claims))}.`));
await attempt("no header", undefined);

const alice = encodeURIComponent("alice/🙂");
const steps = [
  ["PUT", `/users/${alice}`, { name: "Alice" }],
  ["PUT", "/conversations/chat", { participants: ["alice/🙂"] }],
  ["POST", "/conversations/chat/messages", [{ type: "UserMessage", sender: "alice/🙂", text: "hi" }]],
  ["GET", "/conversations/chat/messages"],
];
for (const [method, path, body] of steps) {
  const response = await request(method, path, sign(), body);
  tried[`${method} ${decodeURIComponent(path)}`] = response.status;
  if (method === "GET") tried["the text that was sent"] = (await response.json()).data[0].text;
}
console.log(JSON.stringify(tried));
