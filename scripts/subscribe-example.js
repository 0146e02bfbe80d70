#!/usr/bin/env node
// Log in, subscribe, and print what the market says, one aligned line per message. See --help.
"use strict";

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { parseArgs } = require("node:util");

const HELP = `usage: node scripts/subscribe-example.js [options] [channel ...]

Without channels: ticks, and metrics of the nearest expiry, of NIFTY and BANKNIFTY.
Channels: ticks:NIFTY  metrics:NIFTY:2026-12-29  metrics:NIFTY:*  chain:NIFTY:2026-12-29  status

  --count N     stop after N lines
  --seconds N   stop after N seconds

environment:
  ARO_AUTH_URL      default http://127.0.0.1:8000
  ARO_GATEWAY_URL   default http://127.0.0.1:8010
  ARO_EMAIL, ARO_PASSWORD   else the demo account in $ARO_HOME/demo.json
  ARO_TOKEN         an access token, instead of logging in

exit code: 0 done, 2 wrong usage, 3 refused, 4 not reachable, 5 closed by the gateway`;

const EXIT = { done: 0, usage: 2, refused: 3, unreachable: 4, closed: 5 };
const FIRST_CONNECT_MS = 10_000;
const RETRY_MS = 1_000;
const DEFAULT_PRODUCTS = ["NIFTY", "BANKNIFTY"];

async function main() {
  const options = readArguments();
  const io = loadSocketIo();
  process.stdout.on("error", () => process.exit(EXIT.done)); // "| head" has seen enough
  const account = new Account();
  await account.token(); // a wrong password is said at once, and not as a refused socket
  new Subscriber(io, account, options).start();
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { count: { type: "string" }, seconds: { type: "string" }, help: { type: "boolean", short: "h" } },
    });
    if (values.help) finish(EXIT.done, HELP, console.log);
    return { channels: positionals, count: positive(values.count), seconds: positive(values.seconds) };
  } catch (error) {
    return finish(EXIT.usage, `${error.message}\n\n${HELP}`);
  }
}

function positive(text) {
  if (text === undefined) return Infinity;
  const number = Number(text);
  if (!(number > 0)) throw new Error(`${text} is not a positive number`);
  return number;
}

function loadSocketIo() {
  try {
    return require("socket.io-client").io;
  } catch {
    return finish(EXIT.usage, "socket.io-client is not installed; run: npm ci --prefix scripts");
  }
}

/** The account that is logged in, and its access token for as long as that is good. */
class Account {
  constructor() {
    this.url = (process.env.ARO_AUTH_URL || "http://127.0.0.1:8000").replace(/\/$/, "");
    this.renewAt = 0;
  }

  async token() {
    if (process.env.ARO_TOKEN) return process.env.ARO_TOKEN;
    if (Date.now() >= this.renewAt) await this.logIn();
    return this.current;
  }

  async logIn() {
    let answer;
    try {
      answer = await fetch(`${this.url}/api/v1/auth/login`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(credentials()),
        signal: AbortSignal.timeout(10_000),
      });
    } catch (error) {
      return finish(EXIT.unreachable, `cannot log in: ${this.url} does not answer (${error.cause?.code || error.name})`);
    }
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) return finish(EXIT.refused, `cannot log in: ${body.detail || `HTTP ${answer.status}`}`);
    this.current = body.access_token;
    this.renewAt = Date.now() + ((body.expires_in || 900) - 90) * 1_000;
  }
}

function credentials() {
  const { ARO_EMAIL: email, ARO_PASSWORD: password } = process.env;
  if (email && password) return { email, password };
  const state = process.env.XDG_STATE_HOME || path.join(os.homedir(), ".local", "state");
  const file = path.join(process.env.ARO_HOME || path.join(state, "option-aro"), "demo.json");
  try {
    const demo = JSON.parse(fs.readFileSync(file, "utf8"));
    return { email: demo.email, password: demo.password };
  } catch {
    return finish(EXIT.usage, `set ARO_EMAIL and ARO_PASSWORD: there is no demo account in ${file}; is the platform started?`);
  }
}

/** Follows channels and knows for each which message is the next one, so that no hole stays unnoticed. */
class Subscriber {
  constructor(io, account, options) {
    this.account = account;
    this.options = options;
    this.wanted = options.channels.length
      ? options.channels
      : DEFAULT_PRODUCTS.flatMap((product) => [`ticks:${product}`, `metrics:${product}:*`]);
    this.positions = new Map(); // channel -> {epoch, seq}
    this.awaited = new Set();
    this.far = new Set(); // expiries that the default view leaves out; their snapshots are on their way still
    this.printer = new Printer();
    this.hasConnected = false;
    this.url = (process.env.ARO_GATEWAY_URL || "http://127.0.0.1:8010").replace(/\/$/, "");
    this.socket = io(`${this.url}/v1`, {
      transports: ["websocket"],
      reconnectionDelayMax: 5_000,
      autoConnect: false,
      auth: (give) => account.token().then((token) => give({ token })),
    });
  }

  start() {
    const on = (name, handler) => this.socket.on(name, handler.bind(this));
    on("connect", this.onConnect);
    on("connect_error", this.onConnectError);
    on("disconnect", this.onDisconnect);
    on("snapshot", this.take);
    on("update", this.onUpdate);
    on("heartbeat", this.onHeartbeat);
    on("resync", ({ channel, reason }) => say(`${channel}: a new snapshot follows, because of ${words(reason)}`));
    on("auth_expiring", this.onAuthExpiring);
    on("draining", ({ retry_after }) => say(`the gateway is shutting down; it asks to come back within ${retry_after} s`));
    on("error", this.onError);
    this.socket.connect();
    setTimeout(() => {
      if (!this.hasConnected) finish(EXIT.unreachable, `no connection to ${this.url} within ${FIRST_CONNECT_MS / 1_000} s`);
    }, FIRST_CONNECT_MS).unref();
    if (Number.isFinite(this.options.seconds)) setTimeout(() => finish(EXIT.done), this.options.seconds * 1_000);
    process.on("SIGINT", () => finish(EXIT.done));
  }

  onConnect() {
    say(this.hasConnected ? "connected again" : `connected to ${this.url}`);
    this.hasConnected = true;
    this.lastError = undefined;
    // Channels that are followed already are resumed by name: a pattern could stand for others by now.
    const followed = [...this.positions.keys()];
    const open = this.wanted.filter((name) => !followed.some((channel) => matches(name, channel)));
    if (followed.length) this.subscribe(followed, Object.fromEntries(this.positions));
    if (open.length) this.subscribe(open);
  }

  subscribe(channels, resume) {
    const request = resume ? { channels, resume } : { channels };
    this.socket.timeout(10_000).emit("subscribe", request, (lost, answer) => {
      if (lost || !this.socket.connected) return; // connecting again subscribes again
      if (answer.error) return finish(EXIT.refused, `${answer.error.code}: ${answer.error.detail}`);
      if (resume) {
        const recovered = answer.ok.filter((entry) => entry.recovered).length;
        say(`${recovered} of ${answer.ok.length} channels recovered without loss, the others by a snapshot`);
      } else {
        this.leaveFarExpiries(answer.ok.map((entry) => entry.channel));
      }
      answer.rejected.forEach((entry) => this.onRejected(entry));
    });
  }

  leaveFarExpiries(channels) {
    if (this.options.channels.length) return;
    for (const product of DEFAULT_PRODUCTS) {
      const expiries = channels.filter((channel) => channel.startsWith(`metrics:${product}:`)).sort();
      const far = expiries.slice(1);
      far.forEach((channel) => this.far.add(channel));
      if (far.length) this.socket.emit("unsubscribe", { channels: far });
    }
  }

  onRejected({ channel, code, detail }) {
    const comesLater = code === "unknown_expiry" || code === "service_unavailable";
    if (!comesLater) return finish(EXIT.refused, `${channel} was rejected: ${code}: ${detail}`);
    if (!this.awaited.has(channel)) say(`${detail}; waiting for it`);
    this.awaited.add(channel);
    this.positions.delete(channel);
    setTimeout(() => this.socket.connected && this.subscribe([channel]), RETRY_MS);
  }

  onConnectError(error) {
    const code = error.data?.code;
    if (code === "service_unavailable") {
      say(`refused for the moment: ${error.data.detail}`);
      setTimeout(() => this.socket.connect(), RETRY_MS);
    } else if (code) {
      finish(EXIT.refused, `the gateway refused: ${code}: ${error.data.detail}`);
    } else if (error.message !== this.lastError) {
      this.lastError = error.message;
      say(`no connection to ${this.url} (${error.message}); trying on`);
    }
  }

  onDisconnect(reason) {
    if (reason !== "io server disconnect") return say(`disconnected (${reason}); connecting again`);
    // The gateway meant it: official clients do not come back by themselves from this.
    if (this.lastProblem?.code !== "token_expired" || process.env.ARO_TOKEN) {
      return finish(EXIT.closed, `closed by the gateway: ${this.lastProblem?.detail || "no reason given"}`);
    }
    this.account.renewAt = 0;
    return this.socket.connect();
  }

  onUpdate(message) {
    const last = this.positions.get(message.channel);
    if (last?.epoch === message.epoch) {
      if (message.seq <= last.seq) return; // older than what is shown
      const missed = message.seq - last.seq - 1;
      if (missed) say(`${message.channel}: ${missed} messages were missed; this one holds the whole state again`);
    }
    this.take(message);
  }

  onHeartbeat({ channels }) {
    for (const [channel, seq] of Object.entries(channels)) {
      const last = this.positions.get(channel);
      if (last && seq !== null && seq > last.seq) {
        say(`${channel}: messages after ${last.seq} did not come; asking for the state`);
        this.subscribe([channel]);
      }
    }
  }

  take({ channel, epoch, seq, data }) {
    if (this.far.has(channel)) return;
    this.positions.set(channel, { epoch, seq });
    this.printer.print(channel, seq, data);
    this.options.count -= 1;
    if (this.options.count <= 0) finish(EXIT.done);
  }

  async onAuthExpiring() {
    this.account.renewAt = 0;
    const token = await this.account.token();
    this.socket.emit("auth", { token }, (answer) => say(answer.ok ? "token renewed" : `token not renewed: ${answer.error.detail}`));
  }

  onError(problem) {
    this.lastProblem = problem;
    say(`error from the gateway: ${problem.code}: ${problem.detail}`);
  }
}

/** Aligned columns, with their names repeated now and then. */
class Printer {
  static COLUMNS = [
    ["time", 12], ["product", -10], ["expiry", -10], ["spot", 10], ["forward", 10],
    ["ATM IV", 7], ["straddle", 9], ["PCR", 6], ["max pain", 9], ["seq", 8],
  ];
  static HEADER_EVERY = 25;

  constructor() {
    this.lines = 0;
  }

  print(channel, seq, data) {
    const [kind, product] = channel.split(":");
    if (this.lines++ % Printer.HEADER_EVERY === 0) this.row(Printer.COLUMNS.map(([name]) => name));
    const time = new Date(data.source_ts ?? data.server_ts).toISOString().slice(11, 23);
    if (kind === "ticks") return this.row([time, product, "", fixed(data.price), "", "", "", "", "", seq]);
    if (kind === "status") return console.log(`${time} ${status(data)}`);
    const shown = kind === "chain" ? atTheMoney(data) : data;
    return this.row([
      time, product, data.expiry, fixed(data.spot), fixed(data.forward), percent(shown.iv_atm),
      fixed(shown.atm_straddle), fixed(shown.pcr_oi), fixed(shown.max_pain, 0), seq,
    ]);
  }

  row(cells) {
    const padded = cells.map((cell, column) => {
      const width = Printer.COLUMNS[column][1];
      return width < 0 ? String(cell).padEnd(-width) : String(cell).padStart(width);
    });
    console.log(padded.join(" "));
  }
}

/** What a chain says at its ATM strike; the chain itself has all the others. */
function atTheMoney({ strikes, atm_strike, calls, puts }) {
  const at = strikes.indexOf(atm_strike);
  const both = (column) => [calls[column][at], puts[column][at]].filter((value) => typeof value === "number");
  const ivs = both("iv");
  const mids = both("mid");
  return {
    iv_atm: ivs.length ? ivs.reduce((sum, iv) => sum + iv, 0) / ivs.length : null,
    atm_straddle: mids.length === 2 ? mids[0] + mids[1] : null,
    pcr_oi: null,
    max_pain: null,
  };
}

function status({ products, dead_letters }) {
  const states = products.map(({ product, state, age_ms }) => `${product} ${state} (${(age_ms / 1_000).toFixed(1)} s)`);
  return `${states.join(", ")}; dead letters: ${dead_letters}`;
}

function fixed(value, digits = 2) {
  return typeof value === "number" ? value.toFixed(digits) : "-";
}

function percent(value) {
  return typeof value === "number" ? `${(value * 100).toFixed(2)}%` : "-";
}

function matches(name, channel) {
  return name === channel || (name.endsWith(":*") && channel.startsWith(name.slice(0, -1)));
}

function words(reason) {
  return { epoch_changed: "a new history on the server", gap: "a hole that could not be filled" }[reason] || reason;
}

function say(text) {
  console.error(`# ${text}`);
}

function finish(code, text, print = say) {
  if (text) print(text);
  process.exit(code);
}

main();
