-- Which decisions of a supernet can learn: the size of the loss's derivative by their logits, against that of the others and against its noise over batches.
--
--   local rows = require("learnability").measure(net, adam, batches)     batches: {images, targets} each, ten or so; adam: an optimiser of net:architecture()
--   print(require("learnability").text(rows))
--
-- A row is a distribution: the arrows that leave a state, the options of a choice. Its size is the root mean square of its derivatives over options and batches; its signal the largest
-- |mean| of an option in standard errors of that mean. Where the size is less than a twentieth of what is usual among rows of its decision, nothing is learned however long the
-- search is: such are arrows that lead into a node which nothing else reaches. What reads it normalises, so what scales it does not matter.
local logits, statistics = require("logits"), require("statistics")
local M = {}

--- The derivatives of each batch, by decision and option.
local function derivatives(net, adam, batches)
  local places, lists = logits.places(net), {}
  for _, batch in ipairs(batches) do
    net:gradients(adam, batch[1], batch[2])
    local values, seen = {}, {}
    for _, decision in ipairs(net.space.decisions) do
      local list = {}
      for _, row in ipairs(logits.rows(decision)) do
        for _, i in ipairs(row.options) do
          local leaf, place = places[decision.name](i)
          seen[leaf] = seen[leaf] or leaf.grad:reshape(-1):to_table()
          list[i] = seen[leaf][place]
        end
      end
      values[decision.name] = list
    end
    lists[#lists + 1] = values
  end
  return lists
end

local function row_of(decision, row, lists)
  local squares, signal = 0, 0
  for _, i in ipairs(row.options) do
    local sum, square = 0, 0
    for _, values in ipairs(lists) do
      local g = values[decision.name][i]
      sum, square = sum + g, square + g * g
    end
    local n = #lists
    local mean = sum / n
    local variance = math.max(0, square / n - mean * mean) * n / (n - 1)
    squares = squares + square / n
    if variance > 0 then signal = math.max(signal, math.abs(mean) / math.sqrt(variance / n)) end
  end
  return {decision = decision.name, label = row.label, options = row.names, size = math.sqrt(squares / #row.options), signal = signal}
end

--- One row for each distribution that has a choice: {decision =, label =, options =, size =, signal =, verdict = "learns", "noise" or "cannot learn"}.
function M.measure(net, adam, batches)
  assert(#batches >= 2, "learnability compares batches: give two or more")
  local lists, rows = derivatives(net, adam, batches), {}
  for _, decision in ipairs(net.space.decisions) do
    local own, sizes = {}, {}
    for _, row in ipairs(logits.rows(decision)) do if #row.options > 1 then own[#own + 1] = row_of(decision, row, lists) end end
    for i, row in ipairs(own) do sizes[i] = row.size end
    for _, row in ipairs(own) do
      row.verdict = row.size < 0.05 * statistics.quantile(sizes, 0.5) and "cannot learn" or row.signal < 2 and "noise" or "learns"
      rows[#rows + 1] = row
    end
  end
  return rows
end

function M.text(rows)
  local lines = {("%-12s %-22s %-12s %10s %8s  %s"):format("decision", "row", "", "size", "signal", "options")}
  for _, row in ipairs(rows) do
    lines[#lines + 1] = ("%-12s %-22s %-12s %10.2g %8.1f  %s"):format(row.decision, row.label, row.verdict, row.size, row.signal, table.concat(row.options, ", "))
  end
  return table.concat(lines, "\n")
end

--- The rows that cannot learn, by name.
function M.stuck(rows)
  local stuck = {}
  for _, row in ipairs(rows) do
    if row.verdict == "cannot learn" then stuck[#stuck + 1] = row.label == "" and row.decision or row.decision .. " " .. row.label end
  end
  return stuck
end

--- In a few words: what cannot learn, and how much of the rest is noise.
function M.summary(rows)
  local stuck, noise = M.stuck(rows), 0
  for _, row in ipairs(rows) do if row.verdict == "noise" then noise = noise + 1 end end
  local decisions = #rows - #stuck
  return ("%s; of %d others the derivative of %d is within its noise over batches"):format(
    #stuck > 0 and "cannot learn, whatever the data say: " .. table.concat(stuck, ", ") or "all decisions can learn", decisions, noise)
end

return M
