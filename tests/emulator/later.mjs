// A client and a receiver of webhooks that live in the machine's time and share nothing with this
// package. Usage: node later.mjs <base URL> <app ID> <secret key> <port of the receiver>
// Turns the emulator's clock and prints one JSON object per step.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const [baseUrl, appId, secretKey, port] = process.argv.slice(2);
const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

function token() {
  const now = Math.floor(Date.now() / 1000);
  const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ tokenType: "app", iss: appId, iat: now, nbf: now, exp: now + 30 })}`;
  return `${signed}.${createHmac("sha256", secretKey).update(signed).digest("base64url")}`;
}

async function call(method, path, body) {
  const answer = await fetch(`${baseUrl}/v1/${appId}${path}`, {
    method,
    headers: { Authorization: `Bearer ${token()}`, "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  const apart = Math.abs(Date.parse(answer.headers.get("date")) - Date.now());
  return { status: answer.status, apart, data: await answer.json() };
}

const received = [];
const receiver = createServer(async (request, response) => {
  const body = Buffer.concat(await request.toArray());
  const timestamp = request.headers["x-talkjs-timestamp"];
  const expected = createHmac("sha256", secretKey).update(`${timestamp}.`).update(body).digest("hex").toUpperCase();
  const genuine = timingSafeEqual(Buffer.from(expected), Buffer.from(request.headers["x-talkjs-signature"]));
  const fresh = Math.abs(Number(timestamp) - Date.now()) < 30_000;
  received.push(genuine && fresh);
  response.writeHead(genuine && fresh ? 200 : 400).end();
});
await new Promise((resume) => receiver.listen(Number(port), "127.0.0.1", resume));

async function turn(seconds) {
  await fetch(`${baseUrl}/_emulator/v1/clock`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Emulator": "1" },
    body: JSON.stringify({ advance: seconds }),
  });
}

await call("PUT", "/users", { alice: { name: "Alice" } });
await call("PUT", "/conversations/chat", { participants: ["alice"] });
for (const hours of [0, 1, 24]) {
  await turn(hours * 3600);
  const before = received.length;
  const sent = await call("POST", "/conversations/chat/messages", [
    { type: "UserMessage", sender: "alice", text: "hi", idempotencyKey: "the-same" },
  ]);
  const listed = await call("GET", "/conversations/chat/messages");
  // The same message again makes no event, so only the first and the last step wait for one.
  const waiting = hours === 1 ? 0 : 1;
  for (let tries = 0; received.length < before + waiting && tries < 1000; tries += 1)
    await new Promise((resume) => setTimeout(resume, 10));
  console.log(JSON.stringify({
    statuses: [sent.status, listed.status],
    dateIsClose: sent.apart < 30_000,
    messages: listed.data.data.length,
    webhooks: received,
  }));
}
receiver.close();
process.exit(0);
