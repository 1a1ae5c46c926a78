-- Every function that takes a tensor (the test gives their names, `registered`): its derivative with respect to each tensor argument against central
-- differences, or that it has none and says so; and that a result shares memory with an argument only where it is a view.
local cases = dofile(scripts .. "/registry/functions.lua")

-- The name in the registry of a further case of a function ends at the comma.
local known = {}
for name in pairs(cases) do known[name:match("^[^,]+")] = true end
for _, name in ipairs(registered) do assert(known[name], name .. " takes a tensor: give it a case in Tests/Scripts/registry/functions.lua") end

local function inputs(case, marked)
  local list = {}
  for i = 2, #case do
    list[#list + 1] = tensor.rand(case[i], {seed = 10 * i + #case[i], low = case.low or -1, high = case.high or 1, requires_grad = marked})
  end
  return list
end
local function is_tensor(x) return getmetatable(x) == "tensor" end

local function differentiate(name, case)
  local f, list = case[1], inputs(case, true)
  local y = f(table.unpack(list))
  assert(is_tensor(y) and y.requires_grad, name .. ": the result has no history")
  local weights = tensor.rand(y.shape, {seed = 5, low = -1, high = 1})
  local found = tensor.grad((y * weights):sum(), list)
  local h = 1e-2
  for i, x in ipairs(list) do
    local plain = inputs(case, false)
    local function value(j, step)
      local flat = plain[i]:view(plain[i].count)
      local before = flat[j]
      flat[j] = before + step
      local sum = (f(table.unpack(plain)) * weights):sum():item()
      flat[j] = before
      return sum
    end
    for j = 1, x.count do
      local coarse, fine = (value(j, h) - value(j, -h)) / (2 * h), (value(j, h / 2) - value(j, -h / 2)) / h
      local expected, got = (4 * fine - coarse) / 3, found[i]:flatten()[j]
      assert(math.abs(expected - got) <= 1e-2 * math.max(1, math.abs(expected)),
        ("%s: derivative with respect to argument %d, element %d: %g, by differences %g"):format(name, i, j, got, expected))
    end
  end
end

local function shares(name, case)
  local list = inputs(case, false)
  local y = case[1](table.unpack(list))
  if not is_tensor(y) or y.dtype ~= "float32" or y.count == 0 then return end
  local before = {}
  for i, x in ipairs(list) do before[i] = x:clone() end
  if not pcall(y.add_, y, 1) then y:detach()[{{1, 1}}]:sum() end -- an expanded one cannot be written
  local changed = false
  for i, x in ipairs(list) do changed = changed or not x:equal(before[i]) end
  assert(not changed or case.view, name .. ": a write to the result changes an argument, and it is no view")
end

-- Whole numbers as int32: what comes out for them as float32, or an error; nothing reads them as what they are not.
local function close(a, b)
  if a.count ~= b.count then return false end
  a, b = a:flatten():to_table(), b:flatten():to_table()
  for i, x in ipairs(a) do
    if x ~= b[i] and (x == x or b[i] == b[i]) and not (math.abs(x - b[i]) <= 1e-5 * math.max(1, math.abs(x))) then return false end
  end
  return true
end
local function takes_integers(name, case)
  local whole, list = {}, inputs(case, false)
  for i, x in ipairs(list) do whole[i] = (x * 4):round() end
  local function numbers(y)
    if is_tensor(y) then return y:float() end
    return type(y) == "number" and tensor.from{y} or nil
  end
  local fine, expected = pcall(case[1], table.unpack(whole))
  if not fine then return end
  expected = numbers(expected)
  for i = 1, 2 ^ #whole - 1 do
    local mixed = {}
    for j, x in ipairs(whole) do mixed[j] = i >> (j - 1) & 1 == 1 and x:int() or x end
    local fine, got = pcall(case[1], table.unpack(mixed))
    if fine and expected then
      got = numbers(got)
      assert(got and close(got, expected), ("%s of integers: %s, of floats %s"):format(name, got, expected))
    elseif not fine then
      got = tostring(got)
      assert(got:find("int32", 1, true) or got:find("integers", 1, true), name .. " of integers: " .. got)
    end
  end
end

for name, case in pairs(cases) do
  if not case.skip then takes_integers(name, case) end
  if case.none then
    local y = case[1](table.unpack(inputs(case, true)))
    assert(not is_tensor(y) or not y.requires_grad, name .. ": the result has a history")
    shares(name, case)
  elseif case.refuses then
    fails(case.refuses, function() return case[1](table.unpack(inputs(case, true))) end)
  elseif not case.skip then
    differentiate(name, case)
    shares(name, case)
  end
end
