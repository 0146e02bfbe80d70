// An official socket.io-client as it comes: subscribes, resumes after reconnections, renews its token; prints what it is told.
// node follow.mjs PACKAGE URL '{"first": token, "next": token, "forms": [{channel, options}]}'
// One JSON array per line: [name, payload]; binary data as {"deflate": base64}. Ends when its input does.
const [name, url, told] = process.argv.slice(2);
const { io } = await import(name);
const { first, next, forms } = JSON.parse(told);
const positions = {};
const say = (event, payload) => process.stdout.write(`${JSON.stringify([event, payload ?? null])}\n`);

const socket = io(`${url}/v1`, {
  transports: ["websocket"],
  reconnectionDelay: 100,
  reconnectionDelayMax: 300,
  auth: { token: first },
});
socket.on("connect", () => {
  say("connect", { engine: socket.io.engine.transport.name });
  for (const { channel, options } of forms) {
    const resume = positions[channel] ? { [channel]: positions[channel] } : {};
    socket.emit("subscribe", { channels: [channel], resume, ...options }, (answer) => say("ack", answer));
  }
});
socket.on("connect_error", (error) => {
  say("connect_error", error.data ?? error.message);
  if (error.data?.code === "service_unavailable") setTimeout(() => socket.connect(), 100);
});
socket.on("disconnect", (reason) => say("disconnect", reason));
socket.on("auth_expiring", () => socket.emit("auth", { token: next }, (answer) => say("auth", answer)));
for (const event of ["snapshot", "update", "delta"]) {
  socket.on(event, (message) => {
    positions[message.channel] = { epoch: message.epoch, seq: message.seq };
    const { data } = message;
    say(event, Buffer.isBuffer(data) ? { ...message, data: { deflate: data.toString("base64") } } : message);
  });
}
for (const event of ["heartbeat", "resync", "draining", "error"]) socket.on(event, (payload) => say(event, payload));

process.stdin.resume();
process.stdin.on("end", () => {
  socket.disconnect();
  process.exit(0);
});
