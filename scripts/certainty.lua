-- How sure the decisions of a search are, and what they cost if they are wrong, in words and as a table.
--
--   local certainty = require("certainty")
--   certainty.rows(list)          rows of texts with headings; `list`: {label =, value =, other =, probability =, better =, cost =} each, as freeze_thaw's strategy:decisions() gives
--   certainty.summary(list)       what is sure, what is open, and what to do
local M = {}

-- Above this probability a decision is called sure, below the other one open.
local sure, doubtful = 0.95, 0.8

local function points(x) return ("%.1f"):format(100 * x) end

function M.rows(list)
  local rows = {{"decision", "found", "else", "how sure", "better by, points", "costs on average, points"}}
  for _, one in ipairs(list) do
    rows[#rows + 1] = one.other and {one.label, one.value, one.other, ("%.0f %%"):format(100 * one.probability), points(one.better), ("%.2f"):format(100 * one.cost)}
      or {one.label, one.value, "-", "-", "-", "-"}
  end
  return rows
end

local function named(list, is)
  local names = {}
  for _, one in ipairs(list) do if one.other and is(one) then names[#names + 1] = one.label end end
  return names
end

--- In words. Scores are shares, as mIoU is; what is said of them are points of percent.
function M.summary(list)
  local lines = {}
  local settled, undecided = named(list, function(one) return one.probability >= sure end), named(list, function(one) return one.probability < doubtful end)
  if #settled > 0 then lines[#lines + 1] = "sure (the found option is the better one with 95 % or more): " .. table.concat(settled, "; ") end
  for _, one in ipairs(list) do
    if one.other and one.probability < doubtful then
      lines[#lines + 1] = ("open: %s. %s was taken, %s is as good with %.0f %%; if so, that costs %s points"):format(
        one.label, one.value, one.other, 100 * (1 - one.probability), points(one.cost / (1 - one.probability)))
    end
  end
  if #undecided == 0 and #settled == 0 then lines[#lines + 1] = "no decision is sure, and none is a toss-up" end
  if #undecided > 0 then lines[#lines + 1] = "more trainings (--trainings) decide what is open; where the cost is small, either option does" end
  return table.concat(lines, "\n")
end

return M
