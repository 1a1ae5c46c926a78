-- Today's operators beside PyTorch 2.13: values, derivatives, and derivatives of the squares of derivatives, of numbers that both make by one formula.
local function seq(shape, a, b)
  local count = 1
  for _, size in ipairs(shape) do count = count * size end
  local list = {}
  for k = 1, count do list[k] = 1.5 * math.sin(a * k + b) end
  return tensor.from(list):reshape(table.unpack(shape))
end
local f = nn.functional
local function ints(rows) return tensor.from(rows, {dtype = "int32"}) end
local golden = {}
golden["erf"] = {
  y = {0.556979, 0.847392, 0.942575, 0.965363, 0.958567, 0.908928, 0.733718, 0.298356},
  first = {{1.01096, 0.604776, 0.254249, 0.105825, 0.0193576, -0.172344, -0.751821, -1.56869}},
  second = {{-2.21753, -1.47974, -0.347402, -0.0669164, -0.00216124, -0.14196, -1.77725, -2.66646}},
}
golden["gelu"] = {
  y = {0.383079, 0.853745, 1.22324, 1.39282, 1.33425, 1.05616, 0.616344, 0.164369},
  first = {{1.0738, 1.61906, 1.54524, 0.985009, 0.154861, -0.711492, -1.25369, -1.06362}},
  second = {{1.5169, 1.12819, 0.1335, -0.0520753, -0.00047424, 0.101325, 1.2546, 2.35797}},
}
golden["silu"] = {
  y = {0.343015, 0.741683, 1.06553, 1.21993, 1.16615, 0.917174, 0.540017, 0.153682},
  first = {{0.912015, 1.3881, 1.3887, 0.908719, 0.141556, -0.624491, -1.05802, -0.948223}},
  second = {{0.946544, 1.23685, 0.757188, 0.25053, 0.00666641, 0.193012, 0.959473, 1.3675}},
}
golden["hard_sigmoid"] = {
  y = {0.771212, 1, 1, 1, 1, 1, 0.893033, 0.635447},
  first = {{0.601215, 0, 0, 0, 0, 0, -0.617988, -0.748036}},
  second = {{0, 0, 0, 0, 0, 0, 0, 0}},
}
golden["hard_swish"] = {
  y = {1.25497, 3.0343, 4.03064, 4.48146, 4.32574, 3.58454, 2.10595, 0.516417},
  first = {{3.76032, 4.47241, 4.11036, 2.62049, 0.411591, -1.91024, -4.76864, -3.45994}},
  second = {{27.1291, 0, 0, 0, 0, 0, 35.3636, 31.0579}},
}
golden["layer_norm"] = {
  y = {-0.180755, 1.17459, 2.24591, 1.94638, 2.35639, 2.34132, 0.775327, -1.32332, 2.64292, 1.92276, 0.320318, -0.933572},
  first = {{-0.845377, 1.32768, 1.09003, -1.57233, 0.854868, -0.468003, -1.10352, 0.716649, 0.701873, -1.09111, -0.442406, 0.831642}, {-3.65035, -0.996245, 1.35387, 2.34518}, {-0.00603902, 0.0280273, 0.0544032, 0.0658516}},
  second = {{14.5258, -1.94881, -4.03706, -8.53994, -13.844, 6.49292, 9.41612, -2.06505, 6.03496, -16.2492, -6.57497, 16.7892}, {-9.32372, 16.2738, 14.4901, -9.76226}, {0, 0, 0, 0}},
}
golden["group_norm"] = {
  y = {-0.180755, 1.0309, 2.42558, 2.99162, 2.9876, 2.15421, 0.16244, -1.32332, 2.64293, 1.54403, 0.655961, -0.103958, -0.390152, 0.235371, 0.865412, 2.50223},
  first = {{-0.211113, 0.0823226, 1.07206, -0.943272, 0.902906, -0.778069, -0.656611, 0.531775, 0.434281, -0.531772, -0.656299, 0.753789, -0.702409, 0.707655, 0.220789, -0.226036}, {-4.41737, 1.11573, -2.61424, 4.08059}, {0.521538, 2.8523, 2.26728, -0.635479}},
  second = {{12.9545, -18.8932, 6.44019, -0.501486, -14.8055, 15.2997, -2.07016, 1.57593, 1.28744, -3.06021, -10.0487, 11.8215, -4.21798, -6.53286, 24.4199, -13.669}, {-1.37712, 6.12298, 3.71693, 0.699576}, {0, 0, 0, 0}},
}
golden["conv_transpose2d"] = {
  y = {-0.425112, -0.764342, 0.297131, 0.00522792, 2.27828, 2.97886, 2.17573, 2.69613, 1.14889, 2.01118, 2.01488, 1.08766, -0.188928, -1.12053, -0.452893, -0.718055, 2.30261, 2.81602, 2.66631, 2.27918, -0.139012, -1.33069, -0.102214, 0.233281, 2.87215, 3.51544, 2.89226, 3.38125, 2.12912, 3.40221, 3.06921, 2.33871},
  first = {{-1.42865, 3.34471, -1.44859, -10.4465, -0.638573, -6.89625, 3.0176, 9.37042}, {-0.951186, -1.662, -3.09036, 0.273906, 0.110924, 1.61071, 1.59541, 2.49822, 1.31681, -1.08677, -1.68137, 0.200683, 1.49114, 2.36354, 1.10617, -1.98627, -2.80815, -2.95493, -0.172491, -0.226973, -0.905803, 1.55752, 2.2915, 2.73048, -0.354709, 0.0748895, -1.31672, -0.197078, -1.00509, -0.358226, -0.477134, -0.135015, -1.49665, -1.09602, -2.25814, -1.16967}, {5.00565, -3.72404}},
  second = {{14.0967, -21.839, 29.9014, 63.1909, 25.0874, 25.035, -12.6944, 8.68967}, {13.3036, 25.4258, 33.1023, 27.2308, 11.2942, -10.4067, -35.5809, -39.8954, -28.7728, 15.1999, 2.99933, -14.3699, -36.2549, -38.9202, -26.4003, 12.6225, 32.4313, 41.0158, -11.9332, -22.3352, -31.8805, -36.0424, -30.0488, -6.03522, 36.8774, 49.2462, 45.0634, -13.6341, -7.12631, 10.3896, 38.2794, 49.4917, 43.3571, -5.65336, -24.7293, -43.019}, {0, 0}},
}
golden["conv_transpose2d, groups"] = {
  y = {0.511608, 0.745943, 0.953972, 1.39093, 0.811687, 0.693982, 1.51352, 1.29404, 1.26722, 1.84765, 1.40896, 2.05431, 2.0105, 1.71895, 2.23537, 1.91121, 1.11496, 0.133133, 0.923919, 0.110321, -0.878786, -1.69209, -0.72821, -1.40216, 0.607828, 0.072578, 0.20947, 0.0250118, -0.479075, -0.922452, -0.165099, -0.317896},
  first = {{2.57492, -1.2701, 1.40983, 3.84016, 1.58935, -2.08893, 2.2023, 3.61532}, {0.110924, 1.61071, 2.49822, 1.31681, -0.135015, -1.49665, -2.25814, -1.16967}},
  second = {{4.07779, -6.99771, 7.32262, 10.8387, 9.73805, 2.83528, -2.46557, 7.23543}, {-1.69481, 8.41677, 17.5527, 10.7185, 20.4443, 15.4105, -14.4329, -20.1047}},
}
golden["pixel_shuffle"] = {
  y = {0.294223, 1.80512, 1.02299, 2.2315, 2.07911, 0.617901, 1.42766, 0.0733838},
  first = {{1.30445, 2.77157, 4.00593, 2.60969, 0.395652, -2.95361, -1.00105, -0.810555}},
  second = {{6.27405, 15.1895, 23.8882, 9.11823, 0.217129, 14.6024, 2.54966, 4.85059}},
}
golden["unfold"] = {
  y = {0, 0, 0, 1.42766, 0, 0, 2.07911, 0.617901, 0, 0, 1.42766, 0.0733838, 0, 1.02299, 0, 0.631634, 0.294223, 1.80512, 0.0789284, 1.4424, 1.02299, 2.2315, 0.631634, 2.08715},
  first = {{0.0240468, 0.421347, -1.98601, -2.17354, -3.56434, 1.89683, -2.35202, 0.372982, 0.729075, -1.29193, 3.60297, -2.27877}},
  second = {{0.0021321, 0.351053, 5.87138, 6.32508, 17.6218, 6.02249, 14.0752, 1.02708, -3.78406, -4.20022, -21.6176, -7.18876}},
}
golden["scatter"] = {
  y = {1.89119, 1.02299, 0.889607, 2.23924, 1.63689, 1.42766},
  first = {{0, 3.01569, 0, 0, 0, -1.52163}, {2.58457, 3.30717, 2.61422, 0.351063}},
  second = {{0, 17.9832, 0, 0, 0, 3.87558}, {14.1647, 15.9066, 9.13403, 0.192659}},
}
golden["scatter_add"] = {
  y = {3.6773, 1.02299, 5.22917, 2.2315, 17.7893, 1.42766},
  first = {{4.61163, 3.01569, 6.26621, 2.60969, 1.15732, -1.52163}, {6.26621, 4.61163, 1.15732, 1.15732}},
  second = {{44.3613, 17.9832, 68.6837, 9.11823, 1.90537, 3.87558}, {68.6837, 44.3613, 1.90537, 1.90537}},
}
golden["logsumexp"] = {
  y = {4.40883, 5.29843},
  first = {{0.223441, 0.912488, 2.47136, 1.97578, 1.69086, 0.80577}},
  second = {{-2.29834, -5.61347, 7.91182, 3.77586, 0.340811, -4.11666}},
}
golden["einsum"] = {
  y = {7.08832, 11.6452, -2.488, 9.80272},
  first = {{3.90251, 4.56393, 1.33251, 4.83842, 5.65848, 1.65207, -3.45882, -5.48574, -2.83355, -2.20511, -3.49734, -1.80648}, {3.61065, 4.31864, 4.22082, 5.04846, 4.25973, 5.09499, 0.480035, 0.574162, -0.850127, -1.01682, -2.06523, -2.47019}, {12.9212, 9.88979}},
  second = {{88.4825, 107.867, 57.4485, 109.703, 133.737, 71.226, -49.3721, -98.2124, -68.377, -31.4763, -62.6136, -43.5925}, {104.266, 92.6651, 121.901, 108.342, 97.9772, 79.3824, -6.82451, -12.4232, -44.0318, -45.1206, -56.2535, -48.9543}, {207.921, 223.8}},
}
golden["matmul"] = {
  y = {3.06403, 2.16403, 4.49057, 4.00943, -3.26991, -2.73141, -4.32306, -4.39624, 0.92954, 1.40165, -3.66391, -2.76291, -0.574683, -1.17827, 3.81198, 3.34838},
  first = {{3.84789, 4.42057, 1.22268, 5.00244, 7.13951, 3.18686, -4.93703, -7.0933, -3.19927, -0.84471, -2.29899, -1.79233}, {1.70453, 0.917049, 2.923, 1.71678, 3.74586, 2.28416, -1.82387, -2.01963, -2.88438, -3.32871, -3.55451, -4.18727}},
  second = {{8.90496, 15.5958, 20.1759, 16.8244, 28.099, 35.5705, -16.7821, -27.9964, -35.4216, -6.96128, -10.8878, -13.3407}, {36.3834, 27.2053, 49.6519, 34.2062, 20.5693, 12.0306, -26.056, -35.9841, -40.4857, -51.8338, -20.3827, -23.4714}},
}
golden["attention"] = {
  y = {0.515318, 0.268292, -0.0694486, 0.645743, 0.266509, -0.202836, 0.59417, 0.213512, -0.239338, 0.320574, 0.630654, 0.727498, 0.555783, 0.225541, -0.180961, 0.989899, 0.536261, -0.0986966},
  first = {{-0.362292, 0.685464, 0.11171, 0.121666, 0.377769, -0.540063, 0.0458269, 0.139469, -0.240478, -0.984812, -0.0627483, -0.0986847}, {-1.05891, -0.213057, 0.941053, 0.455959, 0.116195, -0.273065, 0.00166274, 0.0301628, -0.442538, -1.00938, 0.325396, 0.935886, 0.250773, 0.25216, -0.133631, -0.178669}, {0.353465, 0.108407, -0.166396, 0.329463, -0.0945703, -0.492655, 0.121272, 0.0787739, 0.0146618, 0.0357503, 0.039317, 0.0320956, 1.23409, 0.826307, 0.191795, 0.449356, 0.435351, 0.301892, -0.0774466, 0.135493, 0.311256, -0.386986, 0.0444091, 0.463619}},
  second = {{-4.43285, -1.92134, 0.424103, 0.18277, 3.5223, 2.06619, 0.538125, 0.521676, -5.10397, -7.61271, -0.047688, -0.172119}, {0.56365, 4.57007, -0.707606, -3.50913, 0.282981, -1.06376, -0.139025, 0.00282355, -0.805454, -2.83048, 0.377539, 1.82654, 0.0702579, 0.40946, 0.357658, 0.594485}, {0.0736492, 1.10319, 1.83004, 0.254877, -0.793473, -1.62411, -0.263346, -0.235539, -0.143103, -0.0651811, -0.074182, -0.0628284, 2.25476, 1.73958, 0.747086, -1.40204, -0.840107, -0.0476604, -0.569951, -0.544137, -0.36902, -0.282773, -0.355339, -0.330405}},
}
golden["attention, causal"] = {
  y = {1.25404, 1.49994, 1.24477, 0.931827, 1.09017, 0.720906},
  first = {{0, 0, -0.0781439, 0.013531, 0.0154089, -0.0894084}, {0.0250341, 0.0744889, -0.120342, -0.153466, 0.0953074, 0.078977}, {1.79295, 1.61767, 0.903173, 0.173109, 0.0136226, -0.0632239}},
  second = {{0, 0, -0.43186, 0.146289, 0.0929382, -0.149868}, {0.708155, 0.957543, -0.832812, -1.04733, 0.124657, 0.0897903}, {0.282059, 0.0970765, -0.290747, -0.0567538, 0.00868814, -0.0403227}},
}

-- Each with the shapes of its arguments.
local cases = {
  ["erf"] = {function(x) return x:erf() end, {8}}, ["gelu"] = {function(x) return x:gelu() end, {8}}, ["silu"] = {function(x) return x:silu() end, {8}},
  ["hard_sigmoid"] = {function(x) return (x * 3):hard_sigmoid() end, {8}}, ["hard_swish"] = {function(x) return (x * 3):hard_swish() end, {8}},
  ["layer_norm"] = {function(x, w, b) return f.layer_norm(x, 4, {weight = w, bias = b}) end, {3, 4}, {4}, {4}},
  ["group_norm"] = {function(x, w, b) return f.group_norm(x, 2, {weight = w, bias = b}) end, {2, 4, 2}, {4}, {4}},
  ["conv_transpose2d"] = {function(x, w, b) return f.conv_transpose2d(x, w, b, {stride = 2, padding = 1, output_padding = 1}) end, {1, 2, 2, 2}, {2, 2, 3, 3}, {2}},
  ["conv_transpose2d, groups"] = {function(x, w) return f.conv_transpose2d(x, w, nil, {stride = 2, groups = 2}) end, {1, 2, 2, 2}, {2, 1, 2, 2}},
  ["pixel_shuffle"] = {function(x) return f.pixel_shuffle(x, 2) ^ 2 end, {1, 4, 1, 2}},
  ["unfold"] = {function(x) return f.unfold(x ^ 2, {kernel = {2, 3}, padding = 1, stride = 2}) end, {1, 1, 3, 4}},
  ["scatter"] = {function(x, s) return x:scatter(2, ints{{3, 1}, {1, 2}}, s) ^ 2 end, {2, 3}, {2, 2}},
  ["scatter_add"] = {function(x, s) return x:scatter_add(2, ints{{3, 1}, {2, 2}}, s) ^ 2 end, {2, 3}, {2, 2}},
  ["logsumexp"] = {function(x) return (x * 3):logsumexp(2) end, {2, 3}},
  ["einsum"] = {function(a, b, c) return tensor.einsum("bij,bjk,k->bi", a, b, c) end, {2, 2, 3}, {2, 3, 2}, {2}},
  ["matmul"] = {function(a, b) return a:matmul(b) end, {2, 1, 2, 3}, {2, 3, 2}},
  ["attention"] = {function(q, k, v) return f.attention(q, k, v) end, {2, 3, 2}, {2, 4, 2}, {2, 4, 3}},
  ["attention, causal"] = {function(q, k, v) return f.attention(q, k, v, {causal = true, scale = 0.7}) end, {1, 3, 2}, {1, 3, 2}, {1, 3, 2}},
}

local function check(what, got, expected)
  got = got:flatten():to_table()
  assert(#got == #expected, ("%s: %d numbers, PyTorch has %d"):format(what, #got, #expected))
  for i, x in ipairs(expected) do
    assert(math.abs(got[i] - x) <= 2e-4 * math.max(1, math.abs(x)), ("%s: number %d is %.7g, PyTorch has %.7g"):format(what, i, got[i], x))
  end
end

local function arguments(case)
  local list = {}
  for i = 2, #case do list[i - 1] = seq(case[i], 0.37 + 0.11 * (i - 2), 0.2 * (i - 2)):requires_grad_() end
  return list
end

for name, case in pairs(cases) do
  local expected = assert(golden[name], name)
  local xs = arguments(case)
  local y = case[1](table.unpack(xs))
  check(name, y, expected.y)
  local weights = seq(y.shape, 0.53, 0.4)
  local first = tensor.grad((y * weights):sum(), xs, {create_graph = true})
  local squares = tensor.zeros()
  for i, g in ipairs(first) do
    check(name .. ", derivative " .. i, g, expected.first[i])
    squares = squares + (g * g):sum()
  end
  for i, h in ipairs(squares.requires_grad and tensor.grad(squares, xs) or {}) do
    check(name .. ", second derivative " .. i, h or tensor.zeros_like(xs[i]), expected.second[i])
  end

  -- The same in a plan.
  local leaves = arguments(case)
  local step = trellis.compile(function()
    for _, x in ipairs(leaves) do x.grad = nil end
    local z = case[1](table.unpack(leaves))
    ;(z * weights):sum():backward()
    return z
  end)
  for _ = 1, 2 do check(name .. " in a plan", step(), expected.y) end
  for i, x in ipairs(leaves) do check(name .. " in a plan, derivative " .. i, x.grad, expected.first[i]) end
end
for name in pairs(golden) do assert(cases[name], name .. " has no case") end

-- Limits.
assert(tensor.from{-math.huge, -math.huge}:logsumexp():item() == -math.huge and tensor.from{math.huge, 0}:logsumexp():item() == math.huge)
assert(math.abs(tensor.from{1000, 1000}:logsumexp():item() - 1000.6931) < 1e-3)
assert(tensor.from{-40, 40}:erf()[1] == -1 and tensor.from{-40, 40}:gelu()[2] == 40)
local s = tensor.zeros(3, {requires_grad = true})
local source = tensor.from({5, 7}, {requires_grad = true})
local scattered = s:scatter(1, tensor.from({2, 2}, {dtype = "int32"}), source)
assert(scattered[2] == 7)
scattered:sum():backward()
assert(s.grad:equal(tensor.from{1, 0, 1}) and source.grad:equal(tensor.from{0, 1}))
assert(tensor.einsum("ii", tensor.from{{1, 2}, {3, 4}}):item() == 5 and tensor.einsum("ba", tensor.from{{1, 2}, {3, 4}})[1][2] == 3)
local x = tensor.randn(2, 3, 4, 6, {seed = 1})
assert(f.pixel_unshuffle(x, 2):equal(f.pixel_unshuffle(f.pixel_shuffle(f.pixel_unshuffle(x, 2), 2), 2)))
-- Long sequences: as in one piece.
local q, k, v = tensor.randn(2, 150, 8, {seed = 1}), tensor.randn(2, 70, 8, {seed = 2}), tensor.randn(2, 70, 5, {seed = 3})
assert(f.attention(q, k, v):allclose((q:matmul(k:transpose(2, 3)) * 8 ^ -0.5):softmax(3):matmul(v), {atol = 1e-5}))

-- Mistakes say what was expected.
fails("layer_norm: expects [..., 5], got [2, 3]", function() f.layer_norm(tensor.zeros(2, 3), 5) end)
fails("group_norm: 2 groups do not divide the 3 channels of [2, 3]", function() f.group_norm(tensor.zeros(2, 3), 2) end)
fails("conv_transpose2d: output padding 2, 2 should be 0 or more and less than the stride 2, 2", function()
  f.conv_transpose2d(tensor.zeros(1, 1, 2, 2), tensor.zeros(1, 1, 2, 2), nil, {stride = 2, output_padding = 2})
end)
fails("pixel_shuffle: a factor of 2 wants channels that 2·2 divides, got [1, 3, 2, 2]", function() f.pixel_shuffle(tensor.zeros(1, 3, 2, 2), 2) end)
fails("unfold: a 5x5 window does not fit into 2x2 with padding 0, 0", function() f.unfold(tensor.zeros(1, 1, 2, 2), {kernel = 5}) end)
fails("scatter: index 4 is outside of dimension 1 of size 3", function() tensor.zeros(3):scatter(1, tensor.from({4}, {dtype = "int32"}), tensor.zeros(1)) end)
fails("einsum: 'ij,jk->ik': 'j' is 3 and, in tensor 2, 4", function() tensor.einsum("ij,jk->ik", tensor.zeros(2, 3), tensor.zeros(4, 2)) end)
fails("einsum: 'ij->ik': 'k' of the result is in none of the tensors", function() tensor.einsum("ij->ik", tensor.zeros(2, 3)) end)
fails("attention: expects queries [..., L, D], keys [..., S, D] and values [..., S, E]", function() f.attention(tensor.zeros(2, 3), tensor.zeros(2, 4), tensor.zeros(2, 3)) end)
