-- One accepted publication per call, or nothing: fencing, numbering, history and announcement in one step.
-- KEYS: live hash, log stream. ARGV: source_seq, data, log length, channel.
-- The server's run id is written into the text before loading. A restarted server therefore does not know this
-- script, and no worker can go on numbering a history whose last second the restart may have lost.
local run = '@run_id@'
local state = redis.call('HMGET', KEYS[1], 'run', 'epoch', 'seq', 'source_seq')
local epoch, seq = state[2], tonumber(state[3] or '0')
if state[4] and tonumber(ARGV[1]) <= tonumber(state[4]) then
  return {0, epoch, seq}
end
local time = redis.call('TIME')
local now_ms = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
if state[1] ~= run then
  epoch = string.format('%x%05x', time[1], time[2])
  seq = 0
  redis.call('DEL', KEYS[2])
  redis.call('SADD', 'live-channels', ARGV[4])
end
seq = seq + 1
redis.call('HSET', KEYS[1], 'run', run, 'epoch', epoch, 'seq', seq, 'source_seq', ARGV[1], 'ts', now_ms, 'data', ARGV[2])
redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[3], seq .. '-0', 's', ARGV[1], 'd', ARGV[2])
redis.call('PUBLISH', 'live', ARGV[4] .. ' ' .. epoch .. ' ' .. seq .. ' ' .. ARGV[1] .. ' ' .. now_ms .. '\n' .. ARGV[2])
return {1, epoch, seq}
