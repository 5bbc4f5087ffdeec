// Tests of the bot against the emulator on a port and its control API: node --test
// Needs `pip install 'talkjs-async[emulator]'`; PYTHON names another interpreter.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, before, beforeEach, test } from "node:test";
import { serve, TalkJS } from "./bot.mjs";

const CHAT = {
  users: { alice: { name: "Alice" }, bot: { name: "Bot" } },
  conversations: { c1: { participants: ["alice", "bot"] } },
};
let emulator, server, talkjs, control;

before(async () => {
  const options = ["-m", "talkjs_async.emulator", "--die-with-parent", "--quiet"];
  emulator = spawn(process.env.PYTHON ?? "python3", options, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(createInterface(emulator.stdout), "line");
  const { base_url: baseUrl, app_id: appId, secret_key: secretKey } = JSON.parse(line);
  talkjs = new TalkJS({ baseUrl, appId, secretKey });
  control = async (method, path, body) => {
    const headers = { "Content-Type": "application/json", "X-Emulator": "1" };
    const answer = await fetch(`${baseUrl}/_emulator/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
    assert.equal(answer.status, 200, await answer.clone().text());
    return answer.json();
  };
  server = serve(talkjs).listen(0, "127.0.0.1");
  await once(server, "listening");
  await control("POST", "/webhooks", { url: `http://127.0.0.1:${server.address().port}/`, events: ["message.sent"] });
});

after(() => {
  server.closeAllConnections();
  server.close();
  emulator.kill();
});

beforeEach(async () => {
  await control("POST", "/reset", { clock: true });
  await control("POST", "/seed", CHAT);
});

const say = (text) => control("POST", "/users/alice/say", { conversation: "c1", text });

// The bot answers after its 200, so wait for what it does, too.
async function texts(count) {
  for (let tries = 0; ; tries += 1) {
    const { settled } = await control("POST", "/settle");
    const sent = await control("GET", "/commits?kind=message.sent");
    if (settled && (sent.length >= count || tries > 200)) return sent.map((commit) => commit.text);
    await new Promise((resume) => setTimeout(resume, 10));
  }
}

test("the bot answers", async () => {
  await say("Hello");

  assert.deepEqual(await texts(2), ["Hello", "You said: Hello"]);
});

test("it answers once though the connection breaks", async () => {
  await control("POST", "/faults", { id: "drop-after-commit", on: "POST /conversations/*/messages", first: 1 });

  await say("Hello");
  await texts(2);
  let attempts = [];
  while (attempts.length < 2 || attempts[1].status === null)
    attempts = await control("GET", `/requests?on=${encodeURIComponent("POST /conversations/*/messages")}`);

  assert.deepEqual(await texts(2), ["Hello", "You said: Hello"]);
  assert.deepEqual(attempts.map((request) => request.attempt), [1, 2]);
});

test("after 25 hours a key makes a second message", async () => {
  const [first] = await talkjs.send("c1", "bot", "Anything else?", "reminder");
  const [again] = await talkjs.send("c1", "bot", "Anything else?", "reminder");
  await control("POST", "/clock", { advance: 25 * 3600 });
  const [later] = await talkjs.send("c1", "bot", "Anything else?", "reminder");
  await say("No, thanks");

  assert.equal(first.id, again.id);
  assert.notEqual(first.id, later.id);
  assert.deepEqual((await texts(4)).at(-1), "You said: No, thanks");
  const deliveries = await control("GET", "/deliveries");
  assert.ok(deliveries.every((delivery) => delivery.status === 200));
});

test("a forged webhook is refused", async () => {
  await control("POST", "/events/hold");
  await say("Hello");
  await control("POST", "/events/spoil", { tamper: "signature" });
  await control("POST", "/events/release");

  assert.deepEqual(await texts(1), ["Hello"]);
  const [delivery] = await control("GET", "/deliveries");
  assert.deepEqual([delivery.status, delivery.error], [400, "The signature or the time is wrong."]);
});
