-- An operator as a user would write it, for scripts/bench search --operator: a separable 7x7 convolution, twice.
nas.operator("sep_conv_7x7", function(channels, options)
  local layers = {}
  for _, stride in ipairs{options.stride, 1} do
    layers[#layers + 1] = nn.relu()
    layers[#layers + 1] = nn.conv2d(channels, channels, {kernel = 7, stride = stride, padding = 3, groups = channels, bias = false})
    layers[#layers + 1] = nn.conv2d(channels, channels, {kernel = 1, bias = false})
    layers[#layers + 1] = nn.batch_norm(channels, {affine = options.affine})
  end
  return nn.sequential(layers)
end)
