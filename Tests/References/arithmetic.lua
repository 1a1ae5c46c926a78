-- Every operation on numbers, on the inputs of arithmetic.py: `arithmetic.lua DIRECTORY` reads inputs.npz and writes results.npz.
local directory = ...
local x = tensor.load(directory .. "/inputs.npz")
local results, done = {}, {}
local function same(name) return function(a, b) return a[name](a, b) end end

local unary = {"abs", "neg", "sign", "exp", "log", "sqrt", "rsqrt", "reciprocal", "square", "relu", "sigmoid", "tanh", "sin", "cos", "floor", "ceil", "round", "erf", "gelu", "silu",
  "hard_sigmoid", "hard_swish"}
local binary = {"add", "sub", "mul", "div", "pow", "maximum", "minimum", "eq", "ne", "lt", "le", "gt", "ge"}
local operators = {mod = function(a, b) return a % b end, idiv = function(a, b) return a // b end}
for _, name in ipairs(unary) do results[name], done[name] = x.a[name](x.a), true end
for _, name in ipairs(binary) do results[name], done[name] = x.a[name](x.a, x.b):float(), true end
for name, f in pairs(operators) do results[name], done["__" .. name] = f(x.a, x.b), true end
results.clamp, done.clamp = x.a:clamp(-1.5, 100), true
results.lerp, done.lerp = x.a:lerp(x.b, x.c), true

-- Along the rows.
local rows = {
  sum = {2}, mean = {2}, var = {2}, std = {2}, prod = {2}, norm = {2, 2}, max = {2}, min = {2}, argmax = {2}, argmin = {2}, cumsum = {2}, softmax = {2}, log_softmax = {2}, logsumexp = {2}, sort = {2},
  topk = {5, 2}, matmul = {x.rows:t()},
}
for name, arguments in pairs(rows) do results["rows_" .. name], done[name] = x.rows[name](x.rows, table.unpack(arguments)):float(), true end
for _, name in ipairs{"all", "any"} do
  local list = {}
  for i = 1, x.rows.shape[1] do list[i] = x.rows[i][name](x.rows[i]) and 1 or 0 end
  results["rows_" .. name], done[name] = tensor.from(list), true
end

-- Integers one by one: an overflow is an error.
local function each(name, n, f)
  local values, fails = tensor.zeros(n, {dtype = "int32"}), tensor.zeros(n, {dtype = "int32"})
  for i = 1, n do
    local fine, value = pcall(f, i)
    if not fine then fails[i] = 1 else values[i] = value end
  end
  results["int_" .. name], results["int_" .. name .. "_fails"] = values, fails
end
local function one(t, i) return t[{{i, i}}] end
local n, m = x.ia.count, x.irows.shape[1]
for _, name in ipairs{"abs", "neg", "sign", "square", "relu", "floor", "ceil", "round"} do each(name, n, function(i) return one(x.ia, i)[name](one(x.ia, i)):item() end) end
for _, name in ipairs{"add", "sub", "mul", "maximum", "minimum", "eq", "ne", "lt", "le", "gt", "ge"} do
  each(name, n, function(i)
    local value = one(x.ia, i)[name](one(x.ia, i), one(x.ib, i)):item()
    local number = one(x.ia, i)[name](one(x.ia, i), x.ib[i]):item()  -- the same with a number
    assert(value == number, name)
    return value
  end)
end
for name, f in pairs(operators) do
  each(name, n, function(i)
    local value = f(one(x.ia, i), one(x.ib, i)):item()
    assert(value == f(one(x.ia, i), x.ib[i]):item() and value == f(x.ia[i], one(x.ib, i)):item(), name)
    return value
  end)
end
each("clamp", n, function(i) return one(x.ia, i):clamp(-5, 2 ^ 24 + 1):item() end)
for _, name in ipairs{"sum", "prod", "max", "min", "argmax", "argmin"} do each(name, m, function(i) return x.irows[i][name](x.irows[i], 1):item() end) end
each("last of cumsum", m, function(i) return x.irows[i]:cumsum(1)[5] end)
each("second of sort", m, function(i) return (x.irows[i]:sort(1))[2] end)
each("product", m, function(i) return x.irows[i]:matmul(x.irows[i]):item() end)

-- Nothing that computes is left out: what is not here moves numbers, writes them, or is made of these.
local elsewhere = {}
for name in ([[add_ sub_ mul_ div_ fill_ copy_ zero_ fill copy zero backward cast float int chunk clone contiguous detach dim equal allclose expand flatten flip free gather index_select
  is_contiguous item masked_fill narrow numel one_hot pad permute requires_grad_ reshape save scatter scatter_add select size slice split squeeze t to_table transpose unsqueeze view]]):gmatch("%S+") do
  elsewhere[name] = true
end
local _, methods = debug.getupvalue(debug.getmetatable(x.a).__index, 1)
for name in pairs(methods) do assert(done[name] or elsewhere[name], name .. " computes: compare it with NumPy in Tests/References/arithmetic.lua, or say that it does not") end
tensor.save(directory .. "/results.npz", results)
