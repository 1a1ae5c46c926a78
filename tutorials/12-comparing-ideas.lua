-- %% [markdown]
-- # 12. Comparing two ideas, and reading a search that goes wrong
--
-- A search finds something, a training gives it a number, and the number looks good. Was it the idea, or the seed? And when it looks
-- bad: what in the search went wrong? This tutorial answers the first with a truth, which is a score for every architecture, and the
-- second with what a supernet can be asked. `scripts/strategies.lua` does the first for all strategies of the house,
-- `scripts/learnability.lua` the second for any supernet.
--
-- Run it with `scripts/trellis tutorials/12-comparing-ideas.lua`.

-- %%
out = os.getenv("TRELLIS_OUT") or "out"           -- pictures and files go there
os.execute("mkdir -p '" .. out .. "'")
short = os.getenv("TRELLIS_SHORT") == "1"

function show(figure, name)
  figure:save(out .. "/" .. name .. ".svg")
  display(figure)
  print("saved " .. out .. "/" .. name .. ".svg")
end

-- %% [markdown]
-- ## A truth
--
-- A small space, and a rule that says how good each of its architectures is: fine strides are good, but so is having been coarse once,
-- and operators matter less than paths. A training does not show it as it is: its seed adds noise. Here a rule stands in for thousands
-- of trainings, so that the tutorial takes seconds; `nas.truth` holds real ones.

-- %%
space = nas.trellis{
  layers = 4, strides = {4, 8, 16, 32}, filters = 4, head_reach = 10,
  cell = nas.cell{blocks = 1, operators = {"none", "max_pool_3x3", "skip_connect", "sep_conv_3x3", "atrous_conv_3x3"}},
}
worth = {max_pool_3x3 = 0, skip_connect = 0.2, sep_conv_3x3 = 1, atrous_conv_3x3 = 0.7}

function truth(a)
  local coarsest, sum = 4, 0
  for _, stride in ipairs(a.path) do coarsest, sum = math.max(coarsest, stride), sum + math.log(stride, 2) end
  local operators = worth[a["cell.1"][1][2]] + worth[a["cell.1"][2][2]]
  return 50 - 2.5 * (sum - 8) / 2 + (coarsest >= 8 and 3 or 0) + (coarsest >= 16 and 1 or 0) + 2 * operators
end

function trained(a, seed)                          -- one training: two points of noise, the same for the same architecture and seed
  local number = 0
  for _, x in ipairs(space:encode(a):to_table()) do number = (2 * number + x) % 1000003 end
  return truth(a) + 2 * tensor.randn(1, {seed = math.tointeger(number) * 1000 + seed}):item()
end

all = {}
for a in space:each() do all[#all + 1] = truth(a) end
table.sort(all)
print(#all, "architectures, from", all[1], "to", all[#all])
show(plot.histogram(all, {title = "the truth", label = "score"}), "12-truth")

-- %% [markdown]
-- ## One search says nothing
--
-- Two ideas, with 24 trainings each: random search, and evolution. Each reports the best score that it saw. Three things are wrong with
-- a comparison of two such numbers. It is one draw of each. The number is the largest of 24 noisy ones, so it is too good: what wins
-- has been lucky. And the training that chose is the training that judges.

-- %%
function search(make, seed)
  local strategy = make(seed)
  for trial in nas.trials{strategy = strategy, count = 24} do trial:finish{score = trained(trial.architecture, seed)} end
  return strategy:best()
end
ideas = {
  random = function(seed) return nas.strategy.random(space, {seed = seed}) end,
  evolution = function(seed) return nas.strategy.evolution(space, {population = 8, sample = 4, seed = seed}) end,
}
names = {"random", "evolution"}
for _, name in ipairs(names) do
  local a, score = search(ideas[name], 1)
  print(("%-10s says %.1f, and it is %.1f"):format(name, score, truth(a)))
end

-- %% [markdown]
-- ## Twenty pairs
--
-- The unit of a comparison is a search. Both ideas get the same 20 seeds, so that they can be compared in pairs, and what they found is
-- judged by something that did not choose it.

-- %%
pairs_of_scores, optimism = {}, 0
for seed = 1, 20 do
  local row = {}
  for _, name in ipairs(names) do
    local a, score = search(ideas[name], seed)
    row[name] = truth(a)
    optimism = optimism + (score - truth(a)) / 40
  end
  pairs_of_scores[seed] = row
end
print(("a search takes its architecture to be %.1f points better than it is"):format(optimism))
assert(optimism > 0.5, "the largest of noisy numbers is too large")

-- %% [markdown]
-- How probable is it that one wins so often by chance? That of heads in 20 throws: the sign test, which is exact and asks nothing of
-- the scores.

-- %%
function at_least(wins, n)                         -- heads or more in n throws
  local sum, term = 0, 0.5 ^ n
  for k = 0, n do
    if k >= wins then sum = sum + term end
    term = term * (n - k) / (k + 1)
  end
  return sum
end
wins, losses, differences = 0, 0, {}
for seed, row in ipairs(pairs_of_scores) do
  differences[seed] = row.evolution - row.random
  if differences[seed] > 0 then wins = wins + 1 elseif differences[seed] < 0 then losses = losses + 1 end
end
print(("evolution wins %d, loses %d of 20; so uneven by chance: %.3f"):format(
  wins, losses, math.min(1, 2 * at_least(math.max(wins, losses), wins + losses))))
assert(math.abs(at_least(15, 20) - 0.0207) < 1e-4)
found = {random = {}, evolution = {}}
for _, row in ipairs(pairs_of_scores) do for name, x in pairs(row) do table.insert(found[name], x) end end
show(plot.bar({{"random", found.random}, {"evolution", found.evolution}}, {dots = true, label = "true score of the found"}), "12-pairs")

-- %% [markdown]
-- The other question is how large the difference is: the mean of the 20 differences, and where it would lie with other seeds. Drawing
-- 20 of them with replacement, many times, shows how the mean moves.

-- %%
means = {}
for draw, picks in ipairs(tensor.randint(1, 20, 1000, 20, {seed = 1}):to_table()) do
  local sum = 0
  for _, i in ipairs(picks) do sum = sum + differences[i] end
  means[draw] = sum / 20
end
table.sort(means)
print(("evolution is %.2f points better, %.2f to %.2f with nine of ten draws"):format(
  tensor.from(differences):mean():item(), means[50], means[950]))

-- %% [markdown]
-- ## The same price
--
-- A strategy that trains many for a short time pays in steps, not in trainings. `trial.steps` says how far to go in all, and who goes
-- on from a checkpoint pays the rest only. Short trainings are noisier, and their order is not quite that of long ones.

-- %%
function halving(seed)
  local strategy, paid, reached = nas.strategy.halving(space, {rungs = {50, 100, 200, 400}, seed = seed}), 0, {}
  for trial in nas.trials{strategy = strategy} do
    local key = tostring(space:encode(trial.architecture))
    paid = paid + trial.steps - (reached[key] or 0)
    reached[key] = trial.steps
    local score = truth(trial.architecture)
    trial:finish{score = score + (trained(trial.architecture, seed) - score) * math.sqrt(400 / trial.steps)}
    if paid >= 24 * 400 then return truth((strategy:best())), paid / 400 end
  end
end
better = 0
for seed = 1, 20 do
  local score, trainings = halving(seed)
  if score > pairs_of_scores[seed].random then better = better + 1 end
  assert(trainings < 26)
end
print(("halving beats random search at the same price in %d of 20 seeds"):format(better))

-- %% [markdown]
-- `scripts/freeze_thaw.lua` goes further: one model over architectures and steps says which training is worth going on with, from scores
-- and from the trainings' own losses, which say more while trainings are short. At the end not the best score but the model's mean
-- decides, because the largest of noisy numbers is too large. It says how sure each decision is: the probability that the found option
-- is better than the best architecture with another one, and what is lost on average if it is
-- not. `scripts/search.lua --method recommended` searches so.
--
-- ## A search that goes wrong
--
-- A supernet believes something of every architecture: the product of its probabilities. Before its first step it believes nothing yet,
-- and still the paper's decoding has an opinion.

-- %%
net = space:supernet{classes = 8, seed = 1}
trellis.no_grad(function()
  net:alpha{raw = true}:zero_()
  net:beta{raw = true}:zero_()                     -- undecided to the last bit
end)
print("decoded:", table.concat(net:decode().path, " "))
assert(net:decode().path[4] == 4, "along the border")

-- %% [markdown]
-- Nodes at the border of the trellis have two arrows out, those inside have three. So a path along the border has probabilities of 1/2
-- where others have 1/3, and wins until beta has learned enough to overcome that. Against undecided logits, each arrow by its
-- probability times the number of arrows beside it, all paths are equal.

-- %%
function evidence(path)                            -- the logarithm of the probability of a path, plain and against undecided logits
  local p, plain, relative, from = net:probabilities("paths"), 0, 0, 4
  for layer, to in ipairs(path) do
    local arrows, here = 0, nil
    for source, target, id in space.decisions[1]:arrows(layer) do
      if source == from then arrows = arrows + 1 end
      if source == from and target == to then here = id end
    end
    plain, relative, from = plain + math.log(p[here]), relative + math.log(p[here] * arrows), to
  end
  return plain, relative
end
for _, path in ipairs{{4, 4, 4, 4}, {8, 16, 16, 8}} do print(table.concat(path, " "), evidence(path)) end
assert(math.abs(select(2, evidence{4, 4, 4, 4}) - select(2, evidence{8, 16, 16, 8})) < 1e-5)

-- %% [markdown]
-- `net:decode{relative = true}` decodes so. Now a search, as short as it takes to see something.

-- %%
images = data.shapes{images = 32, size = {32, 48}, classes = 8, seed = 1}
A, B = images:split(0.5, {seed = 1})
a, b = A:batches{size = 4, seed = 1}, B:batches{size = 4, seed = 2}
net = space:supernet{classes = 8, seed = 1}
sgd = optim.sgd(net:weights(), {lr = 0.05, momentum = 0.9, clip = 5})
adam = optim.adam(net:architecture(), {lr = 0.02})
for i = 1, short and 8 or 200 do
  net:step(sgd, a:next())
  if i > 4 then net:step(adam, b:next()) end
end
print("decoded:", table.concat(net:decode().path, " "), "relative:", table.concat(net:decode{relative = true}.path, " "))
print("relative entropy of beta:", net:entropy().beta_relative)

-- %% [markdown]
-- An entropy near 1 says that little was decided. Why? Ask the derivative of the loss by beta, over some batches: its size, and its
-- mean against its noise. What is tiny against the others cannot learn, however long the search is; what is large but of no sign has
-- nothing to say yet.

-- %%
gradients = {}
for i = 1, 6 do
  net:gradients(adam, b:next())
  gradients[i] = net:beta{raw = true}.grad:clone()
end
stacked = tensor.stack(gradients)
size = stacked:square():mean(1):sqrt()             -- [layers, strides, moves]
signal = stacked:mean(1):abs() / (stacked:std(1) / math.sqrt(#gradients) + 1e-12)
print("size by layer:", size[1]:max(), size[2]:max(), size[3]:max(), size[4]:max())
print("largest signal by layer, in standard errors:", signal[2]:max(), signal[3]:max(), signal[4]:max())
assert(size[1]:max():item() < 0.05 * size[2]:max():item(), "the arrows out of the stem")

-- %% [markdown]
-- The arrows out of the stem do not learn. Each leads into a node that nothing else reaches, so beta scales that node's whole input,
-- and what reads it normalises: a 1x1 convolution and a batch norm. The first layer of the path is decided by the noise that beta began
-- with. That is in the published method, not in the data, and no log of losses shows it.
--
-- The last question is whether the belief is worth anything: Kendall's rank correlation of what the supernet believes with the truth, 1
-- for the same order, 0 for none.

-- %%
function kendall(x, y)
  local sum, n = 0, #x
  for i = 2, n do for j = 1, i - 1 do sum = sum + ((x[i] - x[j]) * (y[i] - y[j]) > 0 and 1 or -1) end end
  return sum / (n * (n - 1) / 2)
end
believed, known, once, again = {}, {}, {}, {}
for seed = 1, 60 do
  local one = space:random{seed = seed}
  believed[seed], known[seed], once[seed], again[seed] = select(2, evidence(one.path)), truth(one), trained(one, 1), trained(one, 2)
end
print(("Kendall: belief %.2f; one training against another %.2f"):format(kendall(believed, known), kendall(once, again)))
assert(kendall(once, again) < 1, "seeds set a ceiling")

-- %% [markdown]
-- A belief near 0 is no belief: then what decoding gives is a random architecture, found at the price of a supernet.
-- `scripts/strategies.lua` measures that for every method against real trainings, and `scripts/search.lua --method NAME` searches with
-- any of them.
--
-- ## Exercise
--
-- How many searches does it take to see a difference of one point between two ideas whose results scatter by two points from search to
-- search? Draw pairs from `tensor.randn`, and count how often the sign test says less than 0.05, for 5, 10, 20 and 50 pairs.
--
-- ## Solution

-- %%
function power(n)
  local seen, draws = 0, 200
  for _, row in ipairs((1 + 2 * math.sqrt(2) * tensor.randn(draws, n, {seed = n})):to_table()) do
    local up = 0
    for _, d in ipairs(row) do if d > 0 then up = up + 1 end end
    if 2 * at_least(math.max(up, n - up), n) < 0.05 then seen = seen + 1 end
  end
  return seen / draws
end
for _, n in ipairs{5, 10, 20, 50} do print(n .. " pairs:", power(n)) end
assert(power(5) == 0, "five throws cannot be less probable than 1 in 16")
