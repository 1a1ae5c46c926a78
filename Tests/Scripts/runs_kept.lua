-- Runs in directories: what is written, listed, filtered and compared; trainings leave one of their own.
local run = nas.run("a", {kind = "search", settings = {lr = 0.1, crop = "64x96"}, seed = 3, planned = 2, unit = "epochs"})
fails("holds a run already", function() nas.run("a") end)
for step = 1, 4 do run:log(step, {loss = 1 / step, gradient_norm = tensor.from{2}}) end
fails("'loss' should be a number, got a string", function() run:log(5, {loss = "x"}) end)
fails("a step of 0 or more expected", function() run:log(-1, {loss = 1}) end)
run:histogram("alpha", 4, tensor.rand(10))
run:image("input", 4, plot.images{tensor.rand(3, 4, 4)})
run:say("half of it")
run:note{done = 1, results = {loss = 0.5, found = "4 8"}}
local seen = nas.runs("a")[1]
same({seen.status, seen.done, seen.planned, seen.unit, seen.seed, seen.results.found}, {"running", 1, 2, "epochs", 3, "4 8"})
fails("was listed, and can only be read", function() seen:log(1, {loss = 1}) end)
run:finish{loss = 0.25}
fails("the run has ended (done)", function() run:log(5, {loss = 1}) end)
same(run:curve("loss").x, {1, 2, 3, 4})
same(run:curve("loss").y[2], 0.5)
same(run.curves, {"gradient_norm", "loss"})
fails("it has gradient_norm, loss", function() run:curve("miou") end)
same(files.read_json("a/settings.json").crop, "64x96")
assert(io.open("a/run.log"):read("a"):find("half of it\n", 1, true))
-- It goes on: its steps from there count once.
local again = nas.run("a", {resume = true})
again:log(3, {loss = 30})
again:finish()
same(again:curve("loss").y, {1.0, 0.5, 30.0})

-- A training leaves one itself.
local set = data.shapes{images = 8, size = {16, 24}, classes = 3, seed = 1}
local function net()
  tensor.manual_seed(1)
  return nn.sequential{nn.conv2d(3, 8, {kernel = 3, padding = 1}), nn.relu(), nn.conv2d(8, 3, {kernel = 1})}
end
local options = {steps = 6, batch = 4, lr = 0.1, every = 2, validation = set, out = "t"}
local history = net():fit(set, options)
local t = nas.runs("t")[1]
same({t.kind, t.status, t.done, t.unit}, {"training", "done", 6, "steps"})
same(#t:curve("gradient_norm").y, 6)
same(t:curve("miou").x, {2, 4, 6})
near(t.results.miou, history.best.miou, 0)
near(t:curve("lr").y[6], history.last.lr, 1e-8)

-- It goes on beyond its end, as a run that had been planned so long would from here: the rate is that of the longer schedule.
options.resume, options.steps = true, 10
fails("the run has steps 6, not 10", function() net():fit(set, options) end)
options.extend = true
local longer = net():fit(set, options)
same(longer.last.step, 10)
near(longer.last.lr, optim.poly{from = 0.1, steps = 10}(9), 1e-12)
local log = io.open("t/run.log"):read("a")
assert(log:find("goes on from step 6 to 10, it was to end at 6; the learning rate is that of a run of 10 steps: 0.0438 at step 7", 1, true), log)
same({nas.runs("t")[1].planned, nas.runs("t")[1].done}, {10, 10})
options.steps = 4
fails("the run has done 10 steps, and is to end after 4", function() net():fit(set, options) end)

-- The same in one go and killed in between: a run that is extended is repeated by doing the same.
local function extended(out)
  options = {steps = 6, batch = 4, lr = 0.1, every = 2, validation = set, out = out}
  net():fit(set, options)
  options.resume, options.extend, options.steps = true, true, 10
  return net():fit(set, options):csv()
end
same(extended("u"), longer:csv())

-- Lists.
local runs = nas.runs(".")
same(#runs, 3)
same(runs[2].name, "t")
same(#runs:where{kind = "training"}, 2)
same(#runs:where{kind = {"training", "search"}, seed = {0, 3}}, 3)
same(runs:where(function(r) return r.kind == "search" end)[1].name, "a")
same(runs:sorted("done", {largest = true})[1].done, 10)
assert(tostring(runs):find("training", 1, true) and tostring(runs):find("10 of 10 steps", 1, true), tostring(runs))
same(runs:where{kind = "training"}:table{"name", "done"}.rows, {{"t", "10"}, {"u", "10"}})
assert(runs:where{kind = "training"}:plot("miou"):text{width = 60}:find("miou", 1, true))
fails("none of these 1 runs has numbers 'miou'", function() runs:where{kind = "search"}:plot("miou") end)

-- A network with another number of classes begins with the weights that fit.
local model = nas.trellis{layers = 3}:random{seed = 1}:network{filters = 2, classes = 4, stem = 4, stem_output = 4, aspp = 4, low_level = 4, decoder = 4}
model:save("model")
local other, taken = nas.network("model", {classes = 6})
same(other(tensor.zeros(1, 3, 16, 16)).shape[2], 6)
assert(#taken.taken > 0 and next(taken.shapes) ~= nil and #taken.missing == 0)
same(nas.load("model").path, nas.trellis{layers = 3}:random{seed = 1}.path)
