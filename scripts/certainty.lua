-- How sure the decisions of a search are, and what they cost if they are wrong, in words and as a table.
--
--   local certainty = require("certainty")
--   certainty.rows(list)          rows of texts with headings; `list`: {label =, value =, other =, probability =, better =, cost =} each, as the strategy:decisions()
--                                 of scripts/freeze_thaw.lua gives
--   certainty.summary(list)       what is sure, what is open, and what to do
--   certainty.steadiness(layout, decoded, score)      of a supernet's decisions, from what was decoded after its last epochs; certainty.steady(list) says it in words
--   certainty.collapse(found, stuck, strides)                  what looks gone wrong in a found architecture, and what to do; nil where nothing does
local M = {}

-- Above this probability a decision is called sure, below the other one open.
local sure, doubtful = 0.95, 0.8

local function points(x) return ("%.1f"):format(100 * x) end

function M.rows(list)
  local rows = {{"decision", "found", "else", "how sure", "better by, points", "costs on average, points"}}
  for _, one in ipairs(list) do
    rows[#rows + 1] = one.other and {
      one.label, one.value, one.other, ("%.0f %%"):format(100 * one.probability), points(one.better), ("%.2f"):format(100 * one.cost),
    } or {one.label, one.value, "-", "-", "-", "-"}
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

-- Of supernets

--- For each part of the last of `decoded`, architectures that were decoded one after the other: {label =, value =, steady =, other =, better =}: the share of them
--- that decide it as the last one does; what the latest other one decides, nil where there is none, and by how much `score`, a function of an architecture, likes
--- the last one better than that one.
function M.steadiness(layout, decoded, score)
  local places, list = {}, {}
  for i, architecture in ipairs(decoded) do places[i] = layout:place(architecture) end
  local scores = {}
  local function scored(i)
    scores[i] = scores[i] or score(decoded[i])
    return scores[i]
  end
  for k, part in ipairs(layout.parts) do
    local same, rival = 0, nil
    for i, place in ipairs(places) do if layout:differ(part, place, places[#places]) then rival = i else same = same + 1 end end
    list[k] = {label = part.label, value = layout:value(part, places[#places]), steady = same / #places}
    if rival then list[k].other, list[k].better = layout:value(part, places[rival]), scored(#places) - scored(rival) end
  end
  return list
end

--- Scores are shares, as mIoU is.
function M.steady(list, epochs)
  local lines, unmoved = {}, 0
  for _, one in ipairs(list) do
    if one.other then
      lines[#lines + 1] = ("%s: %s in %.0f %% of the last %d epochs, else %s; with the supernet's weights the one decoded last is %s points %s"):format(
        one.label, one.value, 100 * one.steady, epochs, one.other, points(math.abs(one.better)), one.better >= 0 and "better" or "worse")
    else
      unmoved = unmoved + 1
    end
  end
  table.insert(lines, 1, ("%d of %d decisions were the same after each of the last %d epochs. That says that the search no longer moves, not that it is right: scripts/strategies.lua "
    .. "shows what a supernet's decisions are worth, --method recommended decides by trainings"):format(unmoved, #list, epochs))
  return table.concat(lines, "\n")
end

--- `stuck`: labels of decisions that cannot learn (scripts/learnability.lua); `strides` of a stock trellis, finest first.
function M.collapse(found, stuck, strides)
  local lines = {}
  local path = type(found.path) == "table" and found.path
  if path and strides then
    local finest, coarsest = true, true
    for layer, stride in ipairs(path) do
      finest = finest and stride == strides[1]
      coarsest = coarsest and stride == strides[math.min(layer + 1, #strides)]
    end
    if finest or coarsest then
      lines[#lines + 1] = ("the path runs along the %s border, where nodes have fewer arrows out and undecided logits already lead: --method relative decodes against them, "
        .. "--method incoming normalises arrows where they arrive"):format(finest and "fine" or "coarse")
    end
    if found.skip_share >= 0.5 then
      lines[#lines + 1] = ("%.0f %% of the cell's operators are skip_connect, which a supernet prefers because it trains fastest: a smaller --arch-lr, a later --arch-from, --method fair_darts, "
        .. "or --method recommended"):format(100 * found.skip_share)
    end
  end
  if #stuck > 0 then
    lines[#lines + 1] = ("decided by the noise that logits begin with: %s. What scales a node's only input is undone by the norm behind it, however logits are normalised: "
      .. "decide these by hand, or by trainings (--method recommended)"):format(table.concat(stuck, ", "))
  end
  return #lines > 0 and table.concat(lines, "\n") or nil
end

return M
