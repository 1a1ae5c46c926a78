-- Losses beside the cross entropy against PyTorch, and the papers' formulas written with it: {value, sum of |derivative|, derivative at [1][2][3][4]}.
local golden = {
  dice = {0.695089827, 0.316008565, -0.007624170},
  dice0 = {0.753222095, 0.342425991, -0.008332188},
  focal = {1.003877160, 1.611105517, -0.033575180},
  focal_weights = {1.795050494, 2.580140746, -0.068315993},
  focal_half = {1.377733982, 1.586229126, -0.033182587},
  ohem = {1.768951689, 1.619114959, -0.041522171},
  ohem_share = {2.008343436, 1.704348266, 0},
  lovasz = {0.752948300, 0.332244322, -0.008223104},
  bce = {0.910961978, 0.373282988, -0.005943573},
  bce_positive = {1.195412066, 0.515112770, -0.011889836},
  bce_mask = {0.914144531, 0.379859483, -0.008915359},
  focal_binary = {0.284296581, 0.247390969, -0.001520494},
  l1 = {1.334935782, 1.000000000, -0.008333333},
  l1_mask = {1.345997009, 1.000000000, -0.012500000},
  mse_mask = {2.317722659, 2.691994019, -0.047888010},
  smooth_l1 = {0.889923356, 0.833845132, -0.008333333},
  smooth_l1_beta = {1.190779761, 0.946189713, -0.008333333},
  smooth_l1_zero = {1.334935782, 1.000000000, -0.008333333},
  berhu = {2.259783409, 2.344172637, -0.026876857},
  berhu_mask = {2.248190455, 2.362625208, -0.040675245},
  silog = {0.972831933, 0.501268120, -0.001494904},
  silog_root = {0.775665208, 0.317891241, -0.004355807},
}
local N, C, H, W = 2, 4, 3, 5
local n = N * C * H * W
local function each(f)
  local list = {}
  for i = 0, n - 1 do list[i + 1] = f(i) end
  return tensor.from(list):reshape(N, C, H, W)
end
local x = each(function(i) return 2 * math.sin(1.7 * i) end):requires_grad_()
local t = each(function(i) return (math.cos(0.9 * i) + 1) / 2 end)
local m = each(function(i) return i % 3 ~= 0 and 1 or 0 end)
local classes = {}
for i = 0, N * H * W - 1 do classes[i + 1] = i * 7 % 5 == 4 and 255 or i * 7 % 5 end
local y = tensor.from(classes, {dtype = "int32"}):reshape(N, H, W)
local w = tensor.from{1, 2, 0.5, 3}

local losses = {
  dice = function() return nn.dice_loss(x, y) end, dice0 = function() return nn.dice_loss(x, y, {smooth = 0, classes = "all"}) end,
  focal = function() return nn.focal_loss(x, y) end, focal_weights = function() return nn.focal_loss(x, y, {gamma = 1.5, weights = w}) end,
  focal_half = function() return nn.focal_loss(x, y, {gamma = 0.5}) end, focal_binary = function() return nn.focal_loss(x, t:gt(0.5), {alpha = 0.25}) end,
  ohem = function() return nn.ohem_loss(x, y, {threshold = 0.3}) end, ohem_share = function() return nn.ohem_loss(x, y, {threshold = 0.01, share = 0.4}) end,
  lovasz = function() return nn.lovasz_loss(x, y) end,
  bce = function() return nn.bce_with_logits(x, t) end, bce_positive = function() return nn.bce_with_logits(x, t, {positive = w:reshape(1, C, 1, 1)}) end,
  bce_mask = function() return nn.bce_with_logits(x, t, {mask = m}) end,
  l1 = function() return nn.l1_loss(x, t) end, l1_mask = function() return nn.l1_loss(x, t, {mask = m}) end, mse_mask = function() return nn.mse_loss(x, t, {mask = m}) end,
  smooth_l1 = function() return nn.smooth_l1_loss(x, t) end, smooth_l1_beta = function() return nn.smooth_l1_loss(x, t, {beta = 0.3}) end,
  smooth_l1_zero = function() return nn.smooth_l1_loss(x, t, {beta = 0}) end,
  berhu = function() return nn.berhu_loss(x, t) end, berhu_mask = function() return nn.berhu_loss(x, t, {mask = m}) end,
  silog = function() return nn.silog_loss(x + 3, t + 0.5) end, silog_root = function() return nn.silog_loss(x + 3, t + 0.5, {lambda = 0.85, root = true, mask = m}) end,
}
for name, f in pairs(losses) do assert(golden[name], name .. ": no golden numbers") end
for name, wanted in pairs(golden) do
  local function check(value, gradient, how)
    local got = {value:item(), gradient:abs():sum():item(), gradient[1][2][3][4]}
    for i = 1, 3 do
      assert(math.abs(got[i] - wanted[i]) <= 2e-5 * math.max(1, math.abs(wanted[i])), ("%s %s: expected %s, got %s"):format(name, how, table.concat(wanted, " "), table.concat(got, " ")))
    end
  end
  local value = losses[name]()
  check(value, tensor.grad(value, {x})[1], "at once")
  local step = trellis.compile(function(unused) local value = losses[name]() return value, tensor.grad(value, {x})[1] end)
  for i = 1, 2 do
    local value, gradient = step(m)
    check(value, gradient, "as a plan")
  end
end

-- What a mask leaves out may be anything; where nothing counts the loss is 0, its derivative too.
local bad = tensor.from{1, 0 / 0, 1 / 0}
local some, few = tensor.from{1, 0, 0}, tensor.from({1, 2, 3}, {requires_grad = true})
for name, f in pairs{l1 = nn.l1_loss, mse = nn.mse_loss, smooth = nn.smooth_l1_loss, berhu = nn.berhu_loss, silog = nn.silog_loss, bce = nn.bce_with_logits} do
  local value = f(few, bad, {mask = some})
  local gradient = tensor.grad(value, {few})[1]
  assert(value:item() == value:item() and gradient[2] == 0 and gradient[3] == 0, name)
end
local nowhere = tensor.full({N, H, W}, 255, {dtype = "int32"})
for _, f in ipairs{nn.focal_loss, nn.ohem_loss, nn.lovasz_loss, nn.dice_loss} do
  local value = f(x, nowhere)
  near(value, 0)
  near(tensor.grad(value, {x})[1]:abs():sum(), 0)
end
-- Derivatives are there where logits are 0.
local zero = tensor.zeros(2, {requires_grad = true})
near(tensor.grad(nn.bce_with_logits(zero, tensor.ones(2)), {zero})[1][1], -0.25)

fails("shape [2] expected, got [3]", function() nn.smooth_l1_loss(tensor.zeros(2), tensor.zeros(3)) end)
fails("expected logits [N, C, ...] and int32 labels [N, ...]", function() nn.dice_loss(x, t) end)
fails("'alpha': this is for float32 targets", function() nn.focal_loss(x, y, {alpha = 0.3}) end)
fails("more than 0 and at most 1 expected", function() nn.ohem_loss(x, y, {share = 2}) end)
fails("expected 4 weights", function() nn.focal_loss(x, y, {weights = tensor.ones(3)}) end)
