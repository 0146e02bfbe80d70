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
const DEFAULT_PRODUCTS = ["NIFTY", "BANKNIFTY"];
const AUTH_URL = (process.env.ARO_AUTH_URL || "http://127.0.0.1:8000").replace(/\/$/, "");
const GATEWAY_URL = (process.env.ARO_GATEWAY_URL || "http://127.0.0.1:8010").replace(/\/$/, "");
const COMES_LATER = ["unknown_expiry", "service_unavailable"];

async function main() {
  const options = readArguments();
  const io = loadSocketIo();
  const { OptionAro, login } = await import("../examples/option-aro-client.mjs");
  process.stdout.on("error", () => process.exit(EXIT.done)); // "| head" has seen enough
  const source = process.env.ARO_TOKEN ? () => process.env.ARO_TOKEN : login(AUTH_URL, ...credentials());
  let first = await firstToken(source); // a wrong password is said at once, and not as a refused socket
  const token = () => {
    const known = first;
    first = undefined;
    return known ?? source();
  };
  new Subscriber(OptionAro, io, token, options).start();
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

function credentials() {
  const { ARO_EMAIL: email, ARO_PASSWORD: password } = process.env;
  if (email && password) return [email, password];
  const state = process.env.XDG_STATE_HOME || path.join(os.homedir(), ".local", "state");
  const file = path.join(process.env.ARO_HOME || path.join(state, "option-aro"), "demo.json");
  try {
    const demo = JSON.parse(fs.readFileSync(file, "utf8"));
    return [demo.email, demo.password];
  } catch {
    return finish(EXIT.usage, `set ARO_EMAIL and ARO_PASSWORD: there is no demo account in ${file}; is the platform started?`);
  }
}

async function firstToken(source) {
  try {
    return await source();
  } catch (error) {
    const isAway = error instanceof TypeError; // what fetch says when nobody answers
    if (isAway) return finish(EXIT.unreachable, `cannot log in: ${AUTH_URL} does not answer (${error.cause?.code || error.message})`);
    return finish(EXIT.refused, `cannot log in: ${error.message}`);
  }
}

/** Prints what the official client brings, and says what happens beside it. */
class Subscriber {
  constructor(OptionAro, io, token, options) {
    this.options = options;
    this.awaited = new Set();
    this.nearest = new Map(); // product -> the expiry that the default view shows
    this.printer = new Printer();
    this.hasConnected = false;
    this.client = new OptionAro(io, { url: GATEWAY_URL, token, onNotice: (name, payload) => this.notices[name]?.(payload) });
    const products = DEFAULT_PRODUCTS.flatMap((product) => [`ticks:${product}`, `metrics:${product}:*`]);
    const channels = options.channels.length ? options.channels : products;
    this.client.subscribe(channels, (channel, state, info) => this.take(channel, state, info), { delta: true });
  }

  start() {
    this.client.start();
    setTimeout(() => {
      if (!this.hasConnected) finish(EXIT.unreachable, `no connection to ${GATEWAY_URL} within ${FIRST_CONNECT_MS / 1_000} s`);
    }, FIRST_CONNECT_MS).unref();
    if (Number.isFinite(this.options.seconds)) setTimeout(() => finish(EXIT.done), this.options.seconds * 1_000);
    process.on("SIGINT", () => finish(EXIT.done));
  }

  take(channel, state, { seq, skipped }) {
    if (this.isFar(channel)) return this.client.unsubscribe([channel]);
    if (skipped) say(`${channel}: ${skipped} messages were left out; this one holds the whole state again`);
    this.printer.print(channel, seq, state);
    this.options.count -= 1;
    if (this.options.count <= 0) finish(EXIT.done);
    return undefined;
  }

  /** Whether the default view leaves it out: all expiries but the nearest, which comes first. */
  isFar(channel) {
    const [kind, product, expiry] = channel.split(":");
    if (this.options.channels.length || kind !== "metrics") return false;
    if (!this.nearest.has(product)) this.nearest.set(product, expiry);
    return expiry !== this.nearest.get(product);
  }

  notices = {
    connected: () => {
      say(this.hasConnected ? "connected again" : `connected to ${GATEWAY_URL}`);
      this.hasConnected = true;
      this.nearest.clear(); // the nearest one may be over by now
      this.lastReason = undefined;
    },
    disconnected: ({ reason }) => {
      if (reason === this.lastReason) return;
      this.lastReason = reason;
      say(this.hasConnected ? `disconnected (${reason}); connecting again` : `no connection to ${GATEWAY_URL} (${reason}); trying on`);
    },
    resumed: ({ channels, recovered }) => say(`${recovered} of ${channels} channels recovered without loss, the others by a snapshot`),
    rejected: ({ channel, code, detail }) => {
      if (!COMES_LATER.includes(code)) finish(EXIT.refused, `${channel} was rejected: ${code}: ${detail}`);
      if (!this.awaited.has(channel)) say(`${detail}; waiting for it`);
      this.awaited.add(channel);
    },
    hole: ({ channel, why }) => say(`${channel}: asking for the state: ${why}`),
    resync: ({ channel, reason }) => say(`${channel}: a new snapshot follows, because of ${words(reason)}`),
    draining: ({ retry_after }) => say(`the gateway is shutting down; it asks to come back within ${retry_after} s`),
    error: ({ code, detail }) => say(`error: ${code}: ${detail}`),
    refused: ({ code, detail }) => {
      if (this.hasConnected) finish(EXIT.closed, `closed by the gateway: ${detail}`);
      finish(EXIT.refused, `the gateway refused: ${code}: ${detail}`);
    },
  };
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
