-- nas.strategy and nas.trials.
local space = nas.space(function(c)
  local parts = {}
  for i = 1, 4 do
    parts[i] = nas.mix(nas.choice('op.' .. i, {'a', 'b', 'c'}), function(name) return nn.conv2d(1, 1, {kernel = name == 'a' and 1 or 3, padding = name == 'a' and 0 or 1}) end)
  end
  return nn.sequential(parts)
end)
local value = {a = 0, b = 1, c = 3}
local function score(a)
  local sum = 0
  for i = 1, 4 do sum = sum + value[a['op.' .. i]] end
  return sum
end
local function text(a) return table.concat({a['op.1'], a['op.2'], a['op.3'], a['op.4']}) end
local makers = {
  random = function(seed, s) return nas.strategy.random(s or space, {seed = seed}) end,
  evolution = function(seed, s) return nas.strategy.evolution(s or space, {population = 6, sample = 3, seed = seed}) end,
  crossing = function(seed, s) return nas.strategy.evolution(s or space, {population = 6, sample = 3, crossing = 0.5, repeats = true, seed = seed}) end,
  best = function(seed, s) return nas.strategy.local_search(s or space, {seed = seed}) end,
  first = function(seed, s) return nas.strategy.local_search(s or space, {move = 'first', seed = seed}) end,
  halving = function(seed, s) return nas.strategy.halving(s or space, {rungs = {10, 20, 40}, seed = seed}) end,
  hyperband = function(seed, s) return nas.strategy.hyperband(s or space, {rungs = {10, 20, 40}, seed = seed}) end,
  pareto = function(seed, s) return nas.strategy.pareto(s or space, {population = 6, seed = seed}) end,
  predictor = function(seed, s) return nas.strategy.predictor(s or space, {initial = 5, candidates = 20, seed = seed}) end,
}
local few = {predictor = 30, halving = 147, hyperband = 126}
local function run(strategy, n)
  local seen = {}
  for i = 1, n do
    local a = strategy:ask()
    seen[i] = text(a)
    strategy:tell(a, i % 2 == 0 and not tostring(strategy):find('^pareto') and score(a) or {score = score(a), cost = i, step = i})
  end
  return table.concat(seen, ' ')
end
for name, make in pairs(makers) do
  -- Found, the same by seed, gone on with from a state.
  local strategy = make(1)
  run(strategy, few[name] or 81)
  same(strategy:told(), few[name] or 81)
  if name ~= 'crossing' then
    local best, s = strategy:best()
    same({text(best), s}, {'cccc', 12.0}, name)
  end
  same(run(make(2), 40), run(make(2), 40), name)
  local whole, half = make(3), make(3)
  run(whole, 17)
  run(half, 17)
  local out = {whole:ask(), half:ask()}
  local state = half:state()
  local other = make(9)
  same(other:load_state(state) == other, true)
  whole:tell(out[1], {score = 1, cost = 1})
  other:tell(out[2], {score = 1, cost = 1})
  same(run(other, 30), run(whole, 30), name)
  -- With a filter and with decisions made.
  local smaller = space:where(function(a) return a['op.1'] ~= 'a' end):fix{['op.2'] = 'b'}
  for word in run(make(1, smaller), 40):gmatch('%a+') do assert(word:match('^[bc]b..$'), word) end
  -- What is no result.
  local strategy = make(4)
  local a = strategy:ask()
  same(strategy:best(), nil)
  fails('score: expected a finite number, got nan', function() strategy:tell(a, 0 / 0) end)
  fails('score: expected a finite number, got inf', function() strategy:tell(a, {score = math.huge}) end)
  fails('cost: expected a finite number', function() strategy:tell(a, {score = 1, cost = 0 / 0}) end)
  fails("field 'score': number expected, got nil", function() strategy:tell(a, {}) end)
  fails("unknown field 'scores'", function() strategy:tell(a, {score = 1, scores = 2}) end)
  fails("field 'step': integer expected, got number", function() strategy:tell(a, {score = 1, step = 0.5}) end)
  fails('number or table expected, got nil', function() strategy:tell(a, nil) end)
  fails("an architecture of the strategy's space expected, got number", function() strategy:tell(3, 1) end)
  fails('one that was asked for and not told yet', function() strategy:tell(space:mutate(a, {seed = 1}), 1) end)
  local strange = nas.space(function() nas.choice('x', {'p', 'q'}); return nn.relu() end)
  fails("architecture: expected a known decision, got 'x'", function() strategy:tell(strange:random{seed = 1}, 1) end)
  same(strategy:report(a, {score = 1, step = 1}), true)
  strategy:tell(a, {score = 1, cost = 1})
  fails('one that was asked for and not told yet', function() strategy:tell(a, 1) end)
  strategy:drop(strategy:ask())
  same(strategy:told(), 1)
  -- States of others.
  fails('the space', function() make(1):load_state(make(1, strange):state()) end)
  fails('state', function() make(1):load_state({}) end)
  fails('names, numbers and lists of them expected, got a function', function() make(1):load_state({print}) end)
end
fails("expected the strategy 'random'", function() nas.strategy.random(space):load_state(makers.best(1):state()) end)
fails('state.settings.sample: expected 3, got 2', function() makers.evolution(1):load_state(nas.strategy.evolution(space, {population = 6, sample = 2}):state()) end)
fails('sample: expected 1 to 5', function() nas.strategy.evolution(space, {population = 5}) end)
fails("'best', 'first' expected, got 'worst'", function() nas.strategy.local_search(space, {move = 'worst'}) end)
fails('space expected, got table', function() nas.strategy.random({}) end)
same(tostring(nas.strategy.evolution(space)), 'evolution: 0 told')

-- Trials.
do
  local strategy, count = nas.strategy.evolution(space, {population = 6, sample = 3, seed = 1}), 0
  local trials = nas.trials{strategy = strategy, count = 60}
  for trial in trials do
    count = count + 1
    same({trial.number, trial.status, trial.score}, {count, 'running', nil})
    same(trial.architecture == trial.architecture, true)
    same(trial:report(1, 0.5), true)
    same(trial:report(3, 0.75), true)
    trial:finish{score = score(trial.architecture), cost = 2}
    same({trial.status, trial.score, trial.cost, #trial.reports, trial.reports[2].step}, {'finished', score(trial.architecture) + 0.0, 2.0, 2, 3})
  end
  same({count, trials.started, trials.finished, trials.failed, strategy:told()}, {60, 60, 60, 0, 60})
  same(text(strategy:best()), 'cccc')
  same(strategy:state().best.step, 3)
  same(trials(), nil)
end
do
  -- What is not finished has failed.
  local strategy = nas.strategy.random(space, {seed = 1})
  local trials, first = nas.trials{strategy = strategy, count = 4}, nil
  for trial in trials do
    first = first or trial
    if trial.number == 2 then trial:finish{score = 2} end
    if trial.number == 3 then trial:fail('not enough memory') end
    if trial.number == 4 then
      fails('score: expected a finite number, got nan', function() trial:finish{score = 0 / 0} end)
      fails('score: expected a finite number, got nan', function() trial:report(1, 0 / 0) end)
      trial:report(2, 1)
      fails("step: expected more than the last report's 2, got 2", function() trial:report(2, 1) end)
      fails("option 'score': number expected, got nothing", function() trial:finish{} end)
      same(trial.status, 'running')
      trial:fail()
      fails('trial 4 is over: it failed', function() trial:fail() end)
    end
  end
  same({trials.started, trials.finished, trials.failed, strategy:told()}, {4, 1, 3, 1})
  same(first.reason, 'not finished when the next one was asked for')
  fails('trial 1 is over: it failed (not finished', function() first:finish{score = 1} end)
  same(#strategy:state().asked, 0)
  local trial = nas.trials{strategy = strategy}()
  trial:finish{score = 1}
  fails('trial 1 is over: it was finished', function() trial:report(1, 1) end)
  same(tostring(trial), 'trial 1: finished, score 1.0')
end
do
  -- Leaving the loop; without a count it goes on for as long as the strategy asks.
  local strategy, n = nas.strategy.local_search(space, {seed = 1}), 0
  for trial in nas.trials{strategy = strategy} do
    n = n + 1
    trial:finish{score = score(trial.architecture)}
    if n == 100 then break end
  end
  same(strategy:told(), 100)
  for _ in nas.trials{strategy = strategy, count = 0} do error('none') end
end

do
  -- How far to train: of eight one gets to the end; each goes on from where it was.
  local strategy, spent, reached, steps = nas.strategy.halving(space, {rungs = {50, 100, 200, 400}, seed = 2}), 0, {}, {}
  for trial in nas.trials{strategy = strategy, count = 15} do
    local a = text(trial.architecture)
    spent = spent + trial.steps - (reached[a] or 0)
    reached[a], steps[#steps + 1] = trial.steps, trial.steps
    trial:finish{score = score(trial.architecture)}
  end
  same({spent, table.concat(steps, ' ')}, {1000, '50 50 50 50 50 50 50 50 100 100 100 100 200 200 400'})
  same({reached[text(strategy:best())], strategy:state().best.step}, {400, 400})
  same(nas.trials{strategy = nas.strategy.random(space), count = 1}().steps, nil)
  -- One's own says it with a second result.
  local own = {ask = function() return {x = 1}, 30 end, tell = function(_, a, result) same(result.step, 30) end}
  local trial = nas.trials{strategy = own}()
  same(trial.steps, 30)
  trial:finish{score = 1}
  fails('should return an architecture, and how many steps, 1 or more, or nothing', function() nas.trials{strategy = {ask = function() return {}, 'x' end, tell = print}}() end)
  fails('rungs: expected 1 to 32 ascending', function() nas.strategy.halving(space, {rungs = {4, 2}}) end)
end
do
  -- The front: none of it is beaten in both, and whatever was told is beaten or on it.
  local function cost(a) return #text(a):gsub('a', '') end
  local strategy, told = nas.strategy.pareto(space, {population = 10, seed = 1}), {}
  for trial in nas.trials{strategy = strategy, count = 81} do
    told[#told + 1] = {score = score(trial.architecture), cost = cost(trial.architecture)}
    trial:finish(told[#told])
  end
  local front = strategy:front()
  same(#front, 5)
  for i, one in ipairs(front) do same({one.cost, one.score, cost(one.architecture)}, {i - 1.0, 3.0 * (i - 1), i - 1}) end
  fails('cost: expected a number, got none', function() strategy:tell(strategy:ask(), 1) end)
end

-- Strategies of one's own: tables, here with methods that are inherited, over whatever one likes.
do
  local Line = {}
  Line.__index = Line
  function Line:ask()
    if self.next <= 3 then
      local a = {x = self.next}
      self.next, self.last = self.next + 1, a
      return a
    end
  end
  function Line:tell(a, result)
    assert(a == self.last, 'the same table')
    self.results[#self.results + 1] = result
  end
  function Line:report(a, result) return result.score < 2 end
  function Line:drop(a) self.dropped = a.x end
  local own = setmetatable({next = 1, results = {}}, Line)
  local stopped = 0
  for trial in nas.trials{strategy = own, count = 10} do
    if trial.architecture.x == 2 then trial:fail('no') else
      if not trial:report(1, trial.architecture.x) then stopped = stopped + 1 end
      trial:finish{score = trial.architecture.x, cost = 7}
    end
  end
  same({#own.results, own.results[2].score, own.results[2].cost, own.results[2].step, own.dropped, stopped}, {2, 3.0, 7.0, 1, 2, 1})
  -- ask and tell are all that is needed.
  local plain = {ask = function() return space:random{seed = 1} end, tell = function(_, a, result) best = result.score end}
  for trial in nas.trials{strategy = plain, count = 2} do
    if trial.number == 1 then trial:fail() else
      same(trial:report(1, 1), true)
      trial:finish{score = 5}
    end
  end
  same(best, 5.0)
  best = nil
  fails("a strategy expected, got a table without the function 'tell'", function() nas.trials{strategy = {ask = print}} end)
  fails("strategy or table expected, got nothing", function() nas.trials{strategy = nil, count = 1} end)
  fails("option 'count': 0 or more expected, got -1", function() nas.trials{strategy = plain, count = -1} end)
  fails('out of luck', function() for _ in nas.trials{strategy = {ask = function() error('out of luck') end, tell = print}} do end end)
  fails('not today', function()
    for trial in nas.trials{strategy = {ask = function() return 1 end, tell = function() error('not today') end}} do trial:finish{score = 1} end
  end)
end

-- Nothing that is needed is collected: a filter and a table that only a strategy and a trial lead to.
do
  local strategy = nas.strategy.random(space:where(function(a) return a['op.1'] == 'b' end), {seed = 1})
  local trial = nas.trials{strategy = setmetatable({}, {__index = {ask = function() return {y = 4} end, tell = function(self) self.told = true end}})}()
  collectgarbage(); collectgarbage()
  for _ = 1, 5 do same(strategy:ask()['op.1'], 'b') end
  same(trial.architecture.y, 4)
  trial:finish{score = 1}
end

-- In a compiled function each run asks anew; after an optimiser's step it is refused.
do
  local strategy = nas.strategy.random(space, {seed = 1})
  local f = trellis.compile(function(x)
    local a = strategy:ask()
    strategy:tell(a, 1)
    return x + 1
  end)
  for _ = 1, 3 do f(tensor.ones(1)) end
  same(strategy:told(), 3)
  local net = nn.linear(1, 1)
  local sgd = optim.sgd(net:parameters(), {lr = 0.1})
  local g = trellis.compile(function(x)
    sgd:zero_grad()
    net(x):sum():backward()
    sgd:step()
    strategy:ask()
    return x
  end)
  fails("cannot be called in a compiled function after an optimiser's step", function() g(tensor.ones(1, 1)) end)
end
