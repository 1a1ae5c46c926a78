-- Calls registered functions with odd and with realistic arguments. Run by FuzzTests in processes that may die:
--   trellis fuzz.lua DESCRIPTION LOG SEED FIRST LAST
-- DESCRIPTION is a Lua file that FuzzTests makes from the registry. Call i of a seed is the same whatever ran before it; LOG holds its number and its text
-- while it runs, so `trellis fuzz.lua DESCRIPTION /dev/stderr SEED i i` repeats it. With LAST 0 only the recipes are tried: one object of each type.

local description, log_path, seed, first, last = table.unpack(arg)
seed, first, last = tonumber(seed), tonumber(first), tonumber(last)
local registry = dofile(description)

-- MARK: Chance

-- A stream of its own (xorshift*): functions under test may seed math.random.
local state
local function start(a, b)
  state = (a * 0x9E3779B97F4A7C15 ~ b * 0xD1B54A32D192ED03) | 1
  for _ = 1, 4 do state = state ~ state << 13; state = state ~ state >> 7; state = state ~ state << 17 end
end
local function draw(n)
  state = state ~ state << 13
  state = state ~ state >> 7
  state = state ~ state << 17
  return (state * 0x2545F4914F6CDD1D >> 33) % n + 1
end
local function chance(p) return draw(1000) <= p * 1000 end
local function pick(list) return list[draw(#list)] end

-- MARK: Values, as the text of expressions

function cyclic() local t = {1, x = 2} t.self = t t[2] = t return t end
function deep(n) local t = {1} for _ = 1, n or 40 do t = {t} end return t end
function shared(n) local t = {1} for _ = 1, n or 60 do t = {t, t} end return t end
function long() return ("x"):rep(100000) end
function freed() local t = tensor.ones(2) t:free() return t end
function raise() error({}) end
function nested(n) local m = nn.relu() for _ = 1, n do m = nn.sequential{m} end return m end
function labels(...) return tensor.zeros(...):int() end
function step(net) return optim.sgd(net:parameters(), {lr = 0.1}) end

local integers = {
  "0", "-1", "1", "2", "3", "7", "16", "255", "256", "1000", "65537", "1<<20", "1<<24", "1<<31", "1<<32", "1<<40", "1<<61", "1<<62", "math.maxinteger",
  "math.maxinteger - 1", "math.mininteger", "math.mininteger + 1", "-2", "-3", "3.0",
}
local small = {"1", "2", "3", "4", "1", "2", "3", "-1", "0", "8"}
local numbers = {"0/0", "1/0", "-1/0", "-0.0", "1e300", "-1e300", "1e-300", "0.5", "0.1", "-1.5", "1e10", "2.5", "1", "3e9", "1e19"}
local strings = {
  '""', '"x"', '"a.b"', '"\\xff\\xfe"', '"\\0"', "long()", '"../x"', '"/"', '"."', '"x/y"', '"%s%d"', '"1"', '"true"', '"net"', '"sep_conv_3x3"', '"skip_connect"',
  '" "', '"\\n"', '"-x"',
}
local names = {
  '"a.npy"', '"a.npz"', '"a.safetensors"', '"a.png"', '"a.svg"', '"a.pdf"', '"a.txt"', '"a.json"', '"a.onnx"', '"dir"', '"missing/a.npy"', '"a.NPY"', '"a.jpg"', '"empty.npy"',
  '"half.safetensors"', '"/dev/null"',
}
local functions = {"function() end", "raise", "function(...) return ... end", "function() return 1 end", "function(x) return x end", "print",
  "function(x) return x:sum() end", "function(c) return nn.conv2d(c, c, {kernel = 1}) end", "function() return true end", "function() return {} end"}
local tensors = {
  "tensor.zeros()", "tensor.zeros(0)", "tensor.ones(1)", "tensor.ones(3)", "tensor.arange(6)", "tensor.randn(2, 3)", "tensor.randn(3, 3)", "tensor.zeros(2, 0)",
  "tensor.zeros(0, 3)", "tensor.randn(2, 3, 4)", "tensor.zeros(2, 0, 4)", "tensor.randn(3, 8, 8)", "tensor.randn(8, 8)", "tensor.randn(1, 3, 8, 8)",
  "tensor.randn(2, 3, 16, 16)", "tensor.zeros(0, 3, 8, 8)", "tensor.zeros(2, 0, 8, 8)", "tensor.zeros(2, 3, 0, 8)", "tensor.randn(2, 3, 4, 5, 6)",
  "tensor.randn(1, 1, 1, 1, 1, 2)", "labels(4)", "labels(2, 3)", "labels(2, 8, 8)", "labels(1, 16, 16)", "labels(0, 8, 8)", "labels()", "labels(2, 3) + 7",
  "tensor.randn(4, 3):t()", "tensor.randn(2, 3, 8, 8):narrow(2, 1, 2)", "tensor.randn(2, 1):expand(2, 1000)", "tensor.randn(2, 3, {requires_grad = true})",
  "tensor.randn(2, 3, 8, 8, {requires_grad = true}) * 2", "tensor.full({2, 2}, 0/0)", "tensor.full({3}, 1/0)", "tensor.full({2}, 1e30)",
  "tensor.full({3}, -2147483648, {dtype = 'int32'})", "tensor.rand(300, 300)", "freed()",
}
local tables = {"{}", "cyclic()", "deep()", "deep(200)", "shared()", "{1, 2, 3}", "{-1}", "{0}", "{1<<62, 1<<62}", "{1<<31, 1<<31, 1<<31}", "{x = 1}", "{1, nil, 3}", "{{}}", "{{1}, {2}}",
  '{"a", "b"}', "{[0/1] = 1}", "{[1.5] = 2}", "{[{}] = {}}", "_G", "{tensor.ones(2)}", "{nn.relu()}", "{x = tensor.ones(2)}", "{{'a', nn.relu()}}", "{true}", "{[1<<62] = 1}",
  "{function() end}", "setmetatable({}, {__index = raise, __len = raise})", "{0.5, 0.25}", "{1/0, 0/0}"}
local others = {"nil", "true", "false", "coroutine.create(print)", "io.stdout", "setmetatable({}, {__tostring = raise})"}

local net = "nn.sequential{nn.conv2d(3, 4, {kernel = 3, padding = 1}), nn.batch_norm(4), nn.relu(), nn.conv2d(4, 3, {kernel = 1})}"
local locks = 0
function lock()
  locks = locks + 1
  files.make_directory("lock" .. locks)
  return files.lock("lock" .. locks)
end
local set = "data.shapes{images = 3, size = {16, 24}, classes = 3}"
local space = "nas.trellis{layers = 2, filters = 2, cell = nas.cell{blocks = 1, operators = {'skip_connect', 'max_pool_3x3'}}}"
local supernet = space .. ":supernet{classes = 3}"
function deciding(name)
  return nas.space(function(c) return nas.mix(nas.choice(name, {'skip_connect', 'max_pool_3x3'}), function(op) return nas.parts.operator(op, 3) end) end)
end
local decided = "deciding('op')"
local strategy = "nas.strategy.random(" .. decided .. ")"
-- One or more ways to an object of each type; the first gives a usual one.
local recipes = {
  tensor = tensors,
  module = {net, "nn.relu()", "nn.conv2d(3, 4, {kernel = 3})", "nn.linear(3, 2)", "nn.batch_norm(3)", "nn.sequential{}", "nn.lambda(function(x) return x end)", "nn.lambda(raise)",
    "nn.lambda(function() end)", "nn.parallel{nn.relu(), nn.tanh()}", "nn.residual{nn.relu()}", "nn.max_pool2d{kernel = 2}", "nn.avg_pool2d{kernel = 3, padding = 1}",
    "nn.resize{scale = 0.5}", "nn.dropout(0.5)", "nn.drop_path(0.5)", "nn.flatten()", "nn.softmax(2)", "nn.global_avg_pool()",
    "nn.module{forward = function(self, x) return self.a(x) end, a = nn.relu()}", "nested(30)", "nas.gallery.darts_v2:network{filters = 2, classes = 3}"},
  parameters = {"(" .. net .. "):parameters()", "nn.relu():parameters()"},
  count = {"(" .. net .. "):count{height = 8, width = 8}"},
  history = {"(" .. net .. "):fit(" .. set .. ", {steps = 1, batch = 1, progress = false})"},
  evaluation = {"(" .. net .. "):evaluate(" .. set .. ")"},
  optimiser = {"step(" .. net .. ")", "optim.adam((" .. net .. "):parameters())", "optim.adamw{tensor.ones(2, {requires_grad = true})}"},
  parameter_group = {"step(" .. net .. ").groups[1]"},
  schedule = {"optim.constant(0.1)", "optim.cosine{from = 0.1, steps = 10}", "optim.poly{from = 0.1, steps = 10}"},
  cell_space = {"nas.cell()", "nas.cell{blocks = 1, operators = {'skip_connect'}}"},
  space = {space, "nas.trellis{layers = 3}", decided, decided .. ":fix{op = 'skip_connect'}", decided .. ":where(raise)"},
  space_count = {space .. ":count()"},
  space_estimate = {space .. ":estimate{classes = 3}"},
  supernet = {supernet, decided .. ":supernet()"},
  architecture = {space .. ":random{seed = 1}", "nas.gallery.auto_deeplab", decided .. ":random()"},
  network_estimate = {"nas.gallery.auto_deeplab:estimate{filters = 2, classes = 3}"},
  decision = {decided .. ".decisions[1]"},
  gate = {decided .. ".decisions[1]:weight(1)"},
  relaxation = {"nas.softmax()", "nas.gumbel{hard = true}", "nas.sparsemax()"},
  cost_kind = {"nas.cost.parameters", "nas.cost.multiply_adds"},
  strategy = {strategy, "nas.strategy.evolution(" .. decided .. ")", "nas.strategy.local_search(" .. decided .. ")"},
  truth = {"nas.truth('streets')"},
  dashboard = {"plot.dashboard(" .. supernet .. ", {total = 3})"},
  run = {"nas.run('a run', {kind = 'training', settings = {lr = 0.1}, seed = 1, resume = true})"},
  runs = {"nas.runs('.')"},
  run_table = {"nas.runs('.'):compare()", "nas.runs('.'):table{'lr'}"},
  trials = {"nas.trials{strategy = " .. strategy .. "}", "nas.trials{strategy = " .. strategy .. ", count = 2, out = 'shared'}", "nas.trials{strategy = {ask = raise, tell = raise}}"},
  trial = {"nas.trials{strategy = " .. strategy .. "}()", "nas.trials{strategy = {ask = function() return 1 end, tell = raise}}()"},
  data_set = {set, set .. ":subset(1)", set .. ":scaled(0.7)"},
  loader = {set .. ":batches{size = 2}"},
  confusion = {"metrics.confusion(3)", "metrics.confusion{'a', 'b'}"},
  progress_bar = {"progress.bar{total = 3}"},
  figure = {"plot.line{1, 2, 3}", "plot.heatmap{{1, 2}, {3, 4}}", "plot.trellis(nas.gallery.auto_deeplab)"},
  display = {"display(1, {id = 'x'})"},
  rich = {"display.markdown('*x*')", "display.html('<b>x</b>')"},
  live = {"plot.live(function() return plot.line{1, 2, 3} end)", "plot.live(raise)"},
  compiled = {"trellis.compile(function(x) return x end)", "trellis.compile(raise)", "trellis.compile(function(x) return x:sum() * 2 end)"},
  lock = {"lock()"},
  profile = {"trellis.profile(function() return tensor.ones(2) + 1 end)"},
}

-- MARK: Arguments by kind

-- What would be a long job and no fault: so many steps, epochs, threads.
local bounded = {steps = true, epochs = true, threads = true, accumulate = true, ahead = true}
local value

local function odd()
  local which = draw(9)
  if which == 1 then return pick(integers) end
  if which == 2 then return pick(numbers) end
  if which == 3 then return pick(strings) end
  if which == 4 then return pick(functions) end
  if which == 5 then return pick(tables) end
  if which == 6 then return pick(tensors) end
  if which == 7 then return pick(others) end
  local names = {}
  for name in pairs(recipes) do names[#names + 1] = name end
  table.sort(names)
  return pick(recipes[pick(names)])
end

local function list(kind, name)
  local parts = {}
  for i = 1, draw(5) - 1 do parts[i] = value(kind, name) end
  return "{" .. table.concat(parts, ", ") .. "}"
end

function value(kind, name)
  if chance(0.12) then return odd() end
  local what = kind[1]
  if what == "boolean" then return pick{"true", "false"} end
  if what == "integer" then
    if bounded[name] then return pick{"1", "2", "-1", "0"} end
    return chance(0.7) and pick(small) or pick(integers)
  end
  if what == "number" then
    if bounded[name] then return pick{"1", "0.5", "-1", "0", "0/0"} end
    return chance(0.4) and pick(small) or chance(0.3) and pick(integers) or pick(numbers)
  end
  if what == "string" then
    local is_file = name and (name:find("path") or name:find("dir") or name == "out" or name == "run" or name == "images" or name == "labels")
    return is_file and chance(0.8) and pick(names) or pick(strings)
  end
  if what == "choice" then return ("%q"):format(pick(kind[2])) end
  if what == "table" then return pick(tables) end
  if what == "function" then return pick(functions) end
  if what == "object" then
    local ways = recipes[kind[2]] or {"nil"}
    return chance(0.6) and kind[2] ~= "tensor" and ways[1] or pick(ways)
  end
  if what == "list" then return list(kind[2], name) end
  if what == "union" then return value(pick(kind[2]), name) end
  return odd()
end

local function arguments(entry)
  local texts = {}
  for _, parameter in ipairs(entry.parameters or {}) do
    if parameter.optional and chance(0.3) then break end
    texts[#texts + 1] = value(parameter.kind, parameter.name)
    if parameter.variadic then for _ = 1, draw(4) - 1 do texts[#texts + 1] = value(parameter.kind, parameter.name) end end
  end
  if entry.options and #entry.options > 0 and chance(0.7) then
    local options = {}
    for _, option in ipairs(entry.options) do
      if chance(option.required and 0.95 or math.min(0.5, 3 / #entry.options)) then options[#options + 1] = option.name .. " = " .. value(option.kind, option.name) end
    end
    if chance(0.03) then options[#options + 1] = pick{"nonsense = 1", "[1] = 2", "[{}] = 3"} end
    texts[#texts + 1] = "{" .. table.concat(options, ", ") .. "}"
  end
  while #texts > 0 and chance(0.05) do texts[#texts] = nil end
  if chance(0.05) then texts[#texts + 1] = odd() end
  return table.concat(texts, ", ")
end

-- Entries by how much there is to go wrong in them.
local pool = {}
for _, entry in ipairs(registry) do
  local trivial = entry.what == "metamethod" and #entry.parameters == 0
  local weight = trivial and 1 or 3 + 3 * #entry.parameters + math.min(#entry.options, 5)
  for _ = 1, weight do pool[#pool + 1] = entry end
end
local methods = {}
for _, entry in ipairs(registry) do
  if entry.what == "method" and entry.type == "tensor" and entry.name ~= "free" and entry.name ~= "save" then methods[#methods + 1] = entry end
end

-- Methods of a tensor one after another: at once, backwards, and compiled.
local function chain()
  local text = "x"
  for _ = 1, draw(4) do
    local entry = pick(methods)
    text = "try(" .. text .. ", " .. ("%q"):format(entry.name) .. ", " .. arguments(entry) .. ")"
    text = text:gsub(", %)$", ")")
  end
  local x = pick(tensors)
  local which = draw(4)
  if which == 1 then return "(function(x) return " .. text .. " end)(" .. x .. ")" end
  if which == 2 then return "(function(x) local y = " .. text .. " y:sum():backward() return x.grad end)((" .. x .. "):float():detach():requires_grad_())" end
  if which == 3 then return "twice(trellis.compile(function(x) return " .. text .. " end), " .. x .. ")" end
  return "twice(trellis.compile(function(x) local w = tensor.ones(1, {requires_grad = true}) local y = " .. text .. " (y * w):sum():backward() return y, w.grad end), " .. x .. ")"
end
-- The tensor that a method gives; the tensor itself where it gives none or fails.
function try(x, name, ...)
  local ok, y = pcall(x[name], x, ...)
  return ok and getmetatable(y) == "tensor" and y or x
end
function twice(f, ...) f(...) return f(...) end

-- The text of one call.
local function call()
  if chance(0.12) then return chain() end
  local entry = pick(pool)
  if entry.what == "function" then return entry.name .. "(" .. arguments(entry) .. ")" end
  if entry.what == "constant" then return entry.name end
  local ways = recipes[entry.type]
  local object = "(" .. (chance(0.5) and entry.type ~= "tensor" and ways[1] or pick(ways)) .. ")"
  if entry.what == "method" then
    if chance(0.03) then return object .. "." .. entry.name .. "(" .. odd() .. ")" end
    return object .. ":" .. entry.name .. "(" .. arguments(entry) .. ")"
  end
  if entry.what == "field" then
    if entry.writable and chance(0.7) then return "assign(" .. object .. ", '" .. entry.name .. "', " .. value(entry.kind, entry.name) .. ")" end
    return object .. "." .. entry.name
  end
  -- A metamethod, also with arguments that no operator would give it.
  if chance(0.3) then return "debug.getmetatable(" .. object .. ")." .. entry.name .. "(" .. pick{object .. ", ", ""} .. odd() .. ", " .. odd() .. ")" end
  local operators = {__add = "+", __sub = "-", __mul = "*", __div = "/", __mod = "%", __pow = "^", __idiv = "//", __concat = "..", __eq = "==", __lt = "<", __le = "<="}
  local other = chance(0.5) and odd() or pick(ways)
  if operators[entry.name] then
    local operator = " " .. operators[entry.name] .. " "
    return "(" .. pick{object .. operator .. "(" .. other .. ")", "(" .. other .. ")" .. operator .. object} .. ")"
  end
  if entry.name == "__unm" then return "(-" .. object .. ")" end
  if entry.name == "__len" then return "#" .. object end
  if entry.name == "__call" then return object .. "(" .. arguments(entry) .. ")" end
  if entry.name == "__index" then return object .. "[" .. (chance(0.6) and value({"integer"}) or odd()) .. "]" end
  if entry.name == "__newindex" then return "assign(" .. object .. ", " .. (chance(0.6) and value({"integer"}) or odd()) .. ", " .. odd() .. ")" end
  return "debug.getmetatable(" .. object .. ")." .. entry.name .. "(" .. object .. ")"
end
function assign(object, key, x) object[key] = x return object end

-- MARK: Running

if last == 0 then
  for name, ways in pairs(recipes) do
    for _, text in ipairs(ways) do
      local object = assert(load("return " .. text, text))()
      if text ~= "freed()" and getmetatable(object) ~= name then error(text .. " gives no " .. name) end
    end
  end
  for _, entry in ipairs(registry) do
    if entry.type and not recipes[entry.type] then error("no recipe for a " .. entry.type .. ": add one to fuzz.lua") end
  end
  return
end

io.open("empty.npy", "w"):close()
io.open("half.safetensors", "w"):write("\40\0\0\0\0\0\0\0{\"a\":{\"dtype\":\"F32\",\"shape\":[2],"):close()
local log = assert(io.open(log_path, "w"))
log:setvbuf("no")
local globals = {}
for name, x in pairs(_G) do globals[name] = x end

for i = first, last do
  start(seed, i)
  local text = call()
  log:seek("set")
  log:write(i, " ", text, "\n\n")
  local chunk = assert(load("return " .. text, text))
  local results = table.pack(pcall(chunk))
  -- What came of it is looked at: a result that cannot be used is found here and not later.
  for k = 2, results.n do pcall(tostring, results[k]) end
  results = nil
  for name in pairs(_G) do if globals[name] == nil then _G[name] = nil end end
  trellis.threads(2)
  if i % 20 == 0 then collectgarbage() end
end
