-- Accepted publications of a few channels, each in one step: fencing, numbering, history and announcement.
-- KEYS: live hash and log stream of each. ARGV: source_seq, data, log length and channel of each.
-- The server's run id is written into the text before loading. A restarted server therefore does not know this
-- script, and no worker can go on numbering a history whose last second the restart may have lost.
local run = '@run_id@'
local time = redis.call('TIME')
local now_ms = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local answers = {}
for i = 1, #KEYS / 2 do
  local live, log = KEYS[2 * i - 1], KEYS[2 * i]
  local source_seq, data, length, channel = ARGV[4 * i - 3], ARGV[4 * i - 2], ARGV[4 * i - 1], ARGV[4 * i]
  -- A replay session has a bus and an index of its own, and nothing is published for one that is over.
  local session = string.match(channel, '^replay:(%x+):')
  local bus, index = 'live', 'live-channels'
  local wanted = true
  if session then
    bus, index = 'replay:' .. session, 'replay:' .. session .. ':channels'
    wanted = redis.call('HEXISTS', 'replay:orders', session) == 1
  end
  local state = redis.pcall('HMGET', live, 'run', 'epoch', 'seq', 'source_seq')
  if state.err then
    -- No publisher wrote this. It gives way, or its neighbours in this call would wait with it.
    redis.call('DEL', live)
    state = {}
  end
  local epoch, seq, held = state[2], tonumber(state[3] or ''), tonumber(state[4] or '')
  if not wanted or (epoch and seq and held and tonumber(source_seq) <= held) then
    answers[i] = {0, epoch or '', seq or 0}
  else
    if state[1] ~= run or not (epoch and seq and held) then
      epoch = string.format('%x%05x', time[1], time[2])
      seq = 0
      redis.call('DEL', log)
      redis.call('SADD', index, channel)
    end
    seq = seq + 1
    redis.call('HSET', live, 'run', run, 'epoch', epoch, 'seq', seq, 'source_seq', source_seq, 'ts', now_ms, 'data', data)
    -- The log ends with the epoch, and that with the server: on disk it would be half of all that Redis writes.
    redis.set_repl(redis.REPL_NONE)
    local added = redis.pcall('XADD', log, 'MAXLEN', length, seq .. '-0', 's', source_seq, 'd', data)
    if type(added) == 'table' and added.err then
      redis.call('DEL', log)
      redis.call('XADD', log, 'MAXLEN', length, seq .. '-0', 's', source_seq, 'd', data)
    end
    redis.set_repl(redis.REPL_ALL)
    redis.call('PUBLISH', bus, channel .. ' ' .. epoch .. ' ' .. seq .. ' ' .. source_seq .. ' ' .. now_ms .. '\n' .. data)
    answers[i] = {1, epoch, seq}
  end
end
return answers
