// The bot of ../bot in node, with nothing but what node brings: it answers each message once.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

export class TalkJS {
  constructor({ baseUrl = "https://api.talkjs.com", appId, secretKey }) {
    Object.assign(this, { baseUrl, appId, secretKey });
  }

  token() {
    const now = Math.floor(Date.now() / 1000);
    const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ tokenType: "app", iss: this.appId, exp: now + 30 })}`;
    return `${signed}.${createHmac("sha256", this.secretKey).update(signed).digest("base64url")}`;
  }

  // Everything here may be repeated: a message has a key.
  async call(method, path, body) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const answer = await fetch(`${this.baseUrl}/v1/${this.appId}${path}`, {
          method,
          headers: { Authorization: `Bearer ${this.token()}`, "Content-Type": "application/json" },
          body: body && JSON.stringify(body),
        });
        if (answer.ok) return await answer.json();
        if (answer.status < 500 && answer.status !== 429) throw new Error(`${method} ${path}: ${answer.status}`);
      } catch (error) {
        if (!(error instanceof TypeError) || attempt === 4) throw error; // fetch's own: no connection.
      }
      if (attempt === 4) throw new Error(`${method} ${path}: TalkJS is out of reach`);
      await new Promise((resume) => setTimeout(resume, 50 * attempt));
    }
  }

  send(conversation, sender, text, idempotencyKey) {
    return this.call("POST", `/conversations/${encodeURIComponent(conversation)}/messages`, [
      { type: "UserMessage", sender, text, idempotencyKey },
    ]);
  }
}

function isGenuine({ headers, body, secretKey }) {
  const timestamp = headers["x-talkjs-timestamp"] ?? "";
  const given = Buffer.from(headers["x-talkjs-signature"] ?? "");
  const expected = Buffer.from(
    createHmac("sha256", secretKey).update(`${timestamp}.`).update(body).digest("hex").toUpperCase(),
  );
  const fresh = Math.abs(Number(timestamp) - Date.now()) < 5 * 60_000;
  return fresh && given.length === expected.length && timingSafeEqual(given, expected);
}

export function serve(talkjs) {
  return createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    if (!isGenuine({ headers: request.headers, body, secretKey: talkjs.secretKey })) {
      response.writeHead(400).end("The signature or the time is wrong.");
      return;
    }
    response.writeHead(200).end();
    const event = JSON.parse(body);
    const { message, conversation, sender } = event.data;
    if (event.type === "message.sent" && sender && sender.id !== "bot")
      await talkjs.send(conversation.id, "bot", `You said: ${message.text}`, event.id);
  });
}
