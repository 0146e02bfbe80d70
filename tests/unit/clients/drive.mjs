// Runs the vectors of tests/golden/gateway through the JavaScript client; prints what it made of them, as JSON.
// node drive.mjs CLIENT patches|stories VECTORS
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { deflateSync } from "node:zlib";

const [client, kind, vectors] = process.argv.slice(2);
const { OptionAro, applyPatch } = await import(pathToFileURL(client));
const told = JSON.parse(readFileSync(vectors, "utf8"));
const CHANNEL = "ticks:NIFTY";

function patches() {
  const results = told.apply.map(({ before, patch }) => {
    const kept = JSON.stringify(before);
    const after = applyPatch(before, patch);
    return { after, untouched: JSON.stringify(before) === kept };
  });
  const refused = told.refuse.map(({ before, patch }) => {
    try {
      return applyPatch(before, patch);
    } catch {
      return "refused";
    }
  });
  const own = applyPatch(JSON.parse('{"__proto__": {"a": 1}}'), JSON.parse('{"in": {"__proto__": {"put": {"a": 2}}}}'));
  return { applied: results, refused, prototype: JSON.stringify(own), polluted: {}.a ?? null };
}

class FakeSocket {
  handlers = {};
  connected = false;
  constructor(log) {
    this.log = log;
  }
  on(name, handler) {
    (this.handlers[name] ??= []).push(handler);
  }
  fire(name, ...payload) {
    this.connected = name === "connect" || (this.connected && name !== "disconnect");
    for (const handler of this.handlers[name] ?? []) handler(...payload);
  }
  emit(name, payload, answer) {
    this.log.push(name === "subscribe" ? [name, payload.resume[CHANNEL] ?? {}] : [name, ...(payload.token ? [payload.token] : [])]);
    if (name === "subscribe") answer?.({ ok: payload.channels.map((channel) => ({ channel })), rejected: [] });
    else answer?.({ ok: true });
  }
  disconnect() {
    this.connected = false;
  }
}

async function settled() {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setTimeout(resolve, 0));
}

function payload(story, [name, ...rest]) {
  if (name === "heartbeat") return { server_ts: 0, channels: { [CHANNEL]: rest[0] } };
  if (name === "resync") return { channel: CHANNEL, reason: rest[0] };
  if (name === "draining") return { retry_after: rest[0] };
  if (name === "error") return { code: rest[0], detail: "" };
  if (name === "auth_expiring") return { expires_ts: 0 };
  const [epoch, seq, state, prev] = rest;
  if (name === "unreadable") return { channel: CHANNEL, epoch, seq, data: Buffer.from("no zlib") };
  const data = story.deflate ? deflateSync(JSON.stringify(state)) : state;
  return { channel: CHANNEL, epoch, seq, data, ...(prev === undefined ? {} : { prev_seq: prev }) };
}

async function play(story) {
  let log = [];
  let socket;
  let tokens = 0;
  const entries = { push: (entry) => log.push(entry) };
  const aro = new OptionAro(() => (socket = new FakeSocket(entries)), {
    url: "",
    token: async () => `token ${(tokens += 1)}`,
    onNotice: (name) => ["connected", "disconnected"].includes(name) || entries.push(["notice", name]),
  });
  const onState = (_, state, { event, seq, skipped }) => entries.push(["state", event, seq, skipped, state]);
  aro.subscribe([CHANNEL], onState, story.options);
  aro.start();
  const logs = [];
  for (const { do: step } of story.steps) {
    log = [];
    if (step[0] === "unsubscribe") aro.unsubscribe([CHANNEL]);
    else if (step[0] === "drop") socket.fire("disconnect", step[1] === "server" ? "io server disconnect" : step[1]);
    else {
      await settled();
      socket.fire(step[0] === "unreadable" ? "snapshot" : step[0], step[0] === "connect" ? undefined : payload(story, step));
    }
    await settled();
    logs.push(log);
  }
  aro.close();
  return logs;
}

const results = kind === "patches" ? patches() : await Promise.all(told.stories.map(play));
process.stdout.write(JSON.stringify(results), () => process.exit(0));
