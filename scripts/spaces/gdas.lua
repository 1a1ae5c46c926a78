-- GDAS (Dong and Yang, 2019) in Auto-DeepLab's trellis: one operator of each row is drawn at each step, and only what was drawn is computed.
local short = os.getenv("TRELLIS_SHORT") == "1"
local space = nas.trellis{
  layers = 4, strides = {4, 8, 16}, filters = 4, head_reach = 19,
  cell = nas.cell{blocks = 2, operators = {"none", "skip_connect", "max_pool_3x3", "sep_conv_3x3", "dil_conv_3x3"}},
}
print(space)
local A, B = data.shapes{images = 16, size = {64, 96}, classes = 5, seed = 3}:split(0.5, {seed = 4})
local a, b = A:batches{size = 2, seed = 6}, B:batches{size = 2, seed = 7}

-- The rows of alpha are hard samples; the arrows stay a mixture. The temperature is a stored number: a schedule makes no new recording.
local drawn = nas.gumbel{temperature = 10, hard = true}
local net = space:supernet{classes = 5, seed = 1, relax = {["cell.*"] = drawn, paths = nas.softmax()}}
local sgd = optim.sgd(net:weights(), {lr = 0.025, momentum = 0.9, clip = 5})
local adam = optim.adam(net:architecture(), {lr = 0.05, betas = {0.5, 0.999}})
local steps = short and 12 or 150
for i = 1, steps do
  drawn.temperature = 10 - 9.9 * i / steps
  local loss = net:step(sgd, a:next()):item()
  if i > steps // 3 then net:step(adam, b:next()) end
  if i % 10 == 0 then print(("step %3d  loss %.3f  temperature %.2f"):format(i, loss, drawn.temperature)) end
end
assert(net:recordings() == 2, "one for the weights, one for the logits")

local found = net:decode()
print(found)
local network = space:network(found, {classes = 5})
print("parameters", space:cost(found, nas.cost.parameters, {classes = 5}), "multiply-adds", space:cost(found, nas.cost.multiply_adds, {classes = 5, input = {1, 3, 64, 96}}))
network:fit(A, {steps = short and 4 or 100, batch = 2, lr = 0.05})
print("mIoU", network:evaluate(B).miou)
