-- nas.parts: the stock parts, against the same parts inside of networks.
local function shape(t) return table.concat(t.shape, ' ') end
local space = nas.trellis{layers = 3, strides = {4, 8, 16}, filters = 4, cell = nas.cell{blocks = 2, operators = {'skip_connect', 'sep_conv_3x3', 'dil_conv_5x5'}}}
local supernet = space:supernet{classes = 5, seed = 1}
local net = supernet.module
local images = tensor.randn(2, 3, 30, 45, {seed = 1})
local function copy(part, path)
  part:load_state(net:child(path):state())
  return part
end
do
  local stem = copy(nas.parts.stem{channels = 8}, 'stem')
  local x = images
  for _, layer in net.stem:children() do x = layer(x) end
  assert(stem(images):equal(x))
  same(shape(x), '2 8 8 12')
  same(stem:parameters():names()[1], '1.conv.weight')
  local head = copy(nas.parts.head{channels = 8, classes = 5, rate = 24}, 'heads.4')
  assert(head(x):equal(net:child('heads.4')(x)))
  local wide = nas.parts.head{channels = 8, classes = 5, rate = 2, width = 3}
  same(shape(wide(x)), '2 5 8 12')
  -- Stems of other strides.
  for stride, wanted in pairs{[1] = '1 4 33 40', [2] = '1 4 17 20', [4] = '1 4 9 10', [8] = '1 4 5 5'} do
    same(shape(nas.parts.stem{channels = 4, stride = stride}(tensor.zeros(1, 3, 33, 40))), wanted)
  end
  same(#nas.parts.stem{channels = 4, three = true, width = 6}:parameters(), 9)
end
do
  local plain = nas.trellis{layers = 3, strides = {4, 8, 16}, filters = 4, cell = nas.cell{blocks = 2, operators = {'sep_conv_3x3'}}, down = 'bilinear'}
  for _, one in ipairs{{space, 'conv'}, {plain, 'bilinear'}} do
    local inside = one[1]:supernet{classes = 5, seed = 2}.module
    local down = nas.parts.input{from = 8, to = 8, move = 'down', down = one[2]}
    down:load_state(inside:child('nodes.2.8.input.down'):state())
    local x = tensor.randn(2, 8, 9, 12, {seed = 3})
    local size = {5, 6}
    local y = down(x, size)
    same(shape(y), '2 8 5 6')
    local same_ = nas.parts.input{from = 16, to = 8, move = 'same'}
    same_:load_state(inside:child('nodes.2.8.input.same'):state())
    same(shape(same_(tensor.zeros(1, 16, 5, 6))), '1 8 5 6')
  end
  -- By hand: resize, ReLU, convolution, norm.
  local up = nas.parts.input{from = 6, to = 4, move = 'up'}
  local x = tensor.randn(2, 6, 4, 5, {seed = 4})
  local y = nn.functional.conv2d(nn.functional.resize(x, {size = {7, 9}}):relu(), up.weight)
  assert(up(x, {7, 9}):equal(nn.functional.batch_norm(y)))
  assert(trellis.compile(function(x) return up(x, {7, 9}) end)(x):allclose(nn.functional.batch_norm(y), {atol = 1e-5}))
  fails('the size {height, width} expected', function() up(x) end)
  fails('{height, width} expected', function() up(x, {7}) end)
  fails('[N, C, H, W] expected', function() up(tensor.zeros(2, 3), {7, 9}) end)
  fails("option 'down_kernel': an odd number", function() nas.parts.input{from = 1, to = 1, move = 'down', down_kernel = 2} end)
  -- Inside of a module of a script.
  local whole = nn.module{up = up, forward = function(self, x) return self.up(x, {7, 9}) end}
  assert(whole(x):equal(up(x, {7, 9})))
  fails('in up: ', function() whole(tensor.zeros(1, 3, 2, 2)) end)
end
-- Operators: those of a cell, those of scripts, at both strides.
do
  local x = tensor.randn(2, 4, 9, 7, {seed = 5})
  for i = 2, 10 do
    local name = nas.operators()[i]
    same(shape(nas.parts.operator(name, 4)(x)), '2 4 9 7')
    same(shape(nas.parts.operator(name, 4, {stride = 2, affine = true})(x)), '2 4 5 4')
  end
  local inside = net:child('nodes.1.4.block.1.2.sep_conv_3x3')
  local operator = nas.parts.operator('sep_conv_3x3', 4)
  local state, renamed = inside:state(), {}
  for name, value in pairs(state) do renamed[name:gsub('%.same$', '')] = value end
  operator:load_state(renamed)
  assert(operator(x):equal(inside(x)))
  assert(#nas.parts.operator('sep_conv_3x3', 4, {affine = true}):parameters() == #operator:parameters() + 4)
  nas.operator('conv_1x1_part', function(channels, options) return nn.sequential{nn.conv2d(channels, channels, {kernel = 1}), nn.batch_norm(channels, {affine = options.affine})} end)
  same(shape(nas.parts.operator('conv_1x1_part', 4, {stride = 2})(x)), '2 4 5 4')
  fails("'none' computes nothing", function() nas.parts.operator('none', 4) end)
  fails('sep_conv_3x3', function() nas.parts.operator('sep_conv_3x', 4) end)
  fails('1 to 65536 channels expected', function() nas.parts.operator('sep_conv_3x3', 0) end)
  fails("option 'stride': 1 or 2 expected", function() nas.parts.operator('sep_conv_3x3', 4, {stride = 3}) end)
end
-- ASPP and decoder of a derived network.
do
  local found = space:random{seed = 2}
  local network = found:network{filters = 4, classes = 5, seed = 3, stem = 8, stem_output = 8, aspp = 12, low_level = 6, decoder = 10}
  local kept = network:child('aspp')
  local channels, rate = network:child('aspp.conv1x1.conv').weight:size(2), math.max(1, 96 // found.path[3])
  local aspp = nas.parts.aspp{channels = channels, width = 12, rates = {rate, 2 * rate, 3 * rate}}
  aspp:load_state(kept:state())
  local x = tensor.randn(2, channels, 6, 5, {seed = 6})
  assert(aspp(x):equal(kept(x)))
  local low = network:child('decoder.low.conv').weight:size(2)
  local decoder = nas.parts.decoder{channels = 12, low = low, classes = 5, low_width = 6, width = 10}
  decoder:load_state(network:child('decoder'):state())
  local fine = tensor.randn(2, low, 11, 10, {seed = 7})
  same(shape(decoder(aspp(x), fine)), '2 5 11 10')
  same(shape(decoder(aspp(x), fine, {13, 12})), '2 5 13 12')
  assert(decoder(aspp(x), fine):equal(network:child('decoder')(aspp(x), fine)))
  fails('low-level features', function() decoder(x) end)
end
-- A cell of a derived network, on every move.
do
  local cell = {{{'sep_conv_3x3', 1}, {'skip_connect', 2}}, {{'dil_conv_5x5', 2}, {'sep_conv_3x3', 3}}}
  for move, path in pairs{same = {4, 4, 4}, down = {4, 4, 8}, up = {4, 8, 4}} do
    local network = nas.architecture{space = space, path = path, cell = cell}:network{filters = 4, classes = 5, seed = 3, stem = 8, stem_output = 8, aspp = 12, low_level = 6, decoder = 10}
    local kept = network:child('cells.3')
    local before = path[2] // 4 * 8
    local part = nas.parts.cell{cell = cell, channels = path[3], previous = before, back = 8, move = move}
    part:load_state(kept:state())
    local back, previous = tensor.randn(2, 8, 9, 7, {seed = 8}), tensor.randn(2, before, move == 'up' and 5 or 9, move == 'up' and 4 or 7, {seed = 9})
    local y = part(back, previous, {move == 'down' and 5 or 9, move == 'down' and 4 or 7})
    same(shape(y), ({same = '2 8 9 7', down = '2 16 5 4', up = '2 8 9 7'})[move])
    assert(y:equal(kept(back, previous, {move == 'down' and 5 or 9, move == 'down' and 4 or 7})))
    if move == 'up' then
      fails('the size {height, width} expected', function() part(back, previous) end)
    else
      assert(part(back, previous):equal(y))
    end
  end
  fails('a state from 1 to 2', function() nas.parts.cell{cell = {{{'skip_connect', 1}, {'skip_connect', 3}}}, channels = 2, previous = 2} end)
  fails("sep_conv_3x3", function() nas.parts.cell{cell = {{{'sep_conv_3x4', 1}, {'skip_connect', 2}}}, channels = 2, previous = 2} end)
  fails('tensor expected', function() nas.parts.cell{cell = cell, channels = 2, previous = 2}(tensor.zeros(1, 2, 3, 3)) end)
end
-- Weights come from the stream that is current.
do
  tensor.manual_seed(9)
  local one = nas.parts.head{channels = 4, classes = 3, rate = 2}
  tensor.manual_seed(9)
  local two = nas.parts.head{channels = 4, classes = 3, rate = 2}
  assert(one.classifier.weight:equal(two.classifier.weight) and not one.classifier.weight:equal(nas.parts.head{channels = 4, classes = 3, rate = 2}.classifier.weight))
end
fails("option 'channels': 1 to 65536 expected", function() nas.parts.stem{channels = 0} end)
fails("option 'stride': a power of two", function() nas.parts.stem{channels = 4, stride = 3} end)
fails("option 'channels': integer expected, got nothing", function() nas.parts.stem{} end)

-- metrics.evaluate of anything that computes scores.
do
  local set = data.shapes{images = 6, size = {32, 48}, classes = 5, seed = 1}
  local conv = nn.conv2d(3, 5, {kernel = 3, padding = 1, seed = 1})
  local wanted = metrics.evaluate(conv, set, {batch = 2})
  local function equal(other) same(other:counts(), wanted:counts()) end
  equal(metrics.evaluate(function(images) return conv(images) end, set, {batch = 2}))
  equal(metrics.evaluate(function(images) return nn.functional.classes(conv(images)) end, set))
  equal(metrics.evaluate(setmetatable({}, {__call = function(self, images) return conv(images) end}), set))
  equal(metrics.evaluate(trellis.compile(function(images) return conv(images) end), set))
  equal(metrics.evaluate(function(images) return conv(images) end, set:batches{size = 2, shuffle = false}))
  near(wanted.miou, conv:evaluate(set).miou, 1e-12)
  -- Scores of a smaller size are resized, as the network's own evaluation does.
  local small = nn.conv2d(3, 5, {kernel = 2, stride = 2, seed = 2})
  same(metrics.evaluate(small, set):counts(), small:evaluate(set).confusion:counts())
  -- A supernet keeps its plan and its mode.
  supernet:train()
  local first = metrics.evaluate(supernet, set, {batch = 3})
  same(first:counts(), metrics.evaluate(supernet.module, set, {batch = 3}):counts())
  assert(supernet.training)
  local held
  metrics.evaluate(function(images) held = conv(images) return held end, set)
  assert(not held.requires_grad)
  fails('module, supernet, or a function of images expected, got number', function() metrics.evaluate(3, set) end)
  fails('module, supernet, or a function of images expected, got table', function() metrics.evaluate({}, set) end)
  fails('the model must return tensor, got no value', function() metrics.evaluate(function() end, set) end)
end

-- All together: a network of a script with several strides, several ways into a node through one operator, trained, measured, saved.
do
  local strides = {4, 8}
  local function network(seed)
    tensor.manual_seed(seed)
    local parts = {stem = nas.parts.stem{channels = 4}, into = {}, op = {}, heads = {}}
    for _, s in ipairs(strides) do
      parts.into["1/" .. s] = nas.parts.input{from = 4, to = s, move = s == 4 and 'same' or 'down'}
      for _, p in ipairs(strides) do parts.into["2/" .. s .. "<" .. p] = nas.parts.input{from = p, to = s, move = p > s and 'up' or p < s and 'down' or 'same'} end
      parts.op[s] = nas.parts.operator('sep_conv_3x3', s)
      parts.heads[s] = nas.parts.head{channels = s, classes = 5, rate = 2}
    end
    function parts.forward(self, x)
      local h, at, out = self.stem(x), {}, {}
      for _, s in ipairs(strides) do at[s] = self.into["1/" .. s](h) end
      for s, op in pairs(self.op) do
        local terms, size = {}, {at[s].shape[3], at[s].shape[4]}
        for p, y in pairs(at) do terms[p] = nn.branch("from" .. p, op, self.into["2/" .. s .. "<" .. p](y, size)) end
        out[s] = nn.functional.resize(self.heads[s](nas.sum(terms)), {size = {x.shape[3], x.shape[4]}})
      end
      return nas.sum(out)
    end
    return nn.module(parts, {name = 'own'})
  end
  local set = data.shapes{images = 6, size = {32, 48}, classes = 5, seed = 1}
  local own = network(1)
  assert(own:count{height = 32, width = 48}.multiply_adds > 0)
  local history = own:fit(set, {steps = 12, batch = 2, lr = 0.1, progress = false})
  assert(history.last.loss < history.rows[1].loss)
  own:save('own.safetensors')
  local other = network(2)
  other:load('own.safetensors')
  same(metrics.evaluate(other, set):counts(), metrics.evaluate(own, set):counts())
  near(own:evaluate(set).miou, metrics.evaluate(function(images) return other(images) end, set).miou, 1)
  assert(tensor.load('own.safetensors')['op.8.bn1.running_mean.from4'])
  own:export('own.onnx', {height = 32, width = 48})
end
