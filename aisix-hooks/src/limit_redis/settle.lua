-- Ends a call under one limit. One that is not known (any more) has nothing to give back.
--
-- KEYS  as in state.lua
-- ARGV  1 the call  2 the tokens that it used, or '' when nothing reached an upstream
--       3 how long the keys are kept, s  then for each rate: name, width (s; 0 for slots)
local counts, open = KEYS[1], KEYS[2]
local now = tonumber(redis.call('TIME')[1])

local function whole(number)
  return string.format('%.0f', number)
end

local admitted
local held = redis.call('HGET', counts, 'call:' .. ARGV[1])
if held then
  local tokens, at = string.match(held, '^(%d+) (%d+)$')
  admitted = tonumber(at)
  local reserved = math.max(0, tonumber(redis.call('HGET', counts, 'reserved') or 0) - tonumber(tokens))
  redis.call('HSET', counts, 'reserved', whole(reserved))
  redis.call('HDEL', counts, 'call:' .. ARGV[1])
  redis.call('ZREM', open, ARGV[1])
end

for at = 4, #ARGV, 2 do
  local name, width = ARGV[at], tonumber(ARGV[at + 1])
  local is_tokens = string.sub(name, 1, 1) == 't'
  local window = redis.call('HMGET', counts, name .. ':start', name .. ':used')
  local start, used = tonumber(window[1] or 0), tonumber(window[2] or 0)
  if width > 0 and is_tokens and ARGV[2] ~= '' then
    local open_now = now - now % width
    if open_now > start or start - open_now > width then
      start, used = open_now, 0
    end
    redis.call('HSET', counts, name .. ':start', whole(start), name .. ':used', whole(used + tonumber(ARGV[2])))
    redis.call('EXPIRE', counts, ARGV[3])
  elseif width > 0 and not is_tokens and ARGV[2] == '' and admitted then
    if start == admitted - admitted % width and used > 0 then
      redis.call('HSET', counts, name .. ':used', whole(used - 1))
    end
  end
end
return 1
