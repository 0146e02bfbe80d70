-- The messages of a stream's entries. KEYS: the stream. ARGV: the field, then ids. False where an entry is gone, empty
-- where it has no such field.
local found = {}
for i = 2, #ARGV do
  local entry = redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])[1]
  local message = false
  if entry then
    local fields = entry[2]
    message = ''
    for j = 1, #fields, 2 do
      if fields[j] == ARGV[1] then message = fields[j + 1] end
    end
  end
  found[i - 1] = message
end
return found
