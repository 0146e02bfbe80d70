// socket.io as its documentation shows it: clients join a room, what Redis publishes is emitted to it.
"use strict";

const { createServer } = require("node:http");
const { createClient } = require("redis");
const { Server } = require("socket.io");

const { PEER_REDIS_URL, PEER_CHANNEL, PEER_PORT } = process.env;

async function main() {
  const http = createServer();
  const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false, serveClient: false });
  io.on("connection", (socket) => {
    socket.on("join", async (room, done) => {
      await socket.join(room);
      done();
    });
  });
  const feed = createClient({ url: PEER_REDIS_URL });
  feed.on("error", (error) => console.error(error));
  await feed.connect();
  await feed.subscribe(PEER_CHANNEL, (text) => io.to("bench").emit("m", JSON.parse(text)));
  http.listen({ port: Number(PEER_PORT), host: "127.0.0.1", backlog: 511 });
}

main();
