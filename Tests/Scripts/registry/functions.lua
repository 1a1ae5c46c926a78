-- Every function that takes a tensor, by its name in the registry: what it is applied to in tests of derivatives, of PyTorch's numbers, and of code for PyTorch.
--
--   {f, shapes...}           differentiable in all arguments; options: low, high (range of the values), view = true (the result is a view),
--                            refuses = {[i] = text} (argument i: an error with this text)
--   none{f, shapes...}       the result has no history: comparisons, positions, numbers, text
--   skip(reason)             no function of numbers
local function none(case) case.none = true; return case end
local function skip(reason) return {skip = reason} end
local function method(name, ...)
  local rest = {...}
  return function(x) return x[name](x, table.unpack(rest)) end
end
local function ints(...) return tensor.from({...}, {dtype = "int32"}) end

return {
  -- arithmetic
  ["tensor.__add"] = {function(a, b) return a + b + (a + 2) + (3 + b) end, {2, 3}, {3}}, ["tensor.__sub"] = {function(a, b) return (a - b) * (1 - a) + (b - 2) end, {2, 3}, {1, 3}},
  ["tensor.__mul"] = {function(a, b) return a * b * 2 end, {2, 3}, {2, 1}}, ["tensor.__div"] = {function(a, b) return a / b + 2 / b + a / 3 end, {2, 3}, {3}, low = 0.5},
  ["tensor.__pow"] = {function(a, b) return a ^ b + a ^ 2 + a ^ -1.5 + 2 ^ a end, {2, 3}, {3}, low = 0.5},
  ["tensor.__mod"] = {function(a, b) return (a + 1) % (b + 0.15) + a % 0.7 end, {2, 3}, {3}, low = 0.35, high = 0.4}, ["tensor.__idiv"] = {function(a, b) return (a + 1) // (b + 0.15) end, {2, 3}, {3}, low = 0.35, high = 0.4},
  ["tensor.__unm"] = {function(a) return -a end, {3}}, ["tensor.__lt"] = none{function(a) return a:sum() < 3 end, {3}}, ["tensor.__le"] = none{function(a) return a:sum() <= 3 end, {3}},
  ["tensor.__len"] = none{function(a) return #a end, {3}}, ["tensor.__pairs"] = {function(a) local s for _, row in pairs(a) do s = s and s * row or row * 1 end return s end, {2, 3}},
  ["tensor:add"] = {function(a, b) return a:add(b):add(1) end, {2, 3}, {3}}, ["tensor:sub"] = {function(a, b) return a:sub(b):sub(1) end, {2, 3}, {3}},
  ["tensor:mul"] = {function(a, b) return a:mul(b):mul(3) end, {2, 3}, {3}}, ["tensor:div"] = {function(a, b) return a:div(b):div(3) end, {2, 3}, {3}, low = 0.5},
  ["tensor:maximum"] = {function(a, b) return a:maximum(b):maximum(0.2) end, {2, 3}, {3}}, ["tensor:minimum"] = {function(a, b) return a:minimum(b):minimum(0.2) end, {2, 3}, {3}},
  ["tensor:pow"] = {function(a, b) return a:pow(b) + a:pow(1) + a:pow(2) + a:pow(3) + a:pow(0) end, {2, 3}, {3}, low = 0.5},
  ["tensor:clamp"] = {function(a) return a:clamp(-0.31, 0.42) + a:clamp(nil, 0.1) + a:clamp(-0.1) end, {2, 3}},
  ["tensor:lerp"] = {function(a, b, w) return a:lerp(b, w) + a:lerp(b, 0.3) end, {2, 3}, {2, 3}, {3}},
  ["tensor:eq"] = none{method("eq", 0.5), {3}}, ["tensor:ne"] = none{method("ne", 0.5), {3}}, ["tensor:lt"] = none{method("lt", 0.5), {3}}, ["tensor:le"] = none{method("le", 0.5), {3}},
  ["tensor:gt"] = none{method("gt", 0.5), {3}}, ["tensor:ge"] = none{method("ge", 0.5), {3}}, ["tensor:all"] = none{method("all"), {3}}, ["tensor:any"] = none{method("any"), {3}},
  ["tensor:equal"] = none{function(a, b) return a:equal(b) end, {3}, {3}}, ["tensor:allclose"] = none{function(a, b) return a:allclose(b) end, {3}, {3}},
  ["tensor:abs"] = {method "abs", {2, 3}}, ["tensor:neg"] = {method "neg", {2, 3}}, ["tensor:sign"] = {method "sign", {2, 3}}, ["tensor:exp"] = {method "exp", {2, 3}},
  ["tensor:log"] = {method "log", {2, 3}, low = 0.5}, ["tensor:sqrt"] = {method "sqrt", {2, 3}, low = 0.5}, ["tensor:rsqrt"] = {method "rsqrt", {2, 3}, low = 0.5},
  ["tensor:reciprocal"] = {method "reciprocal", {2, 3}, low = 0.5}, ["tensor:square"] = {method "square", {2, 3}}, ["tensor:relu"] = {method "relu", {2, 3}},
  ["tensor:sigmoid"] = {method "sigmoid", {2, 3}}, ["tensor:tanh"] = {method "tanh", {2, 3}}, ["tensor:sin"] = {method "sin", {2, 3}}, ["tensor:cos"] = {method "cos", {2, 3}},
  ["tensor:floor"] = {method "floor", {2, 3}, low = 0.2, high = 0.8}, ["tensor:ceil"] = {method "ceil", {2, 3}, low = 0.2, high = 0.8}, ["tensor:round"] = {method "round", {2, 3}, low = 0.6, high = 0.9},
  ["tensor:erf"] = {method "erf", {2, 3}}, ["tensor:gelu"] = {method "gelu", {2, 3}}, ["tensor:silu"] = {method "silu", {2, 3}},
  ["tensor:hard_sigmoid"] = {method "hard_sigmoid", {2, 3}}, ["tensor:hard_swish"] = {method "hard_swish", {2, 3}},
  -- reductions
  ["tensor:sum"] = {function(a) return a:sum() + a:sum(1) * a:sum(2, {keep = true}) + a:sum({}) end, {2, 3}}, ["tensor:mean"] = {function(a) return a:mean() * a:mean(2) end, {2, 3}},
  ["tensor:var"] = {function(a) return a:var() + a:var(2) + a:var(1, {correction = 0}):sum() end, {2, 3}}, ["tensor:std"] = {function(a) return a:std() + a:std(2, {correction = 0}) end, {2, 3}},
  ["tensor:prod"] = {function(a) return a:prod() * a:prod(2) end, {2, 3}}, ["tensor:norm"] = {function(a) return a:norm() + a:norm(1, 2) + a:norm(3) + a:norm(math.huge) end, {2, 3}},
  ["tensor:max"] = {function(a) return a:max() * (a:max(2)) end, {2, 3}}, ["tensor:min"] = {function(a) return a:min() * (a:min(2)) end, {2, 3}},
  ["tensor:argmax"] = none{method("argmax", 2), {2, 3}}, ["tensor:argmin"] = none{method("argmin", 2), {2, 3}}, ["tensor:cumsum"] = {function(a) return a:cumsum(2) * a:cumsum() end, {2, 3}},
  ["tensor:logsumexp"] = {function(a) return a:logsumexp() + a:logsumexp(2, {keep = true}) end, {2, 3}},
  ["tensor:softmax"] = {method("softmax", 2), {2, 3}}, ["tensor:log_softmax"] = {method("log_softmax", 1), {2, 3}}, ["tensor:topk"] = {function(a) return (a:topk(2)) end, {2, 3}},
  ["tensor:sort"] = {function(a) return (a:sort(2, {descending = true})) end, {2, 3}}, ["tensor:matmul"] = {function(a, b) return a:matmul(b) end, {2, 2, 3}, {3, 4}},
  -- shapes
  ["tensor:size"] = none{method("size"), {2, 3}}, ["tensor:dim"] = none{method("dim"), {2, 3}}, ["tensor:numel"] = none{method("numel"), {2, 3}},
  ["tensor:reshape"] = {method("reshape", 3, 2), {2, 3}, view = true}, ["tensor:view"] = {method("view", 3, 2), {2, 3}, view = true}, ["tensor:flatten"] = {method("flatten"), {2, 3}, view = true},
  ["tensor:squeeze"] = {method("squeeze"), {2, 1, 3}, view = true}, ["tensor:unsqueeze"] = {method("unsqueeze", 2), {2, 3}, view = true}, ["tensor:transpose"] = {method("transpose", 1, 2), {2, 3}, view = true},
  ["tensor:t"] = {method("t"), {2, 3}, view = true}, ["tensor:permute"] = {method("permute", 3, 1, 2), {2, 3, 2}, view = true}, ["tensor:expand"] = {method("expand", 2, 3), {1, 3}, view = true},
  ["tensor:narrow"] = {method("narrow", 2, 2, 2), {2, 3}, view = true}, ["tensor:select"] = {method("select", 2, 2), {2, 3}, view = true}, ["tensor:slice"] = {method("slice", 2, 1, 3, 2), {2, 3}, view = true},
  ["tensor:split"] = {function(a) return a:split(2, 2)[1] end, {2, 3}, view = true}, ["tensor:chunk"] = {function(a) return a:chunk(3, 2)[2] end, {2, 3}, view = true},
  ["tensor:flip"] = {method("flip", {1, 2}), {2, 3}}, ["tensor:pad"] = {method("pad", {1, 0}, {0, 2}, {value = 3}), {2, 3}},
  ["tensor:gather"] = {function(a) return a:gather(2, tensor.from({{1, 1}, {3, 1}}, {dtype = "int32"})) end, {2, 3}},
  ["tensor:scatter"] = {function(a, s) return a:scatter(2, tensor.from({{1, 2}, {3, 1}}, {dtype = "int32"}), s) end, {2, 3}, {2, 2}},
  ["tensor:scatter_add"] = {function(a, s) return a:scatter_add(2, tensor.from({{1, 1}, {3, 1}}, {dtype = "int32"}), s) end, {2, 3}, {2, 2}},
  ["tensor.einsum"] = {function(a, b) return tensor.einsum("ij,jk->ki", a, b) * tensor.einsum("ij,jj->", a, b) end, {2, 3}, {3, 3}},
  ["tensor:index_select"] = {function(a) return a:index_select(2, {3, 1, 3}) end, {2, 3}}, ["tensor:masked_fill"] = {function(a, m) return a:masked_fill(m:gt(2), 2) * a:masked_fill(m:gt(-2), 2) end, {2, 3}, {2, 3}},
  ["tensor:one_hot"] = none{function() return ints(0, 2):one_hot(3) end}, ["tensor.concat"] = {function(a, b) return tensor.concat({a, b}, 2) end, {2, 3}, {2, 1}},
  ["tensor.cat"] = {function(a, b) return tensor.cat({a, b}) end, {2, 3}, {1, 3}}, ["tensor.stack"] = {function(a, b) return tensor.stack({a, b}, 2) end, {2, 3}, {2, 3}},
  ["tensor.where"] = {function(c, a, b) return tensor.where(c:gt(0), a, b) + tensor.where(c, a, 2) end, {2, 3}, {2, 3}, {3}, low = 0.2},
  -- history
  ["tensor:clone"] = {method("clone"), {2, 3}}, ["tensor:contiguous"] = {function(a) return a:t():contiguous() end, {2, 3}}, ["tensor:detach"] = none{method("detach"), {3}, view = true},
  ["tensor:cast"] = {method("cast", "float32"), {2, 3}, view = true}, ["tensor:float"] = {method("float"), {2, 3}, view = true}, ["tensor:int"] = none{method("int"), {3}},
  ["tensor:item"] = none{function(a) return a:sum():item() end, {3}}, ["tensor:to_table"] = none{method("to_table"), {3}}, ["tensor:is_contiguous"] = none{method("is_contiguous"), {3}},
  ["tensor:backward"] = skip "is the derivative", ["tensor.grad"] = skip "is the derivative", ["tensor:requires_grad_"] = skip "a mark", ["tensor:save"] = skip "a file", ["tensor.save"] = skip "a file",
  ["tensor:free"] = skip "memory", ["tensor.zeros_like"] = none{function(a) return tensor.zeros_like(a) end, {3}}, ["tensor.ones_like"] = none{function(a) return tensor.ones_like(a) end, {3}},
  -- writes in place: a history is an error, see tensor_history.lua
  ["tensor:add_"] = skip "a write", ["tensor:sub_"] = skip "a write", ["tensor:mul_"] = skip "a write", ["tensor:div_"] = skip "a write", ["tensor:fill_"] = skip "a write",
  ["tensor:fill"] = skip "a write", ["tensor:zero_"] = skip "a write", ["tensor:zero"] = skip "a write", ["tensor:copy_"] = skip "a write", ["tensor:copy"] = skip "a write",
  -- layers and losses
  ["nn.functional.conv2d"] = {function(x, w, b) return nn.functional.conv2d(x, w, b, {stride = 2, padding = 1}) end, {1, 2, 4, 4}, {2, 2, 3, 3}, {2}},
  ["nn.functional.conv_transpose2d"] = {function(x, w, b) return nn.functional.conv_transpose2d(x, w, b, {stride = 2, padding = 1, output_padding = 1}) end, {1, 2, 2, 3}, {2, 2, 3, 3}, {2}},
  ["nn.functional.layer_norm"] = {function(x, w, b) return nn.functional.layer_norm(x, {2, 3}, {weight = w, bias = b}) end, {2, 2, 3}, {2, 3}, {2, 3}},
  ["nn.functional.group_norm"] = {function(x, w, b) return nn.functional.group_norm(x, 2, {weight = w, bias = b}) end, {2, 4, 3}, {4}, {4}},
  ["nn.functional.pixel_shuffle"] = {function(x) return nn.functional.pixel_shuffle(x, 2) end, {1, 4, 2, 1}}, ["nn.functional.pixel_unshuffle"] = {function(x) return nn.functional.pixel_unshuffle(x, 2) end, {1, 1, 2, 4}},
  ["nn.functional.unfold"] = {function(x) return nn.functional.unfold(x, {kernel = 2, padding = 1}) end, {1, 2, 2, 3}},
  ["nn.functional.attention"] = {function(q, k, v) return nn.functional.attention(q, k, v, {causal = true}) + nn.functional.attention(q, k, v) end, {2, 3, 2}, {2, 3, 2}, {2, 3, 2}},
  ["nn.functional.gelu"] = {function(x) return nn.functional.gelu(x) end, {3}}, ["nn.functional.silu"] = {function(x) return nn.functional.silu(x) end, {3}},
  ["nn.functional.hard_sigmoid"] = {function(x) return nn.functional.hard_sigmoid(x) end, {3}}, ["nn.functional.hard_swish"] = {function(x) return nn.functional.hard_swish(x) end, {3}},
  ["nn.functional.linear"] = {function(x, w, b) return nn.functional.linear(x, w, b) end, {2, 3}, {2, 3}, {2}},
  ["nn.functional.batch_norm"] = {function(x, m, v, w, b)
    return nn.functional.batch_norm(x, {mean = m, variance = v:square() + 0.5, weight = w, bias = b}) + nn.functional.batch_norm(x, {weight = w, bias = b})
  end, {4, 2}, {2}, {2}, {2}, {2}},
  ["nn.functional.max_pool2d"] = {function(x) return nn.functional.max_pool2d(x, {kernel = 2}) end, {1, 1, 4, 4}}, ["nn.functional.avg_pool2d"] = {function(x) return nn.functional.avg_pool2d(x, {kernel = 3, padding = 1, stride = 1}) end, {1, 1, 3, 3}},
  ["nn.functional.resize"] = {function(x) return nn.functional.resize(x, {size = {4, 3}}) end, {1, 1, 2, 3}}, ["nn.functional.resize, as it is"] = {function(x) return nn.functional.resize(x, {size = {2, 3}}) end, {1, 1, 2, 3}},
  ["nn.functional.interpolate"] = {function(x) return nn.functional.interpolate(x, {scale = 2, mode = "nearest"}) end, {1, 1, 2, 2}},
  ["nn.functional.dropout"] = {function(x) return nn.functional.dropout(x, 0) end, {3}, view = true}, ["nn.functional.classes"] = none{function(x) return nn.functional.classes(x) end, {2, 3}},
  ["nn.functional.relu"] = {function(x) return nn.functional.relu(x) end, {3}}, ["nn.functional.sigmoid"] = {function(x) return nn.functional.sigmoid(x) end, {3}}, ["nn.functional.tanh"] = {function(x) return nn.functional.tanh(x) end, {3}},
  ["nn.mse_loss"] = {function(x, y) return nn.mse_loss(x, y) end, {3}, {3}}, ["nn.l1_loss"] = {function(x, y) return nn.l1_loss(x, y) end, {3}, {3}},
  ["nn.cross_entropy"] = {function(x) return nn.cross_entropy(x, ints(1, 0), {weights = tensor.from{1, 2, 3}}) + nn.cross_entropy(x, ints(2, 255)) end, {2, 3}},
  ["nn.cross_entropy, weights"] = {function(x, w) return nn.cross_entropy(x, ints(1, 0), {weights = w}) end, {2, 3}, {3}, low = 0.2, refuses = "no derivative with respect to its class weights"},
  ["nn.smooth_l1_loss"] = {function(x, y) return nn.smooth_l1_loss(x, y) + nn.smooth_l1_loss(x, y, {beta = 0.2, mask = ints(1, 0, 2)}) end, {3}, {3}},
  ["nn.berhu_loss"] = {function(x) -- the largest difference, which sets the limit and has no derivative, is not of x
    return nn.berhu_loss(tensor.concat({x, tensor.from{9}}), tensor.from{0.1, -3, 0.2, 0}, {share = 0.2})
  end, {3}},
  ["nn.silog_loss"] = {function(x, y) return nn.silog_loss(x, y) + nn.silog_loss(x, y, {lambda = 0.85, root = true, mask = ints(1, 1, 0)}) end, {3}, {3}, low = 0.5},
  ["nn.bce_with_logits"] = {function(x, y, w) return nn.bce_with_logits(x, y) + nn.bce_with_logits(x, y, {positive = w, mask = ints(1, 0, 1)}) end, {3}, {3}, {3}},
  ["nn.dice_loss"] = {function(x) return nn.dice_loss(x, ints(1, 0)) + nn.dice_loss(x, ints(2, 255), {smooth = 0.1, classes = "all"}) end, {2, 3}},
  ["nn.focal_loss"] = {function(x, w) return nn.focal_loss(x, ints(1, 0), {weights = w}) + nn.focal_loss(x, ints(2, 255), {gamma = 1.5}) end, {2, 3}, {3}},
  ["nn.focal_loss, of yes and no"] = {function(x, y) return nn.focal_loss(x, y, {alpha = 0.25}) + nn.focal_loss(x, y, {gamma = 0}) end, {3}, {3}, low = 0.2},
  ["nn.ohem_loss"] = {function(x) return nn.ohem_loss(x, ints(1, 0), {share = 1}) + nn.ohem_loss(x, ints(2, 255), {threshold = 0.999}) end, {2, 3}},
  ["nn.lovasz_loss"] = {function(x) return nn.lovasz_loss(x, ints(1, 0)) + nn.lovasz_loss(x, ints(2, 255), {classes = "all"}) end, {2, 3}},
  -- modules are made of these operations; the numbers of metrics and pictures have no history
  ["module.__call"] = {function(x) return nn.sequential{nn.tanh(), nn.softmax(2), nn.flatten(), nn.identity()}(x) end, {2, 3}},
  ["supernet.__call"] = skip "SearchTests", ["supernet:step"] = skip "a step", ["supernet:loss"] = skip "SearchTests", ["supernet:gradients"] = skip "a step",
  ["supernet:scores"] = none{function(x)
    return nas.trellis{layers = 1, strides = {4, 8}, filters = 2, cell = nas.cell{blocks = 1, operators = {"skip_connect"}}}:supernet{classes = 2}:scores(x)
  end, {1, 3, 8, 8}},
  ["supernet:predict"] = skip "classes", ["supernet:plan"] = skip "a plan",
  ["supernet:recalibrate"] = skip "statistics", ["supernet:curvature"] = skip "SearchTests",
  ["nas.fixed"] = skip "a relaxation", ["run:histogram"] = skip "numbers for a file",
}
