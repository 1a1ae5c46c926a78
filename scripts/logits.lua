-- The logits of a supernet's decisions, one by one: where they lie, and which of them compete.
--
--   local logits = require("logits")
--   local leaf, place = logits.places(net).paths(3)     the tensor that optimisers move, and the place of option 3 in it, counted row by row
--   for _, row in ipairs(logits.rows(decision)) do      one distribution each: {label =, options = {ids}, names = {texts}}
local M = {}

--- For each decision by name a function from an option (an arrow's id, a pair of branches row by row) to a leaf and a place in it. Of nas.trellis with stock cells logits are parts
--- of alpha and beta.
function M.places(net)
  local space, places, row = net.space, {}, 0
  for _, decision in ipairs(space.decisions) do
    if not space.cell then
      local leaf = net:logits(decision.name)
      places[decision.name] = function(i) return leaf, i end
    elseif decision.kind == "paths" then
      local beta, level, ids = net:beta{raw = true}, {}, {}
      for i, stride in ipairs(space.strides) do level[stride] = i end
      for layer = 1, space.layers do
        for from, to, id in decision:arrows(layer) do ids[id] = ((layer - 1) * #space.strides + level[from] - 1) * 3 + level[to] - level[from] + 2 end
      end
      places[decision.name] = function(i) return beta, ids[i] end
    else
      local alpha, first = net:alpha{raw = true}, row
      places[decision.name] = function(i) return alpha, first + i end
      row = row + decision.shape[1] * decision.shape[2]
    end
  end
  return places
end

--- How many layers a decision of paths has.
function M.layers(decision)
  local layer = 0
  while true do
    local fine, from = pcall(function() return decision:arrows(layer + 1)() end)
    if not fine or from == nil then return layer end
    layer = layer + 1
  end
end

--- The arrows of a decision of paths by the state that they leave.
local function by_source(decision)
  local rows, known = {}, {}
  for layer = 1, M.layers(decision) do
    for from, to, id in decision:arrows(layer) do
      local label = ("layer %d, from %s"):format(layer, from)
      if not known[label] then
        known[label] = {label = label, layer = layer, from = from, options = {}, names = {}}
        rows[#rows + 1] = known[label]
      end
      table.insert(known[label].options, id)
      table.insert(known[label].names, ("to %s"):format(to))
    end
  end
  return rows
end

--- The distributions of a decision: of paths the arrows that leave each state, of branches the options of each state, else all options.
function M.rows(decision)
  if decision.kind == "paths" then return by_source(decision) end
  local rows, width = {}, #decision.options
  for s = 1, decision.kind == "branches" and decision.shape[1] or 1 do
    local row = {label = decision.kind == "branches" and "state " .. s or "", options = {}, names = {}}
    for i, option in ipairs(decision.options) do row.options[i], row.names[i] = (s - 1) * width + i, tostring(option) end
    rows[s] = row
  end
  return rows
end

return M
