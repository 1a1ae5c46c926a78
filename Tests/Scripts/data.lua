-- Data sets, batches, metrics, progress.
local set = data.shapes{images = 10, size = {24, 32}, classes = 5, seed = 3}
same(#set, 10)
same(set.classes, 5)
same(#set.names, 5)
same(#set.colours[1], 3)
local image, labels = set:sample(1)
same(image.shape, {3, 24, 32})
same(labels.shape, {24, 32})
same(labels.dtype, 'int32')
assert(image:min():item() >= 0 and image:max():item() <= 1)
same(labels, select(2, data.shapes{images = 3, size = {24, 32}, classes = 5, seed = 3}:sample(1)))
fails('sample 11 is outside of 1 to 10', function() set:sample(11) end)
fails('sample 0 is outside', function() set:sample(0) end)
same(select(2, set:sample(-1)), select(2, set:sample(10)))

-- Splits share nothing.
local a, b = set:split(0.5, {seed = 4})
same({#a, #b}, {5, 5})
local seen = {}
for _, part in ipairs{a, b} do for i = 1, #part do seen[part:source(i)] = (seen[part:source(i)] or 0) + 1 end end
local n = 0
for _, count in pairs(seen) do n = n + 1; same(count, 1) end
same(n, 10)
same(a:source(1), (set:split(0.5, {seed = 4})):source(1))
fails('too few to split', function() set:subset{1}:split(0.5) end)
fails('between 0 and 1', function() set:split(1.5) end)
fails("'data.shapes': option 'classes'" and 'classes', function() data.shapes{classes = 99} end)
fails("unknown option 'clases', did you mean 'classes'?", function() data.shapes{clases = 3} end)

-- Loaders.
local loader = set:batches{size = 4, seed = 6, crop = {16, 20}, flip = true, scale = {0.8, 1.2}, jitter = 0.1, focus = 0.5}
same(loader.per_epoch, 2)
same({loader.epoch, loader.position}, {1, 0})
local first, firstLabels = loader:next()
same(first.shape, {4, 3, 16, 20})
same(firstLabels.shape, {4, 16, 20})
same({loader.epoch, loader.position}, {1, 1})
loader:next()
same({loader.epoch, loader.position}, {2, 0})
local again = set:batches{size = 4, seed = 6, crop = {16, 20}, flip = true, scale = {0.8, 1.2}, jitter = 0.1, focus = 0.5, ahead = 0}
assert(first:equal((again:next())))
local place = loader:state()
local third = loader:next()
loader:load_state(place)
assert(third:equal((loader:next())))
fails('expected the state of a loader', function() set:batches{size = 2, seed = 6}:load_state(place) end)
fails('is larger than', function() set:batches{size = 2, crop = 64} end)
fails('too few for batches of 11', function() set:batches{size = 11} end)
fails("option 'size'", function() set:batches{} end)
fails("{least, most} expected", function() set:batches{size = 2, crop = 8, scale = {2, 1}} end)
local count = 0
for images, labels in set:batches{size = 3, drop_last = false, shuffle = false}:pass() do count = count + images:size(1) end
same(count, 10)
loader:close()
fails('the loader is closed', function() loader:next() end)
local raw = set:batches{size = 1, shuffle = false, normalise = false}:next()
assert((raw[1] - image):abs():max():item() < 1e-6)

-- Folders: what pairs up, and errors that name file and value.
os.execute('mkdir -p i l')
fails('No such file', function() data.folder{images = 'nowhere', labels = 'l', classes = 3} end)
fails("option 'classes'", function() data.folder{images = 'i', labels = 'l', classes = {{1}}} end)
os.execute('rmdir i l')
fails("'train', 'val', 'test'", function() data.camvid('.', 'all') end)

-- Predictions as files.
same(set.ids, {0, 1, 2, 3, 4})
same(set.labelled, true)
same(set.rule, 'present')
same(set:output_name(10), 'shapes-10')
same(set:subset{3}:output_name(1), 'shapes-3')
set:save_labels(labels, 'p.png')
fails('expected labels 0 to 4 or 255', function() set:save_labels(tensor.full({2, 2}, 5, {dtype = 'int32'}), 'q.png') end)
fails('int32 [height, width] expected', function() set:save_labels(tensor.zeros(2, 2), 'q.png') end)

-- Metrics.
same(metrics.confusion(3, {rule = 'all'}):add(tensor.from({0}, {dtype = 'int32'}), tensor.from({0}, {dtype = 'int32'})).miou, 1 / 3)
same(metrics.confusion(3).rule, 'present')
local c = metrics.confusion(3, {ignore = 255})
assert(c.miou ~= c.miou)
c:add(tensor.from({{0, 1}, {2, 2}}, {dtype = 'int32'}), tensor.from({{0, 1}, {1, 255}}, {dtype = 'int32'}))
same(c.total, 3)
same(c:iou(), {1.0, 0.5, 0.0})
near(c.miou, 0.5)
near(c.accuracy, 2 / 3, 1e-9)
local scores = tensor.zeros(1, 3, 2, 2)
scores[{1, 2, 1, 2}] = 1
local d = metrics.confusion(3):add(scores, tensor.from({{{0, 1}, {1, 255}}}, {dtype = 'int32'}))
same(d.total, 3)
same(d:counts(), {{1, 0, 0}, {1, 1, 0}, {0, 0, 0}})
same(c:merge(d).total, 6)
fails('expected a confusion matrix of 3 classes, got 2', function() c:merge(metrics.confusion(2)) end)
fails('got 7', function() c:add(tensor.full({1}, 7, {dtype = 'int32'}), tensor.full({1}, 0, {dtype = 'int32'})) end)
fails('scores of 3 classes', function() c:add(tensor.zeros(1, 4, 2, 2), tensor.zeros(1, 2, 2, {dtype = 'int32'})) end)
assert(tostring(metrics.confusion{'sky', 'road'}):find('sky'))

-- Evaluation leaves modes, weights and plans as they were.
local net = nn.sequential{nn.conv2d(3, 4, {kernel = 3, padding = 1, bias = false}), nn.batch_norm(4), nn.relu(), nn.dropout(0.5), nn.conv2d(4, 5, {kernel = 1})}
net[2]:eval()
local before = net[2].running_mean:clone()
local result = metrics.evaluate(net, set, {batch = 4})
same(result.total, 10 * 24 * 32)
same(net.training, true)
same(net[2].training, false)
same(net[4].training, true)
same(net[2].running_mean, before)
net:train()
same(metrics.evaluate(net, set, {batch = 3}):counts(), result:counts())
same(metrics.evaluate(net, set:batches{size = 5, shuffle = false}):counts(), result:counts())
local mixed = {}
metrics.evaluate(net, set, {batch = 4, each = function(done, total) mixed[#mixed + 1] = done .. '/' .. total end})
same(mixed, {'4/10', '8/10', '10/10'})

local bar = progress.bar{total = 3, label = 'test'}
for i = 1, 3 do bar:update(i, {loss = 1 / i}) end
same(bar.done, 3)

-- A bar at the ends of the integers.
fails("option 'done': 0 or more expected", function() progress.bar{total = 1, done = math.mininteger} end)
for _, total in ipairs{0, math.maxinteger} do
  for _, done in ipairs{0, math.maxinteger} do
    for _, now in ipairs{math.mininteger, 0, math.maxinteger} do
      progress.bar{total = total, done = done}:update(now, {loss = 0 / 0, rate = math.huge, tiny = -5e-324, steps = math.mininteger})
    end
  end
end
