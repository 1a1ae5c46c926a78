-- The trellis with the cell of Auto-DeepLab written in Lua beside the stock one, steps of the two in turn in one process. `scripts/bench spaces` runs it.
local options = {layers = 12, blocks = 5, filters = 8, crop = 128, batch = 2, classes = 19, rounds = 5, steps = 1}
for name, value in (" " .. table.concat(arg, " ")):gmatch(" %-%-(%w+) (%d+)") do
  assert(options[name], "there is no option --" .. name)
  options[name] = tonumber(value)
end
local operators = {"none", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "atrous_conv_3x3", "atrous_conv_5x5"}

-- The paper's cell: block b reads the two inputs and the blocks before it, each through all operators.
local function cell(channels, place)
  local decisions, blocks, first = {}, {}, place.two_back and 1 or 2
  for b = 1, options.blocks do
    local states, block = {}, {}
    for state = 1, b + 1 do states[state] = tostring(state) end
    decisions[b] = nas.branches("cell." .. b, states, operators)
    for state = first, b + 1 do
      block[state] = {}
      for k = 2, #operators do block[state][operators[k]] = nas.parts.operator(operators[k], channels) end
    end
    blocks[b] = block
  end
  local function forward(self, two_back, previous)
    local values, results = {two_back or false, previous}, {}
    for b, block in ipairs(self.blocks) do
      local terms = {}
      for state = first, b + 1 do
        for k = 2, #operators do
          local weight = decisions[b]:weight((state - 1) * #operators + k)
          terms[#terms + 1] = nas.when(weight, function() return block[state][operators[k]](values[state]) end)
        end
      end
      results[b] = nas.sum(terms)
      values[b + 2] = results[b]
    end
    return tensor.concat(results, 2)
  end
  return nn.module({blocks = blocks, forward = forward}, {name = "cell"})
end

local stock = nas.trellis{layers = options.layers, filters = options.filters, cell = nas.cell{blocks = options.blocks, operators = operators}}
local own = nas.trellis{layers = options.layers, filters = options.filters, cell = cell, blocks = options.blocks}

local images = tensor.randn(options.batch, 3, options.crop, options.crop, {seed = 2})
local labels = tensor.full({options.batch, options.crop, options.crop}, 1, {dtype = "int32"})
local cases = {}
for i, case in ipairs{{"stock", stock}, {"Lua", own}} do
  local net = case[2]:supernet{classes = options.classes, seed = 1}
  local sgd, adam = optim.sgd(net:weights(), {lr = 0.025, momentum = 0.9, clip = 5}), optim.adam(net:architecture(), {lr = 3e-3})
  local function step() net:step(sgd, images, labels); net:step(adam, images, labels) end
  local start = os.clock()
  step()
  print(("%-6s first step, recorded and compiled: %.1f s of processor time"):format(case[1], os.clock() - start))
  step()
  cases[i] = {name = case[1], step = step, times = {}}
end
local ratios = {}
for round = 1, options.rounds do
  local now = {}
  for turn = 1, 2 do
    local i = round % 2 == 0 and turn or 3 - turn
    local start = os.clock()
    for _ = 1, options.steps do cases[i].step() end
    now[i] = (os.clock() - start) / options.steps
    table.insert(cases[i].times, now[i])
  end
  ratios[round] = now[2] / now[1]
end
local function median(list) table.sort(list); return list[(#list + 1) // 2] end
for _, case in ipairs(cases) do print(("%-6s %.0f ms of processor time a step"):format(case.name, median(case.times) * 1000)) end
print(("the trellis in Lua takes %.3f times the stock step (%.3f to %.3f)"):format(median(ratios), ratios[1], ratios[#ratios]))
