-- Takes a call under one limit, or says which rate has no room. Decides as limit::Memory does.
--
-- KEYS  1 the counts (hash)  2 the calls under way, by when they age out (sorted set)
-- ARGV  1 the call  2 how long it may be under way, ms  3 its estimate of tokens
--       4 how long the keys are kept, s  then for each rate: name, width (s; 0 for slots), maximum
-- gives {0, rate, seconds left} or {1, remaining, seconds left, remaining, seconds left, ...}
local counts, open = KEYS[1], KEYS[2]
local time = redis.call('TIME')
local now = tonumber(time[1])
local millis = now * 1000 + math.floor(tonumber(time[2]) / 1000)

local function whole(number)
  return string.format('%.0f', number)
end

-- Calls of nodes that are gone.
for _, call in ipairs(redis.call('ZRANGEBYSCORE', open, '-inf', whole(millis))) do
  local held = redis.call('HGET', counts, 'call:' .. call)
  if held then
    redis.call('HINCRBY', counts, 'reserved', whole(0 - tonumber(string.match(held, '^%d+'))))
    redis.call('HDEL', counts, 'call:' .. call)
  end
  redis.call('ZREM', open, call)
end

local calls = redis.call('ZCARD', open)
local reserved = math.max(0, tonumber(redis.call('HGET', counts, 'reserved') or 0))
local estimate = tonumber(ARGV[3])

local rates = {}
for at = 5, #ARGV, 3 do
  local rate = { name = ARGV[at], width = tonumber(ARGV[at + 1]), max = tonumber(ARGV[at + 2]) }
  rate.tokens = string.sub(rate.name, 1, 1) == 't'
  if rate.width > 0 then
    local window = redis.call('HMGET', counts, rate.name .. ':start', rate.name .. ':used')
    rate.start, rate.used = tonumber(window[1] or 0), tonumber(window[2] or 0)
    -- A clock that steps back by less than a window does not open a new one.
    local start = now - now % rate.width
    if start > rate.start or rate.start - start > rate.width then
      rate.start, rate.used = start, 0
    end
    rate.left = rate.width - now % rate.width
  end
  rates[#rates + 1] = rate
end

for index, rate in ipairs(rates) do
  local full
  if rate.width == 0 then
    full = calls >= rate.max
  elseif not rate.tokens then
    full = rate.used >= rate.max
  elseif calls == 0 then
    full = rate.used > rate.max
  else
    full = rate.used + reserved + estimate > rate.max
  end
  if full then
    return { 0, index - 1, rate.left or 0 }
  end
end

local tokens, admitted = estimate, now
for _, rate in ipairs(rates) do
  if rate.width > 0 then
    admitted = math.max(admitted, rate.start)
    if rate.tokens then
      tokens = math.min(tokens, math.max(0, math.max(0, rate.max - rate.used) - reserved))
    else
      rate.used = rate.used + 1
    end
    redis.call('HSET', counts, rate.name .. ':start', whole(rate.start), rate.name .. ':used', whole(rate.used))
  end
end
redis.call('HSET', counts, 'reserved', whole(reserved + tokens),
  'call:' .. ARGV[1], whole(tokens) .. ' ' .. whole(admitted))
redis.call('ZADD', open, whole(millis + tonumber(ARGV[2])), ARGV[1])
redis.call('EXPIRE', counts, ARGV[4])
redis.call('EXPIRE', open, ARGV[4])

local answer = { 1 }
for _, rate in ipairs(rates) do
  local remaining
  if rate.width == 0 then
    remaining = rate.max - calls - 1
  elseif rate.tokens then
    remaining = math.max(0, rate.max - rate.used) - reserved - tokens
  else
    remaining = rate.max - rate.used
  end
  answer[#answer + 1] = math.max(0, remaining)
  answer[#answer + 1] = rate.left or 0
end
return answer
