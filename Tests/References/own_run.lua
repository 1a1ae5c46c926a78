-- A training of a task of one's own for kill-resume.sh, samples in Lua: own_run.lua --out DIR --threads N [--resume]
local options = {}
for i, word in ipairs(arg) do if word:find("^%-%-") then options[word:sub(3)] = arg[i + 1] or true end end
trellis.threads(math.tointeger(tonumber(options.threads)))
local set = data.from{
  count = 24, inputs = {"image"}, targets = {"depth"}, normalise = false,
  sample = function(i, random)
    local ground = nn.functional.resize(tensor.rand({1, 1, 4, 5}), {size = {24, 30}}):squeeze(1)
    return {image = tensor.concat({ground, 1 - ground, ground * ground + 0.1 * random()}, 1), depth = 1 + 4 * ground:squeeze(1)}
  end,
}
local train, test = set:split(0.75, {seed = 2})
tensor.manual_seed(1)
local net = nn.module{
  body = nn.sequential{nn.conv2d(3, 8, {kernel = 3, padding = 1}), nn.batch_norm(8), nn.relu(), nn.dropout(0.1), nn.conv2d(8, 1, {kernel = 1})},
  forward = function(self, x) return self.body(x):squeeze(2):exp() end,
}
net:fit(train, {
  steps = 300, batch = 4, crop = {16, 20}, flip = true, lr = 0.05, clip = 5, every = 10, out = options.out, resume = options.resume ~= nil, validation = test,
  loss = function(net, x, y) return nn.silog_loss(net(x), y) end, metric = function(net, x, y) return metrics.abs_rel(net(x), y) end, metric_goal = "min",
})
