-- How one limit stands. Changes nothing; the beginning of acquire.lua and look.lua.
--
-- KEYS  1 the counts (hash)  2 the calls under way, by when they age out (sorted set)
-- ARGV  1 the call  2 how long it may be under way, ms  3 its estimate of tokens
--       4 how long the keys are kept, s  then for each rate: name, width (s; 0 for slots), maximum
local counts, open = KEYS[1], KEYS[2]
local time = redis.call('TIME')
local now = tonumber(time[1])
local millis = now * 1000 + math.floor(tonumber(time[2]) / 1000)
local estimate = tonumber(ARGV[3])

local function whole(number)
  return string.format('%.0f', number)
end

-- Calls of nodes that are gone: they count no more.
local aged, released = {}, 0
local calls = redis.call('ZCARD', open)
for _, call in ipairs(redis.call('ZRANGEBYSCORE', open, '-inf', whole(millis))) do
  local held = redis.call('HGET', counts, 'call:' .. call)
  aged[#aged + 1] = call
  calls = calls - 1
  if held then
    released = released + tonumber(string.match(held, '^%d+'))
  end
end
local reserved = math.max(0, tonumber(redis.call('HGET', counts, 'reserved') or 0) - released)

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
  if rate.width == 0 then
    rate.full = calls >= rate.max
  elseif not rate.tokens then
    rate.full = rate.used >= rate.max
  elseif calls == 0 then
    rate.full = rate.used > rate.max
  else
    rate.full = rate.used + reserved + estimate > rate.max
  end
  rates[#rates + 1] = rate
end
