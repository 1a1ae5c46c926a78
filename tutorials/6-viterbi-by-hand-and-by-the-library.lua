-- -*- coding: utf-8 -*-
-- %% [markdown]
-- # 6. Viterbi, by hand and by the library
--
-- A search ends with numbers on arrows. At every node of the trellis the weights of the outgoing arrows sum to 1, so
-- they read as probabilities: standing at stride 8, go to stride 4 with probability 0.2, stay with 0.5, go to 16 with
-- 0.3. The architecture that Auto-DeepLab derives is the path whose product of probabilities is largest. This
-- tutorial finds it in three ways - greedily, which is wrong; by trying everything, which is slow; and by Viterbi's
-- dynamic programming - and then compares with `nas.viterbi`.
--
-- Run it with `scripts/trellis tutorials/6-viterbi-by-hand-and-by-the-library.lua`. Variables are globals because the
-- cells of a notebook are chunks of their own (tutorial 1).

-- %%
out = os.getenv("TRELLIS_OUT") or "out"           -- pictures go there
os.execute("mkdir -p '" .. out .. "'")
short = os.getenv("TRELLIS_SHORT") == "1"         -- fewer random tables

function show(figure, name)
  figure:save(out .. "/" .. name .. ".svg")
  display(figure)
  print("saved " .. out .. "/" .. name .. ".svg")
end

-- %% [markdown]
-- ## The table
--
-- `p[layer][state][move]` is the probability of an arrow that leaves a state on its way into a layer. States are the
-- strides, finest first; move 1 goes to the finer stride, 2 stays, 3 goes to the coarser one. The stem stands at
-- state 1. Plain Lua tables will do.
--
-- First a table of two layers and two states, made to embarrass the greedy reader: the best first move leads to a
-- node that cannot make up its mind.

-- %%
trap = {
  {{0, 0.45, 0.55}, {0, 0, 0}},                   -- from stride 4: stay 0.45, coarser 0.55 (nothing is at stride 8 yet)
  {{0, 0.90, 0.10}, {0.5, 0.5, 0}},               -- from 4: stay 0.90; from 8: undecided
}

function greedy(p)
  local state, path, product = 1, {}, 1
  for layer = 1, #p do
    local best
    for move = 1, 3 do
      if p[layer][state + move - 2] and (not best or p[layer][state][move] > p[layer][state][best]) then best = move end
    end
    product = product * p[layer][state][best]
    state = state + best - 2
    path[layer] = state
  end
  return path, product
end

path, product = greedy(trap)
print("greedy:  " .. table.concat(path, " "), product)
assert(math.abs(product - 0.275) < 1e-12)         -- 0.55 · 0.5, but staying twice has 0.45 · 0.90 = 0.405

-- %% [markdown]
-- ## Every path
--
-- The honest way is to look at all of them. A recursive function walks every arrow that exists and keeps its list in
-- order of the product; of equal ones the path with the lower stride first, as the project's rule says.

-- %%
function every(p)
  local found = {}
  local function walk(layer, state, product, path)
    if layer > #p then
      found[#found + 1] = {states = {table.unpack(path)}, product = product}
      return
    end
    for move = 1, 3 do
      local to = state + move - 2
      if p[layer][to] and p[layer][state][move] > 0 then
        path[layer] = to
        walk(layer + 1, to, product * p[layer][state][move], path)
        path[layer] = nil
      end
    end
  end
  walk(1, 1, 1, {})
  table.sort(found, function(a, b)
    if a.product ~= b.product then return a.product > b.product end
    for i = 1, #p do
      if a.states[i] ~= b.states[i] then return a.states[i] < b.states[i] end
    end
    return false
  end)
  return found
end

all = every(trap)
for _, one in ipairs(all) do print(table.concat(one.states, " "), one.product) end
assert(table.concat(all[1].states, " ") == "1 1" and math.abs(all[1].product - 0.405) < 1e-12)

-- %% [markdown]
-- ## Why not always so
--
-- Because the number of paths grows by a factor of 2.6 a layer. A random table of four states, normalised over the
-- arrows that exist, as a supernet's beta is:

-- %%
function random_table(layers, states, seed)
  local logits = tensor.randn(layers, states, 3, {seed = seed})
  logits[{{}, 1, 1}] = -100                       -- nothing is finer than the finest
  logits[{{}, states, 3}] = -100                  -- nor coarser than the coarsest
  return logits:softmax(3):to_table()
end

most = short and 8 or 10
count = {}
for layers = 1, most do count[layers] = #every(random_table(layers, 4, layers)) end
print("paths:  " .. table.concat(count, " "))
for layers = 3, most do assert(count[layers] > 2.4 * count[layers - 1] and count[layers] < 2.8 * count[layers - 1]) end
assert(count[8] == 1597)
for layers = 1, most do assert(count[layers] == nas.trellis{layers = layers}:count().paths) end

-- %% [markdown]
-- ## Viterbi
--
-- Andrew Viterbi's observation (1967): whatever brought us to a node, the best way *on* from it is the same. So go
-- through the layers from the last to the first and write at each node the value of the best way on; it needs only
-- the values one layer later. Then walk forward along the arrows that keep the promise. That is layers · states · 3
-- multiplications instead of 2.6 to the power of the layers.
--
-- Logarithms turn products into sums. Not for beauty: a path of 1000 arrows of probability 1/3 has the product 0 in
-- double precision.

-- %%
assert((1 / 3) ^ 1000 == 0 and 1000 * math.log(1 / 3) > -1100)

function viterbi(p)
  local layers, states = #p, #p[1]
  local value, choice = {[layers + 1] = {}}, {}
  for s = 1, states do value[layers + 1][s] = 0 end                 -- nothing is left to do: log 1
  for layer = layers, 1, -1 do
    value[layer], choice[layer] = {}, {}
    for s = 1, states do
      local best, to = -math.huge, nil
      for move = 1, 3 do                                            -- the finer stride first, so ties go to it
        local target = s + move - 2
        if target >= 1 and target <= states then
          local score = math.log(p[layer][s][move]) + value[layer + 1][target]
          if score > best then best, to = score, target end
        end
      end
      value[layer][s], choice[layer][s] = best, to
    end
  end
  local path, state = {}, 1
  for layer = 1, layers do
    state = choice[layer][state]
    path[layer] = state
  end
  return path, value[1][1], value
end

path, score = viterbi(trap)
assert(table.concat(path, " ") == "1 1" and math.abs(math.exp(score) - 0.405) < 1e-12)

-- %% [markdown]
-- ## Three that agree
--
-- Now the three against each other: by hand, by everything, by the library. The library also lists the best few:
-- `count = 5`.

-- %%
tables, mistakes = short and 40 or 150, 0
for n = 1, tables do
  local layers, states = n % 6 + 1, n % 4 + 1
  local p = random_table(layers, states, 100 + n)
  local all = every(p)
  local mine, score = viterbi(p)
  local theirs, log_probability = nas.viterbi(p)
  for i = 1, layers do assert(mine[i] == all[1].states[i] and theirs[i] == all[1].states[i]) end
  assert(math.abs(score - math.log(all[1].product)) < 1e-9)
  assert(math.abs(log_probability - score) < 1e-9)
  for rank, entry in ipairs(nas.viterbi(p, {count = 5})) do
    assert(math.abs(entry.score - math.log(all[rank].product)) < 1e-9)
  end
  local _, guess = greedy(p)
  if guess < all[1].product * (1 - 1e-9) then mistakes = mistakes + 1 end
end
print(("%d random tables: by hand, by everything and by the library agree; greedy was wrong on %d"):format(tables, mistakes))
assert(mistakes > 0)

-- Ties: where every arrow is worth the same, the path stays at the finest stride.
even = {}
for layer = 1, 6 do even[layer] = {{0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}} end
assert(table.concat(viterbi(even), " ") == "1 1 1 1 1 1")
assert(table.concat((nas.viterbi(even)), " ") == "1 1 1 1 1 1")

-- A long trellis is no trouble for either.
long = random_table(400, 4, 7)
assert(table.concat(viterbi(long), " ") == table.concat((nas.viterbi(long)), " "))

-- %% [markdown]
-- ## A picture
--
-- What the algorithm knows when it is done: at each node the log probability of the best way on. Brighter is better; in
-- the last column everything is still possible, and towards the left promises shrink. The path follows, layer by
-- layer, the best of two or three neighbours.

-- %%
layers, strides = 12, {4, 8, 16, 32}
p = random_table(layers, 4, 42)
path, score, value = viterbi(p)

rows, names, numbers = {}, {}, {}
for s = 1, 4 do
  names[s] = "stride " .. strides[s]
  rows[s] = {}
  for layer = 1, layers do
    local exists = s <= layer + 1                 -- a stride can be reached one layer after the next finer one
    rows[s][layer] = exists and value[layer + 1][s] or 0 / 0
  end
end
for layer = 1, layers do numbers[layer] = tostring(layer) end
show(plot.heatmap(rows, {
  title = "log probability of the best way on", rows = names, columns = numbers, column_title = "layer", decimals = 1,
}), "6-values")

-- The path in characters.
for s = 1, 4 do
  local line = {}
  for layer = 1, layers do line[layer] = path[layer] == s and "o" or s <= layer + 1 and "." or " " end
  print(("stride %2d  %s  %s"):format(strides[s], s == 1 and "*" or " ", table.concat(line, "  ")))
end
print(("log probability %.3f; the library says %.3f"):format(score, select(2, nas.viterbi(p))))

-- %% [markdown]
-- ## Exercise
--
-- The most probable *path* is one question. Another: walk at random by these probabilities; at which stride does the
-- walk most probably end? Replace the maximum by a sum (and go forward), compute the probability of every node, and
-- find a table on which the best path does not end at the most probable stride. What does that say about reading a
-- supernet by its best path alone?

-- %% [markdown]
-- ## Solution

-- %%
function occupation(p)
  local now, all = {1}, {}
  for s = 2, #p[1] do now[s] = 0 end
  for layer = 1, #p do
    local following = {}
    for s = 1, #now do following[s] = 0 end
    for s = 1, #now do
      for move = 1, 3 do
        local to = s + move - 2
        if following[to] then following[to] = following[to] + now[s] * p[layer][s][move] end
      end
    end
    now, all[layer] = following, following
  end
  return all
end

-- Outgoing probabilities sum to 1, so nothing is lost on the way.
for layer, nodes in ipairs(occupation(p)) do
  local total = 0
  for s = 1, #nodes do total = total + nodes[s] end
  assert(math.abs(total - 1) < 1e-5)
end

-- The same as adding up all paths that end there.
small, total = random_table(6, 4, 1), {0, 0, 0, 0}
for _, one in ipairs(every(small)) do total[one.states[6]] = total[one.states[6]] + one.product end
for s = 1, 4 do assert(math.abs(total[s] - occupation(small)[6][s]) < 1e-6) end

disagree, tried = 0, 50
for seed = 1, tried do
  local p = random_table(12, 4, 1000 + seed)
  local last, best = occupation(p)[12], 1
  for s = 2, 4 do
    if last[s] > last[best] then best = s end
  end
  if viterbi(p)[12] ~= best then disagree = disagree + 1 end
end
print(("on %d of %d random tables the best path ends elsewhere than the most probable stride"):format(disagree, tried))
assert(disagree > 0)
-- While beta is undecided, one path holds little of the probability: look at nas.viterbi(p, {count = 5}) and at the entropy before you
-- believe in the first.
print(("the best path of the picture holds %.1f %% of all probability"):format(100 * math.exp(score)))
