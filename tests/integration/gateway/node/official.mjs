// The official client of examples/ in Node.js: prints [channel, state, info] of what it is told, and [notice, payload].
// node official.mjs PACKAGE CLIENT URL '{"first": token, "next": token, "forms": [{channel, options}]}'
import { pathToFileURL } from "node:url";

const [name, client, url, told] = process.argv.slice(2);
const { io } = await import(name);
const { OptionAro } = await import(pathToFileURL(client));
const { first, next, forms } = JSON.parse(told);
const tokens = [first, next];
const say = (...parts) => process.stdout.write(`${JSON.stringify(parts)}\n`);

const token = () => {
  say("token", {});
  return tokens.shift() ?? next;
};
const aro = new OptionAro(io, { url, token, onNotice: (event, payload) => say(event, payload) });
for (const { channel, options } of forms) aro.subscribe([channel], say, options);
aro.start();
process.stdin.resume();
process.stdin.on("end", () => {
  aro.close();
  process.exit(0);
});
