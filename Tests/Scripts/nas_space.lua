-- Spaces, counts, estimates, architectures, Viterbi.
local cell = nas.cell{blocks = 3, operators = {"none", "skip_connect", "sep_conv_3x3"}}
same(cell.blocks, 3)
same(#cell.edges, 9)
same({cell.edges[4].block, cell.edges[4].state}, {2, 2})
fails("expected a known operator, got 'sep_conv_3x4'; did you mean 'sep_conv_3x3'?", function() nas.cell{operators = {"none", "sep_conv_3x4"}} end)
fails("cell.operators[2]: expected every operator once", function() nas.cell{operators = {"skip_connect", "skip_connect"}} end)
fails("an operator other than 'none'", function() nas.cell{operators = {"none"}} end)
fails("cell.blocks: expected 1 to 100, got 0", function() nas.cell{blocks = 0} end)
fails("block", function() nas.cell{block = 3} end)

-- The paper's space and its numbers.
local paper = nas.trellis{}
local count = paper:count()
same({count.paths, count.paths_from_finest, count.cells, count.nodes, count.arrows, count.edges}, {75025, 28657, 556627761561600, 45, 105, 20})
same(math.type(count.cells), "integer")
same(type(count.joint), "string")
assert(tostring(count):find("28,657", 1, true) and tostring(count):find("75,025", 1, true))
assert(tostring(paper):find("556,627,761,561,600", 1, true))
for layers, paths in ipairs{2, 5, 13, 34, 89, 233, 610, 1597, 4181, 10946, 28657, 75025} do
  same(nas.trellis{layers = layers}:count().paths, paths)
end

-- Fields and options
same(paper.strides, {4, 8, 16, 32})
same({paper.layers, paper.filters, #paper.nodes, #paper.arrows}, {12, 8, 45, 105})
same({paper.options.stem, paper.options.down, paper.options.down_kernel, paper.options.head_reach}, {"two", "conv", 3, 96})
local odd = nas.trellis{layers = 3, strides = {2, 4, 8}, filters = 3, stem = "three", stem_width = 5, down = "bilinear", operator_sets = "arrow", affine = true,
  eps = 1e-3, momentum = 0.01, initial_deviation = 0.1, head_reach = 24, head_width = 6, cell = cell}
same({odd.options.stem, odd.options.stem_width, odd.options.down, odd.options.operator_sets, odd.options.affine, odd.options.head_width},
  {"three", 5, "bilinear", "arrow", true, 6})
fails("down_kernel: expected an odd kernel, got 4", function() nas.trellis{down_kernel = 4} end)
fails("head_width: expected at least 1, got 0", function() nas.trellis{head_width = 0} end)
fails("layers: expected 1 to 1000, got 0", function() nas.trellis{layers = 0} end)
fails("strides[2]: expected 8, twice the stride before it, got 16", function() nas.trellis{strides = {4, 16}} end)
fails("'two', 'three'", function() nas.trellis{stem = "four"} end)
fails("layer", function() nas.trellis{layer = 3} end)

-- The mask of arrows
local asked = 0
local masked = nas.trellis{layers = 6, cell = cell, arrows = function(layer, from, to)
  asked = asked + 1
  return not (layer == 6 and to == 32)
end}
assert(asked > 30)
assert(not masked:has(6, 32, 32) and masked:has(6, 16, 16) and not masked:has(7, 4, 4) and not masked:has(1, 4, 5))
assert(masked:count().paths < nas.trellis{layers = 6}:count().paths)
fails("arrows: expected a path from the stem to layer 3, got a mask that cuts every arrow into layer 2", function()
  nas.trellis{layers = 3, arrows = function(layer) return layer ~= 2 end}
end)
fails("arrows must return boolean, got nil", function() nas.trellis{arrows = function() return nil end} end)
fails("my own error", function() nas.trellis{arrows = function() error("my own error") end} end)

-- Estimates
local estimate = masked:estimate{crop = {96, 128}, batch = 4, classes = 5}
same(estimate.search_step, 5 * estimate.multiply_adds)
same(estimate.weight_bytes, 12 * estimate.parameters)
same(estimate.total_bytes, estimate.weight_bytes + estimate.activation_bytes)
same(#estimate.parts, 8)
same(estimate.parts[1].name, "stem")
assert(tostring(estimate):find("layer 3", 1, true))
fails("'crop'", function() masked:estimate{crop = {0, 3}} end)
fails("estimate.batch: expected at least 1, got 0", function() masked:estimate{batch = 0} end)
same(paper:sizes(321), {{81, 81}, {41, 41}, {21, 21}, {11, 11}})

-- Architectures
local found = masked:random{seed = 7}
same(found.path, masked:random{seed = 7}.path)
same(#found.path, 6)
same({#found.cell, found.blocks, found.layers}, {3, 3, 6})
assert(found.path[6] ~= 32 and found:fits(masked))
found:save("found.json")
assert(nas.load("found.json"):same(found))
same(nas.load("found.json").provenance.seed, 7)
local fine, why = found:fits(nas.trellis{layers = 5, cell = cell})
same(fine, false)
assert(why:find("path: expected 5 strides, one a layer, got 6", 1, true), why)
fails("nothing.json", function() nas.load("nothing.json") end)
local mine = nas.architecture{space = masked, path = {4, 8, 8, 16, 16, 16}, name = "mine", notes = {"by hand"}, cell = {
  {{"skip_connect", 1}, {"sep_conv_3x3", 2}}, {{operator = "sep_conv_3x3", state = 3}, {"skip_connect", 2}}, {{"sep_conv_3x3", 4}, {"sep_conv_3x3", 1}}}}
same({mine.name, mine.notes[1], mine.cell[2][1].operator, mine.cell[2][1].state}, {"mine", "by hand", "sep_conv_3x3", 3})
fails("path[2]: expected one of the strides", function() nas.architecture{space = masked, path = {4, 3, 8, 16, 16, 16}, cell = {}} end)
fails("block 1 should have two branches", function() nas.architecture{space = masked, path = {4}, cell = {{{"skip_connect", 1}}}} end)
same(mine.skip_share, 1 / 3)
assert(tostring(mine):find("block 3  = sep_conv_3x3(block 2)", 1, true), tostring(mine))

-- The published ones
local published = nas.gallery.auto_deeplab
same(published.path, {4, 4, 4, 8, 16, 8, 16, 16, 32, 32, 16, 8})
for filters, parameters in pairs{[20] = 10147427, [32] = 21622451, [48] = 44424691} do
  same(published:estimate{filters = filters, classes = 19, height = 1025, width = 2049}.parameters, parameters)
end
assert(published:fits(paper))
for _, name in ipairs{"auto_deeplab", "deeplab_v3", "conv_deconv", "stacked_hourglass", "darts_v2", "nasnet_a", "amoebanet_a", "pnasnet_5"} do
  assert(nas.gallery[name], name)
end

-- Viterbi against all paths, on tables where ties are common.
local function all(p, layer, state, score, path, found)
  if layer > #p then
    found[#found + 1] = {states = {table.unpack(path)}, score = score}
    return found
  end
  for move = 1, 3 do
    local to = state + move - 2
    if p[layer][to] and p[layer][state][move] > 0 then
      path[layer] = to
      all(p, layer + 1, to, score + math.log(p[layer][state][move]), path, found)
      path[layer] = nil
    end
  end
  return found
end
math.randomseed(11)
for case = 1, 60 do
  local layers, states, p = math.random(6), math.random(4), {}
  for l = 1, layers do
    p[l] = {}
    for s = 1, states do p[l][s] = {math.random(0, 3) / 4, math.random(1, 4) / 4, math.random(0, 2) / 4} end
  end
  local paths = all(p, 1, 1, 0, {}, {})
  table.sort(paths, function(a, b)
    if math.abs(a.score - b.score) > 1e-9 then return a.score > b.score end
    for i = 1, layers do if a.states[i] ~= b.states[i] then return a.states[i] < b.states[i] end end
    return false
  end)
  local best, score = nas.viterbi(p)
  same(best, paths[1].states)
  near(score, paths[1].score, 1e-9)
  local list = nas.viterbi(p, {count = 5})
  same(#list, math.min(5, #paths))
  for i, entry in ipairs(list) do same(entry.states, paths[i].states) end
  same((nas.viterbi(tensor.from(p))), best)
end
fails("probabilities[1][1][2]: expected a probability, got -1", function() nas.viterbi{{{0, -1, 0}}} end)
fails("probabilities[1][1][2]: expected a probability, got 2", function() nas.viterbi(tensor.full({2, 2, 3}, 2)) end)
fails("expected shape [layers, states, 3]", function() nas.viterbi(tensor.zeros(2, 3)) end)
fails("an arrow of probability 0 on every path", function() nas.viterbi{{{0, 0, 0}}} end)
fails("element [1][1][2] is a string, expected a number", function() nas.viterbi{{{0, "x", 0}}} end)

-- The mask of a space goes with its architectures: a path that it forbids is refused, in Lua and in a file.
local masked = nas.trellis{layers = 3, strides = {4, 8}, cell = nas.cell{blocks = 1}, arrows = function(layer, from, to) return from == to or layer == 2 end}
local plain = {{{"skip_connect", 1}, {"sep_conv_3x3", 2}}}
local legal = nas.architecture{space = masked, path = {4, 8, 8}, cell = plain}
fails("which the mask cuts", function() nas.architecture{space = masked, path = {8, 8, 8}, cell = plain} end)
local function edited(text, from, to)
  local file = assert(io.open("edited.json", "w"))
  file:write((text:gsub(from, to)))
  file:close()
  return nas.load("edited.json")
end
same(edited(legal:json(), "x", "x").path, {4, 8, 8})
fails("edited.json: decisions.paths[1]: expected an arrow that exists, got 4 -> 8 into layer 1", function()
  edited(legal:json(), '%["4", "4"%], %["4", "8"%]', '["4", "8"], ["8", "8"]')
end)
same((legal:fits(nas.trellis{layers = 3, strides = {4, 8}, cell = nas.cell{blocks = 1}})), true)

-- A block that reads one state twice is legal, and says that no decoding gives it.
local twice = nas.architecture{space = masked, path = {4, 4, 4}, cell = {{{"skip_connect", 2}, {"sep_conv_3x3", 2}}}}
same({legal.decodable, twice.decodable, nas.gallery.nasnet_a.decodable, nas.gallery.auto_deeplab.decodable}, {true, false, false, true})
local fits, word = twice:fits(masked)
same(fits, true)
assert(word:find("block 1 reads one state twice", 1, true))
same(select(2, legal:fits(masked)), nil)
assert(tostring(twice):find("note: block 1 reads one state twice: a cell of the paper's count, but none that decoding gives", 1, true))

-- A reach that its network could not have is refused with the space; a seed is told as it was given.
fails('65536', function() nas.trellis{head_reach = 1 << 62} end)
do
  nas.trellis{layers = 4, head_reach = 64}:random{seed = 1}:save('reach.json')
  local text, changed = io.open('reach.json'):read('a'):gsub('"head_reach": *64', '"head_reach": ' .. (1 << 62))
  same(changed, 1)
  io.open('reach.json', 'w'):write(text):close()
  fails('65536', function() nas.load('reach.json') end)
end
local lowest = nas.trellis{layers = 4}:random{seed = math.mininteger}
same(lowest.provenance.seed, math.mininteger)
assert(not tostring(lowest):find('seed 9223372036854775808', 1, true), tostring(lowest))
