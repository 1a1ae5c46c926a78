-- Architectures as points, for what predicts them: the encoding of space:encode, but for paths through numbers (strides), which have the binary logarithm of the state at each layer:
-- paths that run side by side are close, where their arrows have none in common.
--
--   local layout = require("coordinates").of(space)
--   layout:place(architecture)         its coordinates, a list; layout:key(place) names it
--   layout:compare(x, y)               the product of two places from the centre of the space, in units of its mean square; their squared distance, in units of its mean
--   layout.parts                       what is decided, {label =, first =, last =}: a layer of paths, a state of branches, else a decision
--   layout:all(most)                   all architectures of the space, nil where it has more
--   layout:value(part, place)          in words; layout:differ(part, x, y)
local logits = require("logits")
local M, Layout = {}, {}
Layout.__index = Layout

-- By how many architectures the centre and the mean distance are taken.
local sampled = 500

--- Whether a decision is one path through positive numbers.
local function is_numeric(decision, values)
  if decision.kind ~= "paths" or not values then return false end
  for _, arrow in ipairs(values) do if (tonumber(arrow[2]) or 0) <= 0 then return false end end
  return true
end

local function size(decision)
  local n = 1
  for _, k in ipairs(decision.shape) do n = n * k end
  return n
end

function M.of(space)
  local layout = setmetatable({space = space, parts = {}, sources = {}}, Layout)
  local values, offset, first = space:random{seed = 1}:values(), 0, 1
  for _, decision in ipairs(space.decisions) do
    if is_numeric(decision, values[decision.name]) then
      local layers = logits.layers(decision)
      for layer = 1, layers do layout:part(("%s, layer %d"):format(decision.name, layer), first + layer - 1, 1) end
      table.insert(layout.sources, {name = decision.name, layers = layers})
      first = first + layers
    else
      for _, row in ipairs(logits.rows(decision)) do
        local label = row.label == "" and decision.name or ("%s, %s"):format(decision.name, row.label)
        layout:part(label, first, #row.options, row.names)
        table.insert(layout.sources, {offset = offset, options = row.options})
        first = first + #row.options
      end
    end
    offset = offset + size(decision)
  end
  layout:measure()
  return layout
end

function Layout:part(label, first, count, names)
  table.insert(self.parts, {label = label, first = first, last = first + count - 1, names = names})
end

function Layout:place(architecture)
  local place, code, values = {}, nil, nil
  for _, source in ipairs(self.sources) do
    if source.layers then
      values = values or architecture:values()
      local path = values[source.name]
      for layer = 1, source.layers do place[#place + 1] = path and math.log(tonumber(path[layer][2]), 2) or 0.0 end
    else
      code = code or self.space:encode(architecture):to_table()
      for _, option in ipairs(source.options) do place[#place + 1] = code[source.offset + option] end
    end
  end
  return place
end

function Layout:key(place) return table.concat(place, " ") end

--- The centre of the space, and the mean square of the distance from it; that of two architectures is twice as large.
function Layout:measure()
  local places, all = {}, self:all(sampled)
  for i = 1, all and #all or sampled do places[i] = self:place(all and all[i] or self.space:random{seed = i}) end
  self.centre, self.spread = {}, 0
  for i = 1, #places[1] do
    local sum, squares = 0, 0
    for _, place in ipairs(places) do sum, squares = sum + place[i], squares + place[i] * place[i] end
    self.centre[i] = sum / #places
    self.spread = self.spread + squares / #places - self.centre[i] * self.centre[i]
  end
  -- A space of one architecture.
  if self.spread <= 0 then self.spread = 1 end
end

function Layout:all(most)
  local all = {}
  for architecture in self.space:each() do
    if #all == most then return nil end
    all[#all + 1] = architecture
  end
  return all
end

function Layout:compare(x, y)
  local product, distance, centre = 0, 0, self.centre
  for i = 1, #x do
    local a, b = x[i], y[i]
    product, distance = product + (a - centre[i]) * (b - centre[i]), distance + (a - b) * (a - b)
  end
  return product / self.spread, distance / (2 * self.spread)
end

function Layout:differ(part, x, y)
  for i = part.first, part.last do if x[i] ~= y[i] then return true end end
  return false
end

function Layout:value(part, place)
  if not part.names then return ("%g"):format(2 ^ place[part.first]) end
  local on = {}
  for i, name in ipairs(part.names) do if place[part.first + i - 1] > 0 then on[#on + 1] = name end end
  return #on > 0 and table.concat(on, ", ") or "none"
end

return M
