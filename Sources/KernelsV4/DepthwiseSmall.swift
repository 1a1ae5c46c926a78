import CKernels

// Depthwise convolution of planes that are small beside a vector or the kernel: lanes are channels. Which pixel meets which through
// which tap is listed once a call; then every result is the sum of its list's products, for four units (a vector of channels of one
// image) at a time. Nothing is spent on padding: a 5x5 kernel on planes of 2x2 has 16 products a channel, where planes padded to the
// vector's width took 150 multiply-adds of whole vectors a channel.

/// Products that make up each result: first[i] and second[i] for starts[r] ..< starts[r + 1], in floats from one place to the next.
private struct ProductList {
    var starts, first, second: UnsafeMutablePointer<Int32>
    var results = 0, count = 0

    init(_ memory: UnsafeMutablePointer<Float>, _ results: Int, _ products: Int) {
        starts = UnsafeMutableRawPointer(memory).assumingMemoryBound(to: Int32.self)
        first = starts + results + 1
        second = first + products
        starts[0] = 0
    }

    static func room(_ results: Int, _ products: Int) -> Int { results + 1 + 2 * products }

    @inline(always) mutating func append(_ a: Int, _ b: Int) {
        first[count] = Int32(truncatingIfNeeded: a * groupLanes)
        second[count] = Int32(truncatingIfNeeded: b * groupLanes)
        count += 1
    }

    @inline(always) mutating func close() {
        results += 1
        starts[results] = Int32(truncatingIfNeeded: count)
    }
}

private enum SmallPass { case forward, input, weight }

/// Units of a group, and their lanes.
@inline(always) private var groupUnits: Int { 4 }
@inline(always) private var groupLanes: Int { groupUnits * lanes }

/// Pairs of pixels of one axis that meet.
private func meetings(_ grid: Int, _ size: Int, _ kernel: Int, _ stride: Int, _ pad: Int, _ dilation: Int) -> Int {
    var count = 0
    for k in 0..<kernel {
        for o in 0..<grid {
            let i = o * stride - pad + k * dilation
            if i >= 0 && i < size { count += 1 }
        }
    }
    return count
}

@inline(always) private func productCount(_ s: trellis_conv) -> Int {
    meetings(s.outHeight, s.inHeight, s.kernelHeight, s.strideHeight, s.padHeight, s.dilationHeight)
        * meetings(s.outWidth, s.inWidth, s.kernelWidth, s.strideWidth, s.padWidth, s.dilationWidth)
}

/// Whether this form is the cheaper one. Larger planes are not asked about.
func isSmall(_ s: trellis_conv) -> Bool {
    let area = s.outHeight * s.outWidth, inArea = s.inHeight * s.inWidth, kernel = s.kernelHeight * s.kernelWidth
    if area > 144 || inArea > 144 || kernel > 49 { return false }
    let products = productCount(s), units = ceilDivide(s.inChannels, lanes) * s.batch
    // Cycles of this form, and of padded planes six rows by a vector at a time.
    let small = units * (products * 5 / 4 + 5 * (area + inArea + kernel) + 100) + 5 * products
    let strips = s.dilationHeight * ceilDivide(ceilDivide(s.outHeight, s.dilationHeight), 6) * ceilDivide(s.outWidth, lanes)
    let planes = s.batch * s.inChannels * (strips * (4 * kernel + 30) + 90)
    return small < planes
}

private func list(_ s: trellis_conv, _ pass: SmallPass) -> ProductList? {
    let kernel = s.kernelHeight * s.kernelWidth, products = productCount(s)
    let results = pass == .forward ? s.outHeight * s.outWidth : pass == .input ? s.inHeight * s.inWidth : kernel
    guard let memory = scratch(4, ProductList.room(results, products)) else { return nil }
    var list = ProductList(memory, results, products)
    switch pass {
    case .forward:
        for y in 0..<s.outHeight {
            for x in 0..<s.outWidth {
                for ky in 0..<s.kernelHeight {
                    let row = y * s.strideHeight - s.padHeight + ky * s.dilationHeight
                    guard row >= 0 && row < s.inHeight else { continue }
                    for kx in 0..<s.kernelWidth {
                        let column = x * s.strideWidth - s.padWidth + kx * s.dilationWidth
                        if column >= 0 && column < s.inWidth { list.append(row * s.inWidth + column, ky * s.kernelWidth + kx) }
                    }
                }
                list.close()
            }
        }
    case .input:
        for y in 0..<s.inHeight {
            for x in 0..<s.inWidth {
                for ky in 0..<s.kernelHeight {
                    guard let row = source(y + s.padHeight - ky * s.dilationHeight, s.strideHeight, s.outHeight) else { continue }
                    for kx in 0..<s.kernelWidth {
                        guard let column = source(x + s.padWidth - kx * s.dilationWidth, s.strideWidth, s.outWidth) else { continue }
                        list.append(row * s.outWidth + column, ky * s.kernelWidth + kx)
                    }
                }
                list.close()
            }
        }
    case .weight:
        for ky in 0..<s.kernelHeight {
            for kx in 0..<s.kernelWidth {
                for y in 0..<s.outHeight {
                    let row = y * s.strideHeight - s.padHeight + ky * s.dilationHeight
                    guard row >= 0 && row < s.inHeight else { continue }
                    for x in 0..<s.outWidth {
                        let column = x * s.strideWidth - s.padWidth + kx * s.dilationWidth
                        if column >= 0 && column < s.inWidth { list.append(row * s.inWidth + column, y * s.outWidth + x) }
                    }
                }
                list.close()
            }
        }
    }
    return list
}

/// The output place that stands `r` before its first tap, if there is one.
@inline(always) private func source(_ r: Int, _ stride: Int, _ size: Int) -> Int? {
    if r < 0 { return nil }
    if stride == 1 { return r < size ? r : nil }
    let q = r / stride
    return q * stride == r && q < size ? q : nil
}

/// result = start + Σ a·b over each result's list.
@inline(never)
private func sumLists(
    _ list: ProductList, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ start: UnsafePointer<Float>,
    _ result: UnsafeMutablePointer<Float>
) {
    let s0 = load(start), s1 = load(start + lanes), s2 = load(start + 2 * lanes), s3 = load(start + 3 * lanes)
    var to = result, i = 0
    for r in 0..<list.results {
        let end = Int(list.starts[r + 1])
        var v0 = s0, v1 = s1, v2 = s2, v3 = s3
        while i < end {
            let p = a + Int(list.first[i]), q = b + Int(list.second[i])
            v0 = fma(v0, load(p), load(q))
            v1 = fma(v1, load(p + lanes), load(q + lanes))
            v2 = fma(v2, load(p + 2 * lanes), load(q + 2 * lanes))
            v3 = fma(v3, load(p + 3 * lanes), load(q + 3 * lanes))
            i += 1
        }
        store(to, v0)
        store(to + lanes, v1)
        store(to + 2 * lanes, v2)
        store(to + 3 * lanes, v3)
        to += groupLanes
    }
}

/// Up to `groupUnits` units: of channel chunk u / batch, image u % batch.
private struct Units {
    let s: trellis_conv
    let first, count: Int

    @inline(always) func each(_ body: (_ place: Int, _ image: Int, _ channel: Int, _ channels: Int) -> Void) {
        for i in 0..<count {
            let chunk = (first + i) / s.batch
            body(i * lanes, (first + i) % s.batch, chunk * lanes, smaller(lanes, s.inChannels - chunk * lanes))
        }
    }

    /// Planes of `size` elements into [pixel][lane of the group].
    func gather(_ x: UnsafePointer<Float>, _ batchStride: Int, _ size: Int, _ relu: Bool, _ to: UnsafeMutablePointer<Float>) {
        each { place, image, channel, channels in
            if channels < lanes { for p in 0..<size { store(to + p * groupLanes + place, V.zero) } }
            transpose(x + image * batchStride + channel * size, size, channels, size, to + place, groupLanes)
        }
        if relu { copyRow(to, to, size * groupLanes, true) }
    }

    /// The inverse: into planes, or added to them; zero where `mask` is not positive.
    func scatter(
        _ from: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ batchStride: Int, _ size: Int, _ mask: UnsafePointer<Float>?,
        _ accumulate: Bool, _ turned: UnsafeMutablePointer<Float>
    ) {
        each { place, image, channel, channels in
            let offset = image * batchStride + channel * size
            if mask == nil && !accumulate {
                transpose(from + place, groupLanes, size, channels, y + offset, size)
            } else {
                transpose(from + place, groupLanes, size, channels, turned, size)
                deliverRow(turned, y, mask, accumulate, 1, offset, channels * size)
            }
        }
    }
}

/// How the units are cut into pieces of work: all images of a channel are in one piece, one after another.
private struct UnitCut {
    let s: trellis_conv
    /// Channel chunks of all, of a group, and of a piece.
    let chunks, together, each: Int

    init(_ s: trellis_conv, _ products: Int) {
        self.s = s
        chunks = ceilDivide(s.inChannels, lanes)
        together = larger(1, groupUnits / s.batch)
        let work = larger(1, products * groupLanes * ceilDivide(together * s.batch, groupUnits))
        each = together * larger(1, pieceWork / 8 / work)
    }

    var pieces: Int { ceilDivide(chunks, each) }

    @inline(always) func groups(_ piece: Int, _ body: (Units) -> Void) {
        let end = smaller(chunks, (piece + 1) * each)
        var chunk = piece * each
        while chunk < end {
            let last = smaller(end, chunk + together)
            var unit = chunk * s.batch
            while unit < last * s.batch {
                body(Units(s: s, first: unit, count: smaller(groupUnits, last * s.batch - unit)))
                unit += groupUnits
            }
            chunk = last
        }
    }
}

func smallForward(
    _ s: trellis_conv, _ x: UnsafePointer<Float>, _ w: UnsafePointer<Float>, _ bias: UnsafePointer<Float>?,
    _ y: UnsafeMutablePointer<Float>, _ relu: Bool, _ accumulate: Bool, _ parallel: Parallel
) {
    guard let products = list(s, .forward) else { return }
    let kernel = s.kernelHeight * s.kernelWidth
    let inPlane = s.inHeight * s.inWidth, outPlane = s.outHeight * s.outWidth
    let cut = UnitCut(s, products.count)
    parallel(cut.pieces) { piece in
        guard let own = scratch(7, (inPlane + kernel + 2 * outPlane + 2) * groupLanes) else { return }
        let weights = own + inPlane * groupLanes, result = weights + kernel * groupLanes
        let start = result + outPlane * groupLanes, turned = start + groupLanes
        clear(start, groupLanes)
        cut.groups(piece) { units in
            units.gather(x, s.inBatchStride, inPlane, relu, own)
            units.gather(w, 0, kernel, false, weights)
            if let bias { units.gather(bias, 0, 1, false, start) }
            sumLists(products, own, weights, start, result)
            units.scatter(result, y, s.outBatchStride, outPlane, nil, accumulate, turned)
        }
    }
}

func smallInputGradient(
    _ s: trellis_conv, _ g: UnsafePointer<Float>, _ w: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>,
    _ mask: UnsafePointer<Float>?, _ accumulate: Bool, _ parallel: Parallel
) {
    guard let products = list(s, .input) else { return }
    let kernel = s.kernelHeight * s.kernelWidth
    let inPlane = s.inHeight * s.inWidth, outPlane = s.outHeight * s.outWidth
    let cut = UnitCut(s, products.count)
    parallel(cut.pieces) { piece in
        guard let own = scratch(7, (outPlane + kernel + 2 * inPlane + 2) * groupLanes) else { return }
        let weights = own + outPlane * groupLanes, result = weights + kernel * groupLanes
        let start = result + inPlane * groupLanes, turned = start + groupLanes
        clear(start, groupLanes)
        cut.groups(piece) { units in
            units.gather(g, s.outBatchStride, outPlane, false, own)
            units.gather(w, 0, kernel, false, weights)
            sumLists(products, own, weights, start, result)
            units.scatter(result, dx, s.inBatchStride, inPlane, mask, accumulate, turned)
        }
    }
}

func smallWeightGradient(
    _ s: trellis_conv, _ x: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ dw: UnsafeMutablePointer<Float>,
    _ relu: Bool, _ accumulate: Bool, _ parallel: Parallel
) {
    guard let products = list(s, .weight) else { return }
    let kernel = s.kernelHeight * s.kernelWidth
    let inPlane = s.inHeight * s.inWidth, outPlane = s.outHeight * s.outWidth
    let cut = UnitCut(s, products.count)
    parallel(cut.pieces) { piece in
        guard let own = scratch(7, (inPlane + outPlane + kernel + 1) * groupLanes + kernel * lanes) else { return }
        let gradient = own + inPlane * groupLanes, result = gradient + outPlane * groupLanes
        let start = result + kernel * groupLanes, turned = start + groupLanes
        clear(start, groupLanes)
        cut.groups(piece) { units in
            units.gather(x, s.inBatchStride, inPlane, relu, own)
            units.gather(g, s.outBatchStride, outPlane, false, gradient)
            sumLists(products, own, gradient, start, result)
            // The first image of a channel writes, the others add.
            units.each { place, image, channel, channels in
                transpose(result + place, groupLanes, kernel, channels, turned, kernel)
                deliverRow(turned, dw, nil, accumulate || image > 0, 1, channel * kernel, channels * kernel)
            }
        }
    }
}
