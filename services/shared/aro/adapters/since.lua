-- Publications in a channel's log, newest first, back to the first that is older than a source_seq, that one included;
-- all of them if none is. KEYS: the log. ARGV: the source_seq.
local found = {}
local last = '+'
while true do
  local some = redis.pcall('XREVRANGE', KEYS[1], last, '-', 'COUNT', 64)
  if some.err then return {} end -- no publisher wrote this
  for i = 1, #some do
    local fields = some[i][2]
    found[#found + 1] = fields[4]
    if tonumber(fields[2]) < tonumber(ARGV[1]) then return found end
  end
  if #some < 64 then return found end
  last = '(' .. some[#some][1]
end
