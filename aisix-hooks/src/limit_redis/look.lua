-- Tells how one limit stands, and takes nothing.
--
-- Goes on from state.lua.
-- gives for each rate: what is used, what is reserved, the seconds left, whether the call would pass (1 or 0)
local answer = {}
for _, rate in ipairs(rates) do
  answer[#answer + 1] = rate.used or calls
  answer[#answer + 1] = rate.tokens and reserved or 0
  answer[#answer + 1] = rate.left or 0
  answer[#answer + 1] = rate.full and 0 or 1
end
return answer
