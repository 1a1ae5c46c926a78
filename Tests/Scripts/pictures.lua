-- Pictures of spaces: any network as the graph of its modules with its decisions on it.
local function small()
  return nas.space(function(c)
    local rates = nas.subset("rates", {1, 2, 3}, {least = 1, most = 2})
    local width = nas.number("width", 2, 8, {step = 2})
    local net = {
      stem = nn.conv2d(3, 8, {kernel = 3, padding = 1}), branches = {}, head = nn.conv2d(8, 2, {kernel = 1}),
      mix = nas.mix(nas.choice("op", {"none", "skip_connect", "sep_conv_3x3"}), function(op) return nas.parts.operator(op, 8) end),
    }
    for i, rate in ipairs(rates.options) do
      if rates:on(i) then net.branches[i] = nn.conv2d(8, 8, {kernel = 3, padding = rate, dilation = rate}) end
    end
    local masks = {}
    for i, n in ipairs(width.options) do masks[i] = tensor.concat({tensor.ones(n), tensor.zeros(8 - n)}, 1):reshape(1, 8, 1, 1) end
    function net.forward(self, x)
      local h, terms = self.mix(self.stem(x)), {}
      for i in ipairs(rates.options) do terms[#terms + 1] = nas.when(rates:weight(i), function() return self.branches[i](h) end) end
      return self.head(nas.sum(terms) * nas.expect(width, masks))
    end
    return nn.module(net, {name = "small"})
  end)
end

local space = small()
local net = space:supernet{seed = 1}
local text = plot.space(net):text{width = 200}
-- Modules in the order of the data, with what they read and decide.
for _, part in ipairs{"input", "stem  conv2d", "mix", "op: choice", "branches.2  conv2d 8 -> 8", "rates: 2", "rates: 1 to 2 of 3", "width: number", "head", "output"} do
  assert(text:find(part, 1, true), part .. " is not in\n" .. text)
end
assert(text:find("stem") < text:find("mix") and text:find("mix") < text:find("branches.1", 1, true) and text:find("branches.1", 1, true) < text:find("head"))
assert(text:match("sep_conv_3x3 0%.3"), text)
-- What an architecture decides is marked, what it has not is off.
local chosen = space:random{seed = 3}
local marked = plot.space(net, {architecture = chosen}):text{width = 200}
assert(marked:find("● " .. chosen.op, 1, true), marked)
for i = 1, 3 do
  local isOn = false
  for _, rate in ipairs(chosen.rates) do isOn = isOn or tostring(rate) == tostring(i) end
  same(marked:find("branches." .. i .. " (off)", 1, true) == nil, isOn)
end
for _, figure in ipairs{plot.space(space), plot.space(net, {theme = "dark", title = "dark"}), plot.decisions(net), plot.decisions(space), plot.decisions(chosen)} do
  assert(figure.width > 100 and figure:svg():find("</svg>", 1, true))
end
assert(plot.decisions(net):text():find("width: number", 1, true))

-- A trellis of several paths, with a choice on each arrow.
local many = nas.space(function(c)
  local paths = nas.paths("paths", {layers = 2, states = {"fine", "coarse"}, start = {"fine", "coarse"}, many = true})
  local net = {mixed = {}, into = nn.conv2d(3, 4, {kernel = 1}), out = nn.conv2d(4, 2, {kernel = 1})}
  for layer = 1, 2 do
    for from, to, id in paths:arrows(layer) do
      net.mixed[id] = nas.mix(nas.choice("op." .. id, {"skip_connect", "sep_conv_3x3"}, {within = {paths, id}}), function(op) return nas.parts.operator(op, 4) end)
    end
  end
  function net.forward(self, x)
    local h, now = self.into(x), {}
    for s in paths:reached(0) do now[s] = h end
    for layer = 1, 2 do
      local after = {}
      for s in paths:reached(layer) do
        local terms = {}
        for from, weight, id in paths:into(layer, s) do terms[#terms + 1] = nas.when(weight, function() return self.mixed[id](now[from]) end) end
        after[s] = nas.sum(terms)
      end
      now = after
    end
    local ends = {}
    for s, weight in paths:reached(2) do ends[#ends + 1] = nas.when(weight, function() return now[s] end) end
    return self.out(nas.sum(ends))
  end
  return nn.module(net, {name = "many"})
end)
local drawn = plot.space(many:supernet{seed = 1}, {architecture = many:random{seed = 1}}):text{width = 120}
assert(drawn:find("paths", 1, true) and drawn:find("fine", 1, true) and drawn:find("op.8: choice where paths: coarse -> coarse into layer 2", 1, true), drawn)
-- The trellis stands once, between what leads to it and what it leads to.
assert(drawn:find("into", 1, true) < drawn:find("fine", 1, true) and drawn:find("fine", 1, true) < drawn:find("← paths", 1, true), drawn)

-- A long chain goes on in the next line.
local long = nas.space(function(c)
  local parts = {}
  for i = 1, 16 do parts[i] = nas.mix(nas.choice("block." .. i, {"skip_connect", "sep_conv_3x3", "sep_conv_5x5"}), function(op) return nas.parts.operator(op, 3) end) end
  return nn.sequential(parts)
end)
local figure = plot.space(long)
assert(figure.width < 1700 and figure.height > 200, figure.width .. "x" .. figure.height)

-- Stock trellises as trellis and decisions; inputs that a network does not take.
local stock = nas.trellis{layers = 3, strides = {4, 8}, cell = nas.cell{blocks = 1, operators = {"skip_connect", "sep_conv_3x3"}}}
assert(plot.space(stock:supernet{classes = 2, seed = 1}):text():find("cell.1 ← previous", 1, true))
assert(plot.decisions(stock:random{seed = 1}):text():find("cell.1", 1, true))
fails("input", function() plot.space(space, {input = {1, 4, 8, 8}}) end)
fails("expected a known decision, got 'op.1'", function() plot.space(space, {architecture = many:random{}}) end)
