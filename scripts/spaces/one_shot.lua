-- One-shot evolution (Guo and others, 2020): one random architecture a step trains the weights of all, then evolution with the supernet as the judge.
local short = os.getenv("TRELLIS_SHORT") == "1"
local space = nas.trellis{
  layers = 4, strides = {4, 8, 16}, filters = 4, head_reach = 19,
  cell = nas.cell{blocks = 2, operators = {"none", "skip_connect", "max_pool_3x3", "sep_conv_3x3", "dil_conv_3x3"}},
}
local A, B = data.shapes{images = 16, size = {64, 96}, classes = 5, seed = 3}:split(0.5, {seed = 4})
local a = A:batches{size = 2, seed = 6}
local net = space:supernet{classes = 5, seed = 1}
local sgd = optim.sgd(net:weights(), {lr = 0.05, momentum = 0.9, clip = 5})
for i = 1, short and 10 or 300 do
  local loss = net:at(space:random{seed = i}):step(sgd, a:next()):item()      -- one recording for all, and only the path is computed
  if i % 50 == 0 then print(("step %3d  loss %.3f"):format(i, loss)) end
end

local function search(name, strategy, count)
  local best
  for trial in nas.trials{strategy = strategy, count = count} do
    local score = metrics.evaluate(net:at(trial.architecture), B).miou      -- by the batch's statistics
    trial:finish{score = score}
    if not best or score > best.score then best = {name = name, score = score, architecture = trial.architecture} end
  end
  print(name, best.score)
  return best
end
local count = short and 12 or 100
local found = {
  search("random", nas.strategy.random(space, {seed = 2}), count),
  search("evolution", nas.strategy.evolution(space, {population = math.max(5, count // 4), sample = 4, seed = 3}), count),
}
assert(net:recordings() == 2, "one for the steps, one for the scores")
for _, best in ipairs(found) do
  print(best.name, best.architecture)
  local network = space:network(best.architecture, {classes = 5})
  network:fit(A, {steps = short and 4 or 100, batch = 2, lr = 0.05})
  print("from scratch: mIoU", network:evaluate(B).miou)
end
