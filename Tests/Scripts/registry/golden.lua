-- Every function that takes a tensor and gives one, and every measure (the test gives their names, `registered` and `measures`), beside PyTorch's numbers
-- (Tests/References/functions.py): values, and derivatives with respect to each argument, at once and in a plan.
local cases = dofile(scripts .. "/registry/functions.lua")
local golden = tensor.load(scripts .. "/golden/functions.safetensors")
local function is_tensor(x) return getmetatable(x) == "tensor" end

local function arguments(name)
  local list = {}
  while golden[("%s/x%d"):format(name, #list + 1)] do list[#list + 1] = golden[("%s/x%d"):format(name, #list + 1)] end
  return list
end
local function close(got, wanted, what)
  same(got.shape, wanted.shape, what .. ", shape")
  assert(got:float():allclose(wanted:float(), {rtol = 1e-4, atol = 2e-5}), ("%s: %s, PyTorch has %s"):format(what, got, wanted))
end

local checked = 0
local function check(name, case)
  local list = arguments(name)
  assert(#list == #case - 1, ("%s: golden numbers of %d arguments, the case has %d"):format(name, #list, #case - 1))
  for i, x in ipairs(list) do
    same(x.shape, case[i + 1], name .. ", argument " .. i)
    x:requires_grad_(not case.none)
  end
  local weights = golden[name .. "/weights"]
  assert(case.none or weights, name .. ": no golden derivatives")
  local function all()
    local y = case[1](table.unpack(list))
    if case.none then return y end
    return y, table.unpack(tensor.grad((y * weights):sum(), list))
  end
  local step = trellis.compile(all)
  for how, f in pairs{["at once"] = all, ["in a plan"] = function() step() return step() end} do
    local results = {f()}
    close(results[1], golden[name .. "/y"], name .. " " .. how)
    for i = 2, case.none and 1 or #list + 1 do
      close(results[i] or tensor.zeros_like(list[i - 1]), golden[("%s/g%d"):format(name, i - 1)], ("%s %s, derivative %d"):format(name, how, i - 1))
    end
  end
  checked = checked + 1
end

for _, name in ipairs(registered) do
  local case = cases[name]
  if case and not case.skip and not name:find("^supernet") then
    local list = {}
    for i = 2, #case do list[i - 1] = tensor.rand(case[i], {seed = i, low = case.low or -1, high = case.high or 1}) end
    if is_tensor(case[1](table.unpack(list))) then
      assert(golden[name .. "/y"], name .. " gives a tensor: give it PyTorch's numbers in Tests/References/functions.py")
      check(name, case)
    end
  end
end
assert(checked > 120, checked)

-- Layers that are made of others: in evaluation, in training, and the derivative in training.
for name, layer in pairs{strip_pool = nn.strip_pool(4)} do
  local all, state = tensor.load(scripts .. "/golden/functions.safetensors"), {}
  for key, value in pairs(all) do
    local part = key:match("^nn%." .. name .. "/state%.(.+)$")
    if part then state[part] = value end
  end
  layer:load_state(state)
  local prefix, x = "nn." .. name .. "/", all["nn." .. name .. "/x1"]:requires_grad_()
  close(layer:eval()(x), all[prefix .. "y"], name .. " in evaluation")
  local y = layer:train()(x)
  close(y, all[prefix .. "trained"], name .. " in training")
  close(tensor.grad((y * all[prefix .. "weights"]):sum(), {x})[1], all[prefix .. "g1"], name .. ", derivative")
end

-- Measures: with masks and ignored labels.
local function masked(name) return function(x, y, mask) return metrics[name](x, y, {mask = mask}) end end
local known = {
  boundary_iou = function(found, labels) return metrics.boundary_iou(found, labels, {classes = 3, distance = 2}) end,
  pck = function(p, q, distance, seen) return metrics.pck(p, q, {distance = distance:reshape(4, 1), mask = seen}) end,
  confusion = function(found, labels)
    local counts = metrics.confusion(3)
    counts:add(found, labels)
    return tensor.from(counts.miou)
  end,
}
for _, name in ipairs{"abs_rel", "sq_rel", "rmse", "rmse_log", "log10", "delta"} do known[name] = masked(name) end
for _, name in ipairs(measures) do
  local measure = assert(known[name], name .. ": give the measure a line here, and PyTorch's number in Tests/References/functions.py")
  near(measure(table.unpack(arguments("metrics." .. name))), assert(golden["metrics." .. name .. "/y"], name), 1e-5)
end
