import CKernels

// Which form an inference pass takes: decided by the shape alone, by estimates in vectors of products (two of them take a cycle).

/// 2: Winograd's; 1: panels; 0: that of `denseForward`. Of one group.
public func inferenceForm(_ s: trellis_conv, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>) -> Int {
    var (form, cost) = (0, directCost(s))
    if let wide = wideCost(s) { (form, cost) = (1, wide) }
    if s.kernelHeight * s.kernelWidth > 1 {
        // Pixel by pixel nothing is spent on padding: small planes under wide atrous kernels.
        let pixels = pixelCost(gridForward(s, x, y))
        if pixels < cost { (form, cost) = (0, pixels) }
    }
    if let winograd = winogradCost(s), winograd < cost { form = 2 }
    return form
}

/// nil where there are too few rows to use a panel often, or too few products to fill one.
private func wideCost(_ s: trellis_conv) -> Int? {
    let positions = s.outHeight * s.outWidth, products = s.inChannels * s.kernelHeight * s.kernelWidth
    guard s.outChannels >= 4 * tileRows, products >= 24, positions >= tileWidth else { return nil }
    let tiles = s.batch * ceilDivide(positions, tileWidth), blocks = ceilDivide(s.outChannels, tileRows)
    let chunks = ceilDivide(products, 256)
    return tiles * tileVectors * (liveTaps(s) * s.inChannels * (blocks * tileRows + 2) + 4 * chunks * blocks * tileRows)
}

/// The direct form's products alone.
private func directCost(_ s: trellis_conv) -> Int {
    s.batch * ceilDivide(s.outHeight * s.outWidth, lanes) * s.outChannels * s.inChannels * s.kernelHeight * s.kernelWidth
}

/// Kernel rows that meet the source, for an average row of the output, times kernel columns.
private func liveTaps(_ s: trellis_conv) -> Int {
    var rows = 0
    for k in 0..<s.kernelHeight {
        let offset = k * s.dilationHeight - s.padHeight
        let first = offset < 0 ? ceilDivide(-offset, s.strideHeight) : 0
        rows += larger(0, smaller(s.outHeight, floorDivide(s.inHeight - 1 - offset, s.strideHeight) + 1) - first)
    }
    return larger(1, rows * s.kernelWidth / s.outHeight)
}

/// nil where the convolution has no such form.
private func winogradCost(_ s: trellis_conv) -> Int? {
    guard s.kernelHeight == s.kernelWidth, s.kernelHeight == 3 || s.kernelHeight == 5, s.strideHeight == 1, s.strideWidth == 1, s.inChannels >= 8,
        s.outChannels >= 2 * tileRows
    else { return nil }
    let grid = TileGrid(s)
    let tiles = ceilDivide(grid.tiles, tileWidth) * tileVectors, rows = ceilDivide(s.outChannels, tileRows) * tileRows
    // Copies and transforms beside the products: some 130 cycles for a tile of a channel, and weights to transform.
    return tiles * (points * s.inChannels * rows + (s.inChannels + s.outChannels) * 260 * lanes) + s.inChannels * rows * 120
}
