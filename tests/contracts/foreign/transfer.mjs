// Copies one app into another, with node's own fetch and nothing of this package: the calls of
// TalkJS's newest program. Usage: node transfer.mjs <base URL> <app ID> <secret key>
// The second app is an anonymous project of its own. Prints one JSON object: what was seen.
import { createHmac } from "node:crypto";

const [baseUrl, appId, secretKey] = process.argv.slice(2);
const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const THUMB = encodeURIComponent("👍");
const BEGIN = 1_558_096_200_000;

function tokenOf(app) {
  const now = Math.floor(Date.now() / 1000);
  const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ tokenType: "app", iss: app.id, exp: now + 30 })}`;
  return `${signed}.${createHmac("sha256", app.key).update(signed).digest("base64url")}`;
}

async function call(app, method, path, body) {
  const answer = await fetch(`${baseUrl}/v1/${app.id}${path}`, {
    method,
    headers: {
      Authorization: `Bearer ${tokenOf(app)}`,
      ...(method !== "GET" && { "Content-Type": "application/json" }),
    },
    body: body && JSON.stringify(body),
  });
  if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

async function* all(app, path, limit) {
  for (let after = ""; ; ) {
    const { data } = await call(app, "GET", `${path}?limit=${limit}${after && `&startingAfter=${after}`}`);
    yield* data;
    if (data.length < limit) return;
    after = encodeURIComponent(data.at(-1).id);
  }
}

async function collect(items) {
  const found = [];
  for await (const item of items) found.push(item);
  return found;
}

async function upload(app, filename, bytes) {
  const form = new FormData();
  form.append("file", new Blob([bytes], { type: "application/pdf" }), "blob");
  form.append("filename", filename);
  const answer = await fetch(`${baseUrl}/v1/${app.id}/files`, {
    method: "POST",
    headers: { Authorization: `Bearer ${app.key}` },
    body: form,
  });
  const { fileToken, attachmentToken } = await answer.json();
  return fileToken ?? attachmentToken;
}

async function reactors(app, message, emoji) {
  const answer = await call(app, "GET", `${message}/reactions/${emoji}?limit=100`);
  return (answer.data ?? answer).map((one) => one.userId);
}

// What cannot be: an app and a path that there are not.
const seen = {};
const nobody = await fetch(`${baseUrl}/v1/none/users`);
seen.unknownApp = [nobody.status, await nobody.text(), nobody.headers.get("content-type")];
const nothing = await fetch(`${baseUrl}/v1/${appId}/nothing`, { headers: { Authorization: `Bearer ${secretKey}` } });
seen.unknownPath = [nothing.status, await nothing.json(), nothing.headers.get("content-type")];

// A second app, which needs no account.
const source = { id: appId, key: secretKey };
const made = await (await fetch(`${baseUrl}/v1/anonymousAccounts`, { method: "POST" })).json();
const project = await (await fetch(`${baseUrl}/v1/anonymousAccounts/${made.accessToken}`)).json();
const target = { id: project.appId, key: project.secretKey };

// Fill the first.
await call(source, "PUT", "/users", { alice: { name: "Alice" }, bob: { name: "Bob" }, eve: { name: "Eve" } });
await call(source, "PUT", "/conversations/chat", { participants: ["alice", "bob", "eve"], subject: "Trip" });
const fresh = await call(source, "GET", "/conversations/chat");
seen.fresh = [fresh.lastMessage, fresh.photoUrl, fresh.welcomeMessages, fresh.topicId, fresh.everyoneReadUntil];
const fileToken = await upload(source, "Plan ü.pdf", "%PDF-1.7");
const items = [
  { type: "SystemMessage", createdAt: BEGIN, text: "Alice came" },
  { type: "UserMessage", sender: "bob", createdAt: BEGIN + 1, content: [{ type: "location", latitude: 51.5, longitude: -3.25 }] },
  { type: "UserMessage", sender: "bob", createdAt: BEGIN + 2, content: [{ type: "file", fileToken }] },
];
for (let number = items.length; number < 100; number += 1) {
  const children = [{ type: "bold", children: [`${number}`] }, "!"];
  items.push({ type: "UserMessage", sender: "alice", createdAt: BEGIN + number, content: [{ type: "text", children }], custom: { number: `${number}` } });
}
const imported = await call(source, "POST", "/import/conversations/chat/messages", items);
seen.imported = imported.length;
const liked = `/conversations/chat/messages/${imported[3].id}`;
for (const user of ["alice", "bob"]) await call(source, "PUT", `${liked}/reactions/${THUMB}/${user}`, {});
await call(source, "PATCH", "/conversations/chat/participants/bob", { readUntil: BEGIN + 50 });
await call(source, "PATCH", "/conversations/chat/participants/eve", { access: "None" });

// Copy it into the second.
for await (const { id, name } of all(source, "/users", 100)) await call(target, "PUT", `/users/${id}`, { name });
for await (const { id, subject, participants } of all(source, "/conversations", 30)) {
  const path = `/conversations/${id}`;
  await call(target, "PUT", path, { subject, participants: Object.keys(participants) });
  const messages = (await collect(all(source, `${path}/messages`, 100))).reverse();
  const copies = [];
  for (const message of messages) {
    const content = [];
    for (const block of message.content) {
      if (block.type !== "file") content.push(block);
      else {
        const bytes = await (await fetch(block.url)).arrayBuffer();
        content.push({ type: "file", fileToken: await upload(target, block.filename, bytes) });
      }
    }
    const { type, createdAt, senderId, custom } = message;
    copies.push({ type, createdAt, content, ...(senderId && { sender: senderId }), ...(Object.keys(custom ?? {}).length && { custom }) });
  }
  const ids = await call(target, "POST", `/import${path}/messages`, copies);
  for (const [place, message] of messages.entries())
    for (const emoji of Object.keys(message.reactions ?? {}))
      for (const user of await reactors(source, `${path}/messages/${message.id}`, encodeURIComponent(emoji)))
        await call(target, "PUT", `${path}/messages/${ids[place].id}/reactions/${encodeURIComponent(emoji)}/${user}`, {});
  for (const [user, { access, notify, readUntil }] of Object.entries(participants))
    await call(target, "PATCH", `${path}/participants/${user}`, { access, notify, ...(readUntil && { readUntil }) });
}

// What both have now, without what is new by nature.
async function contents(app) {
  const { participants, everyoneReadUntil, subject } = await call(app, "GET", "/conversations/chat");
  const messages = await collect(all(app, "/conversations/chat/messages", 100));
  const people = Object.entries(participants).map(([user, one]) => [user, one.access, one.notify, one.readUntil, typeof one.joinedAt]);
  return {
    users: (await collect(all(app, "/users", 100))).map(({ id, name }) => `${id} ${name}`).sort(),
    subject,
    everyoneReadUntil,
    people: people.sort(),
    reactors: (await reactors(app, `/conversations/chat/messages/${messages.at(-4).id}`, THUMB)).sort(),
    messages: messages.map(({ type, senderId, createdAt, text, custom, origin, content: [{ url, fileToken, ...block }] }) =>
      ({ type, senderId, createdAt, text, custom, origin, block })),
  };
}
seen.source = await contents(source);
seen.target = await contents(target);
console.log(JSON.stringify(seen));
