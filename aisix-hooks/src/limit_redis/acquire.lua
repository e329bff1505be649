-- Takes a call under one limit, or says which rate has no room. Decides as limit::Memory does.
--
-- Goes on from state.lua.
-- gives {0, rate, seconds left} or {1, remaining, seconds left, remaining, seconds left, ...}
if released > 0 then
  redis.call('HSET', counts, 'reserved', whole(reserved))
end
for _, call in ipairs(aged) do
  redis.call('HDEL', counts, 'call:' .. call)
  redis.call('ZREM', open, call)
end

for index, rate in ipairs(rates) do
  if rate.full then
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
