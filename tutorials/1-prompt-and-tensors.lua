-- %% [markdown]
-- # 1. The prompt and tensors
--
-- Architecture search is a loop around tensors: a table of logits decides which operators are mixed, an image goes
-- through, a number comes out, a derivative goes back. This tutorial is about the things that loop is made of, and
-- about the little Lua that is needed to say it.
--
-- Run it with `scripts/trellis tutorials/1-prompt-and-tensors.lua`, or type its lines at the prompt that
-- `scripts/trellis` opens. At the prompt Tab completes, `help "tensor.from"` explains, Ctrl-C stops a computation and
-- keeps the session.
--
-- It is a notebook, too: `scripts/trellis kernel install` once, then open it in JupyterLab (with jupytext, by Open With >
-- Notebook). There Shift-Return runs a cell and shows the value of its last line, Tab and Shift-Tab complete and explain,
-- and the stop button interrupts. `scripts/trellis notebook tutorials/1-prompt-and-tensors.lua -o 1.html` makes a page of
-- it that one can send to somebody.
--
-- The tutorials never write `local` at the top level, so that their cells work one by one in every host. In your own
-- scripts, and inside functions, prefer `local`; here and at the prompt a cell's own are kept for the next one.

-- %%
-- Pictures go into the directory `out` (or TRELLIS_OUT) below the current one.
out = os.getenv("TRELLIS_OUT") or "out"
os.execute("mkdir -p '" .. out .. "'")

function show(figure, name)
  figure:save(out .. "/" .. name .. ".svg")
  display(figure)                                 -- a picture where the terminal can, else characters
  print("saved " .. out .. "/" .. name .. ".svg")
end

-- %% [markdown]
-- ## Lua, as much as is needed
--
-- Why Lua: it is small enough to learn in ten minutes and embeds without ceremony, so the same language serves at the
-- prompt, in a configuration and inside a search. These are the parts that we use:

-- %%
layers = 12                                       -- a variable; `--` starts a comment
strides = {4, 8, 16, 32}                          -- a table as a list: positions count from 1
options = {kernel = 3, padding = 1}               -- a table with names
assert(strides[1] == 4 and #strides == 4)         -- `#` is the length
assert(options.kernel == 3)                       -- the same as options["kernel"]

function level(stride)                            -- a function; `local` keeps names inside it
  for i, s in ipairs(strides) do
    if s == stride then return i end
  end
  return nil                                      -- "nothing"; a name that was never set is nil too
end
assert(level(16) == 3 and level(5) == nil)

sum = 0
for i = 1, #strides do sum = sum + strides[i] end -- both ends are included
assert(sum == 60)
print(("strides %s, sum %d, 7 // 2 = %d, 7 / 2 = %g"):format(table.concat(strides, " "), sum, 7 // 2, 7 / 2))

-- %% [markdown]
-- Two habits explain most lines of Trellis. A call with one table may drop its parentheses: `nas.trellis{layers =
-- 12}`. And methods are called with a colon: `x:mean()` is `mean` of `x`. Fields use a dot: `x.shape`.
--
-- A mistake gives an error that says what was expected; `pcall` calls a function and catches it. You will meet these
-- two:

-- %%
ok, message = pcall(function() return nn.conv2d(3, 8, {kernal = 3}) end)
print(message)
assert(not ok and message:find("did you mean 'kernel'"))

ok, message = pcall(function() return tensor.zeros(2, 3):matmul(tensor.zeros(2, 3)) end)
print(message)
assert(not ok and message:find("[2, 3] has 3 columns", 1, true))

-- %% [markdown]
-- ## Tensors
--
-- A tensor is an array of float32 (or int32, for class labels) with a shape. Random ones take a seed: the same seed
-- gives the same numbers on every machine and with any number of threads, which is what makes a search repeatable.

-- %%
x = tensor.from{{1, 2, 3}, {4, 5, 6}}
print(x)
noise = tensor.randn(2, 3, {seed = 1})
assert(noise:equal(tensor.randn(2, 3, {seed = 1})))
assert(x.shape[1] == 2 and x.shape[2] == 3 and x.dtype == "float32")

-- Arithmetic is element by element, and shapes broadcast as in NumPy: [2, 3] with [3], or with a number.
y = (x * 2 + tensor.from{10, 20, 30}):sqrt()
print(y)
assert(math.abs(y[1][3] - math.sqrt(36)) < 1e-6)

-- Reductions take a dimension, counted from 1; negative ones count from the end.
assert(x:sum():item() == 21)                      -- item: the number in a tensor of one element
assert(x:sum(1):equal(tensor.from{5, 7, 9}))
assert(x:mean(-1):equal(tensor.from{2, 5}))

-- %% [markdown]
-- ## Views
--
-- Cutting a piece out of a tensor copies nothing: the piece is a view of the same memory, and writing through it
-- writes the whole. `x[i]` takes a position, `x[{...}]` one entry for each dimension: a number, or a range `{first,
-- last}`; `{}` is everything.

-- %%
assert(x[2]:equal(tensor.from{4, 5, 6}))
assert(x[2][3] == 6 and x[{2, 3}] == 6)           -- the last index gives a number
assert(x[{{}, {2, 3}}]:equal(tensor.from{{2, 3}, {5, 6}}))
x[{{}, 1}] = 0                                    -- the first column
assert(x:equal(tensor.from{{0, 2, 3}, {0, 5, 6}}))
x[x:gt(4)] = -1                                   -- a mask: where the comparison holds
print(x)
assert(x:equal(tensor.from{{0, 2, 3}, {0, -1, -1}}))

-- %% [markdown]
-- ## A first picture: edges by views
--
-- Dense prediction asks a question of every pixel, so its data are maps. Here is one made of coordinates: a column
-- [24, 1] and a row [1, 32] broadcast to [24, 32]. A disc and a ramp, then the size of its gradient: the difference
-- of two views that are shifted against each other. No loop over pixels, and the differences are the whole edge
-- detector.

-- %%
height, width = 24, 32
rows = tensor.arange(height):reshape(height, 1)
columns = tensor.arange(width):reshape(1, width)
disc = ((rows - 12) ^ 2 + (columns - 12) ^ 2):lt(7.5 ^ 2)
map = disc + columns / width
assert(map.shape[1] == height and map.shape[2] == width)

down = map[{{2, -1}, {1, -2}}] - map[{{1, -2}, {1, -2}}]
right = map[{{1, -2}, {2, -1}}] - map[{{1, -2}, {1, -2}}]
edges = (down ^ 2 + right ^ 2):sqrt()
assert(edges.shape[1] == height - 1 and edges.shape[2] == width - 1)

-- In the middle of the disc only the ramp is left, on its rim a step of 1 is added.
assert(math.abs(edges[{12, 12}] - 1 / width) < 1e-6)
assert(edges:max():item() > 0.9)

show(plot.grid({{
  plot.heatmap(map, {title = "a disc on a ramp", values = false}),
  plot.heatmap(edges, {title = "size of its gradient", values = false}),
}}), "1-edges")

-- %% [markdown]
-- ## Labels and scores
--
-- A segmentation network gives scores [classes, H, W]; the prediction of a pixel is the class with the largest.
-- Positions count from 1 in Lua, but class ids are data and stay as the data set has them, from 0, with 255 for
-- pixels that do not count. `nn.functional.classes` knows the difference.

-- %%
labels = disc:int()                               -- 1 inside the disc, 0 outside
labels[{{1, 2}, {}}] = 255                        -- nobody labelled the top rows
scores = tensor.stack({1 - disc, disc}) + tensor.randn(2, height, width, {seed = 3, std = 0.5})   -- a doubtful network
predicted = nn.functional.classes(scores:unsqueeze(1))[1]
assert(predicted.dtype == "int32" and predicted:max():item() == 1)

counted = labels:ne(255)
accuracy = (predicted:eq(labels) * counted):sum():item() / counted:sum():item()
print(("accuracy %.3f over %d pixels"):format(accuracy, counted:sum():item()))
assert(accuracy > 0.85 and accuracy < 1)

-- %% [markdown]
-- ## Files
--
-- `save` and `load` choose .npy, .npz or .safetensors by the name; Python reads all three.

-- %%
edges:save(out .. "/1-edges.npy")
assert(tensor.load(out .. "/1-edges.npy"):equal(edges))
tensor.save(out .. "/1-maps.safetensors", {map = map, labels = labels})
assert(tensor.load(out .. "/1-maps.safetensors").labels.dtype == "int32")

-- %% [markdown]
-- ## Exercise
--
-- Accuracy flatters: a prediction of "background everywhere" is right for most pixels. The field reports the mean
-- intersection over union (mIoU): for each class |predicted and labelled| / |predicted or labelled| over the pixels
-- that count, then the mean over classes. Write `miou(predicted, labels, classes)` with masks, and see what
-- "background everywhere" gets. `metrics.confusion` says whether you are right.

-- %% [markdown]
-- ## Solution

-- %%
function miou(predicted, labels, classes)
  local counted, total = labels:ne(255), 0
  for class = 0, classes - 1 do
    local p, t = predicted:eq(class) * counted, labels:eq(class) * counted
    total = total + (p * t):sum():item() / p:maximum(t):sum():item()
  end
  return total / classes
end

nothing = tensor.zeros_like(labels)
for _, case in ipairs{{"noisy scores", predicted}, {"background everywhere", nothing}} do
  local name, guess = table.unpack(case)
  local own = miou(guess, labels, 2)
  local library = metrics.confusion(2):add(guess:unsqueeze(1), labels:unsqueeze(1))
  print(("%-22s accuracy %.3f  mIoU %.3f"):format(name, library.accuracy, own))
  assert(math.abs(own - library.miou) < 1e-9)
end
assert(miou(nothing, labels, 2) < 0.45)           -- the accuracy looked much better than that
