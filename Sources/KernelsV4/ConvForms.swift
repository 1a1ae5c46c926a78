import CKernels

// Which form a pass takes, in inference and in training: decided by the shape alone, by estimates in vectors of products (two of them take a cycle).

/// 2: Winograd's; 1: panels; 0: that of `denseForward`. In inference, of one group.
public func inferenceForm(_ s: trellis_conv, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>) -> Int {
    var (form, cost) = (0, directCost(s))
    if let wide = wideCost(s) { (form, cost) = (1, wide) }
    if s.kernelHeight * s.kernelWidth > 1, let grid = gridForward(s, x, y) {
        // Pixel by pixel nothing is spent on padding: small planes under wide atrous kernels.
        let pixels = pixelCost(grid)
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

/// Whether Winograd's form of the weight gradient is faster than that of `denseWeightGradient`: products, transforms of tiles and turns of their factors, and sums
/// that become kernels, beside the products of the direct form.
///
/// Fitted to 15 shapes, 8 to 304 channels on planes of 11 to 81, on a busy Sapphire Rapids (AVX-512), most of them within 20 %. 1.8 to 2.2 times as fast from 304 to 256
/// channels on 33x33 and 65x65, half as fast from 32 to 32 on 41x41.
public func winogradWeightPays(_ s: trellis_conv) -> Bool {
    if s.inChannels < 16 || s.outChannels < 16 { return false }
    let grid = TileGrid(s), tiles = grid.rows * grid.columns
    let rows = ceilDivide(s.outChannels, tileRows) * tileRows, panels = ceilDivide(s.inChannels, tileWidth) * tileVectors
    let cost = points * tiles * rows * panels + (270 * tiles + 1770 * grid.rows) * (s.inChannels + s.outChannels) + 300 * s.inChannels * s.outChannels
    let direct = s.batch * ceilDivide(s.outHeight * (s.outWidth + s.padWidth), lanes) * s.outChannels * s.inChannels * s.kernelHeight * s.kernelWidth
    return direct > cost
}

/// nil where the convolution has no such form.
private func winogradCost(_ s: trellis_conv) -> Int? {
    guard s.kernelHeight == s.kernelWidth, s.kernelHeight == 3 || s.kernelHeight == 5, s.strideHeight == 1, s.strideWidth == 1, s.inChannels >= 8,
        s.outChannels >= 2 * tileRows
    else { return nil }
    let grid = TileGrid(s)
    let tiles = ceilDivide(grid.rows * grid.columns, tileWidth) * tileVectors, rows = ceilDivide(s.outChannels, tileRows) * tileRows
    // Copies and transforms beside the products: some 130 cycles for a tile of a channel, and weights to transform.
    return tiles * (points * s.inChannels * rows + (s.inChannels + s.outChannels) * 260 * lanes) + s.inChannels * rows * 120
}

/// Whether Winograd's form is faster than that of `denseForward` where results are wanted as they are, in training.
///
/// Both costs were fitted to 28 shapes of a search step, forward and back, 8 to 320 channels on planes of 11 to 81, on two cores of a Sapphire Rapids
/// (AVX-512, and with AVX2 alone): seven of eight are predicted within 20 %. Between the forms: 2.1 times as fast for 5x5 at rate 2 from 16 to 80
/// channels on 41x41 (465 GFLOP/s by the direct count beside 216), 1.9 for 3x3 from 32 to 32 on 65x65; 0.4 from 64 to 320 on 11x11, where as many
/// weights are transformed as there are products.
public func winogradPays(_ s: trellis_conv) -> Bool {
    if s.inChannels < 8 || s.outChannels < 8 { return false }
    #if KernelsV4
    let (way, wayBack, packing, copying, storing) = (68, 28, 520, 20, 18)
    #else
    let (way, wayBack, packing, copying, storing) = (246, 72, 568, 30, 12)
    #endif
    let grid = TileGrid(s), rows = ceilDivide(s.outChannels, tileRows) * tileRows
    let tiles = ceilDivide(grid.rows * grid.columns, tileWidth) * tileVectors
    let cost = tiles * (2 * points * s.inChannels * rows + (way * s.inChannels + wayBack * s.outChannels) * lanes) + packing * s.inChannels * rows
    let positions = s.batch * ceilDivide(s.outHeight * (s.outWidth + s.padWidth), lanes)
    let direct = positions * (s.outChannels * s.inChannels * s.kernelHeight * s.kernelWidth + copying * s.inChannels + storing * s.outChannels)
    return 7 * direct > 8 * cost
}
