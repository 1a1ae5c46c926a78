-- Checks the supernet against a golden file: what an independent implementation computed in another framework.
local help = [[
usage: trellis scripts/golden.lua FILE [--bound 1e-4] [--gradient-bound 5e-3] [--verbose]

Builds the space that the file's metadata describes (layers, blocks, filters, classes, stem, down, atrous), takes over its parameters and
compares scores, losses, the gradient norm, every gradient, and the parameters after a step of each kind. Prints the largest error of each
group, as a share of the tensor's largest absolute value, and exits with 1 when one is out of bounds.

--bound           for scores, the first loss, and the weights after their step
--gradient-bound  for gradients, their norm, and the loss and the architecture after them
--verbose         the worst tensor of each group too

Why two bounds: gradients pass backwards through batch norms over as few as 2 and 8 values (the coarsest stride of a small picture), which
amplify the rounding of float32. Measured on the two files of shared/golden: the file's gradients stand 1.4e-3 from those of float64; the
same framework moves by 3.3e-3 when its tensors are laid out channels last, and by 6e-4 on one thread instead of several. So two correct
float32 computations cannot be expected to agree on them to 1e-4, nor on what one Adam step makes of them: 5e-3 leaves room for what was
measured. Everything that does not depend on those gradients is held to 1e-4.]]

local file, verbose
local bounds = {["--bound"] = 1e-4, ["--gradient-bound"] = 5e-3}
local function usage(message)
  io.stderr:write(message, "\n\n", help, "\n")
  os.exit(2)
end
do
  local i = 1
  while i <= #arg do
    local word = arg[i]
    if word == "--help" or word == "-h" then
      print(help)
      os.exit(0)
    elseif word == "--verbose" then
      verbose = true
    elseif bounds[word] then
      i = i + 1
      bounds[word] = tonumber(arg[i]) or usage(word .. " needs a number")
    elseif word:sub(1, 1) == "-" then
      usage("unknown option " .. word)
    elseif file then
      usage("one file expected, got " .. file .. " and " .. word)
    else
      file = word
    end
    i = i + 1
  end
end
if not file then usage("a golden file is missing") end

local golden, meta = tensor.load(file)
if type(golden) ~= "table" or not meta or not golden["logits.A"] then
  io.stderr:write(file, ": no golden file: logits.A or the metadata is missing\n")
  os.exit(1)
end

-- The configuration
local atrous = meta.atrous == "separable" and "dil_conv" or "atrous_conv"
local space = nas.trellis{
  layers = math.tointeger(meta.layers), filters = math.tointeger(meta.filters), stem = meta.stem, down = meta.down,
  cell = nas.cell{
    blocks = math.tointeger(meta.blocks),
    operators = {
      "none", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", atrous .. "_3x3", atrous .. "_5x5",
    },
  },
}
local supernet = space:supernet{classes = math.tointeger(meta.classes), seed = 1}:load(file)
local sgd = optim.sgd(supernet:weights(), {lr = 0.025, momentum = 0.9, weight_decay = 3e-4, clip = 5})
local adam = optim.adam(supernet:architecture(), {lr = 3e-3, weight_decay = 1e-3})
local imagesA, labelsA, imagesB, labelsB = golden["input.A.images"], golden["input.A.labels"], golden["input.B.images"], golden["input.B.labels"]

-- Largest errors by group, in the order in which they were met.
local groups, order = {}, {}
local function note(group, bound, name, found, wanted)
  local worst = groups[group]
  if not worst then
    worst = {error = 0, name = name, count = 0, bound = bounds[bound], group = group}
    groups[group] = worst
    order[#order + 1] = worst
  end
  local scale = math.max(wanted:abs():max():item(), 1e-12)
  local err = found and (found:reshape(wanted.shape) - wanted):abs():max():item() / scale or math.huge
  worst.count = worst.count + 1
  if not (err <= worst.error) then worst.error, worst.name = err, name end
end

--- Compares tensors with the golden ones under a prefix; gives how many golden ones there are.
local function compare(group, bound, prefix, parameters, value)
  trellis.no_grad(function()
    for name, tensor in pairs(parameters) do
      local wanted = golden[prefix .. name]
      if wanted then note(group, bound, name, value(tensor), wanted) end
    end
  end)
end
local function itself(x) return x:detach() end
local function gradient(x) return x.grad end

note("scores", "--bound", "logits.A", supernet:scores(imagesA, {training = true}), golden["logits.A"])
note("loss", "--bound", "loss.A", supernet:gradients(adam, imagesA, labelsA), golden["loss.A"])
compare("gradients of alpha and beta", "--gradient-bound", "grad.", supernet:architecture(), gradient)
note("loss", "--bound", "loss.A", supernet:step(sgd, imagesA, labelsA), golden["loss.A"])
compare("gradients of weights", "--gradient-bound", "grad.", supernet:weights(), gradient)
note("gradient norm", "--gradient-bound", "grad_norm.A", tensor.from{sgd.gradient_norm}, golden["grad_norm.A"])
compare("weights after their step", "--bound", "after_weight_step.", supernet:weights(), itself)
note("loss after it", "--gradient-bound", "loss.B", supernet:step(adam, imagesB, labelsB), golden["loss.B"])
compare("alpha and beta after their step", "--gradient-bound", "after_arch_step.", supernet:architecture(), itself)

print(file)
print(("%s layers, %s blocks, %s filters, %s classes, %s atrous convolutions, stem of %s, down by %s"):format(
  meta.layers, meta.blocks, meta.filters, meta.classes, meta.atrous, meta.stem, meta.down))
print(("%-32s %8s %12s %10s"):format("largest error of", "tensors", "error", "bound"))
local fine = true
for _, worst in ipairs(order) do
  local ok = worst.error <= worst.bound
  fine = fine and ok
  print(("%-32s %8d %12.2e %10.0e  %s%s"):format(worst.group, worst.count, worst.error, worst.bound, ok and "ok" or "OUT OF BOUNDS",
    (verbose or not ok) and "  " .. worst.name or ""))
end
print("errors are shares of the largest absolute value of each tensor; on the files of shared/golden float32 itself moves gradients by up to 3.3e-3 (--help)")
if not fine then os.exit(1) end
