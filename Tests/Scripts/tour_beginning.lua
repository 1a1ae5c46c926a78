-- The tour of the design up to "a search space", as it stands there.
-- tensors and derivatives
local x = tensor.randn(2, 3, 4, {seed = 1})
print(x.shape[2], x[1][2], x[{1, {2, 3}}], x:mean(), x:sum(-1))
local w = tensor.zeros(4, 5, {requires_grad = true})
local loss = (x:matmul(w) - 1):pow(2):mean()
loss:backward()
print(loss:item(), w.grad)

-- layers and optimisers
local net = nn.sequential{
  nn.conv2d(3, 8, {kernel = 3, stride = 2, padding = 1, bias = false}), nn.batch_norm(8), nn.relu(),
  nn.conv2d(8, 2, {kernel = 1}),
}
local sgd = optim.sgd(net:parameters(), {lr = 0.1, momentum = 0.9, weight_decay = 1e-4})
local images, labels = tensor.randn(4, 3, 16, 16, {seed = 2}), tensor.full({4, 8, 8}, 1, {dtype = "int32"})
for step = 1, 20 do
  local loss = nn.cross_entropy(net(images), labels, {ignore = 255})
  sgd:zero_grad(); loss:backward(); sgd:step()
end

-- What must have come out.
same(x.shape, {2, 3, 4})
same(loss:item(), 1.0)
same(w.grad.shape, {4, 5})
near(w.grad[{1, 1}], -2 * x:sum({1, 2})[1] / 30)
local last = nn.cross_entropy(net(images), labels, {ignore = 255}):item()
assert(last < 0.05, last)
same(sgd.steps, 20)
