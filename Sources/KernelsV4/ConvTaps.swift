import CKernels

// Which taps a pass has, where in packed planes they lie, and the packing of all planes.

/// The taps of one job: which kernel element, and where in the source.
struct Taps {
    var count = 0
    var perRow = 1
    /// Index of the kernel element; flat offset in packed planes; row offset of each kernel row.
    let indices: UnsafeMutablePointer<Int>
    let offsets: UnsafeMutablePointer<Int>
    let rows: UnsafeMutablePointer<Int>
    /// For each kernel element its place in the list, or -1.
    let slots: UnsafeMutablePointer<Int>

    static func room(_ kernel: Int) -> Int { 4 * kernel }

    init(_ memory: UnsafeMutablePointer<Int>, _ kernel: Int) {
        indices = memory
        offsets = memory + kernel
        rows = memory + 2 * kernel
        slots = memory + 3 * kernel
        for k in 0..<kernel { slots[k] = -1 }
    }

    @inline(always) mutating func append(_ index: Int, _ offset: Int) {
        indices[count] = index
        offsets[count] = offset
        slots[index] = count
        count += 1
    }
}

@inline(always) func floorDivide(_ a: Int, _ b: Int) -> Int { a >= 0 ? a / b : -((b - 1 - a) / b) }

/// Where kernel element `k` meets the source: residue by the stride, and offset in units of the grid.
@inline(always)
func forwardOffset(_ k: Int, _ stride: Int, _ pad: Int, _ dilation: Int) -> (phase: Int, offset: Int) {
    let r = k * dilation - pad
    let q = floorDivide(r, stride)
    return (r - q * stride, q)
}

/// Whether an element at `offset` meets any of `size` source rows from a grid of `grid` rows.
@inline(always) func meets(_ offset: Int, _ grid: Int, _ size: Int) -> Bool { offset + grid - 1 >= 0 && offset < size }

/// Rows are output channels, channels those of the input.
func weightsForward(_ s: trellis_conv, _ w: UnsafePointer<Float>, _ taps: Taps) -> WeightSource {
    let kernel = s.kernelHeight * s.kernelWidth
    return WeightSource(
        w, rows: s.outChannels, rowStride: s.inChannels * kernel, channels: s.inChannels, channelStride: kernel, kernel: kernel,
        slots: taps.slots, taps: taps.count)
}

/// Rows are input channels, channels those of the output.
func weightsBack(_ s: trellis_conv, _ w: UnsafePointer<Float>, _ taps: Taps) -> WeightSource {
    let kernel = s.kernelHeight * s.kernelWidth
    return WeightSource(
        w, rows: s.inChannels, rowStride: kernel, channels: s.outChannels, channelStride: s.inChannels * kernel, kernel: kernel,
        slots: taps.slots, taps: taps.count)
}

/// Packed planes of a strided source: `phases` planes a channel, one for each residue of row and column that a tap meets.
struct PhasePlanes {
    var layout: Planes
    var phases = 0
    /// First and number of residues used on each axis (a stride over the kernel's size leaves some out).
    var firstRow = 0, rowCount = 0, firstColumn = 0, columnCount = 0
}

/// Lists the taps of the forward pass that meet the source, and lays out the planes they need.
func gatherForward(_ s: trellis_conv, _ taps: inout Taps) -> PhasePlanes {
    let height = ceilDivide(s.inHeight, s.strideHeight), width = ceilDivide(s.inWidth, s.strideWidth)
    var minRow = Int.max, maxRow = Int.min, minColumn = Int.max, maxColumn = Int.min
    var lowRow = Int.max, highRow = -1, lowColumn = Int.max, highColumn = -1
    for k in 0..<s.kernelHeight {
        let (phase, offset) = forwardOffset(k, s.strideHeight, s.padHeight, s.dilationHeight)
        guard meets(offset, s.outHeight, height) else { continue }
        minRow = smaller(minRow, offset)
        maxRow = larger(maxRow, offset)
        lowRow = smaller(lowRow, phase)
        highRow = larger(highRow, phase)
    }
    for k in 0..<s.kernelWidth {
        let (phase, offset) = forwardOffset(k, s.strideWidth, s.padWidth, s.dilationWidth)
        guard meets(offset, s.outWidth, width) else { continue }
        minColumn = smaller(minColumn, offset)
        maxColumn = larger(maxColumn, offset)
        lowColumn = smaller(lowColumn, phase)
        highColumn = larger(highColumn, phase)
    }
    let empty = highRow < 0 || highColumn < 0
    if empty { (minRow, maxRow, minColumn, maxColumn, lowRow, highRow, lowColumn, highColumn) = (0, 0, 0, 0, 0, 0, 0, 0) }
    var planes = PhasePlanes(
        layout: Planes(
            height: height, width: width, gridHeight: s.outHeight, gridWidth: s.outWidth,
            minRow: minRow, maxRow: maxRow, minColumn: minColumn, maxColumn: maxColumn))
    planes.firstRow = lowRow
    planes.rowCount = highRow - lowRow + 1
    planes.firstColumn = lowColumn
    planes.columnCount = highColumn - lowColumn + 1
    planes.phases = planes.rowCount * planes.columnCount
    if empty { return planes }
    for ky in 0..<s.kernelHeight {
        let (rowPhase, row) = forwardOffset(ky, s.strideHeight, s.padHeight, s.dilationHeight)
        guard meets(row, s.outHeight, height) else { continue }
        var n = 0
        for kx in 0..<s.kernelWidth {
            let (columnPhase, column) = forwardOffset(kx, s.strideWidth, s.padWidth, s.dilationWidth)
            guard meets(column, s.outWidth, width) else { continue }
            let phase = (rowPhase - lowRow) * planes.columnCount + columnPhase - lowColumn
            taps.append(
                ky * s.kernelWidth + kx,
                phase * planes.layout.channelStride + planes.layout.origin + row * planes.layout.rowStride + column)
            n += 1
        }
        taps.rows[taps.count / n - 1] = row
        taps.perRow = n
    }
    return planes
}

/// Packs all images, channels and phases of the input.
func packPhases(
    _ s: trellis_conv, _ planes: PhasePlanes, _ x: UnsafePointer<Float>, _ relu: Bool, _ target: UnsafeMutablePointer<Float>,
    _ parallel: Parallel
) {
    let each = larger(1, 65536 / (planes.layout.channelStride * planes.phases))
    let count = s.batch * s.inChannels
    parallel(ceilDivide(count, each)) { piece in
        for i in piece * each..<smaller(count, (piece + 1) * each) {
            packChannel(s, planes, x, i, relu, target + i * planes.phases * planes.layout.channelStride)
        }
    }
}

/// Packs the phases of one image's channel, `i` counting channels over all images.
func packChannel(
    _ s: trellis_conv, _ planes: PhasePlanes, _ x: UnsafePointer<Float>, _ i: Int, _ relu: Bool, _ target: UnsafeMutablePointer<Float>
) {
    let source = x + i / s.inChannels * s.inBatchStride + i % s.inChannels * s.inHeight * s.inWidth
    for phase in 0..<planes.phases {
        let row = planes.firstRow + phase / planes.columnCount, column = planes.firstColumn + phase % planes.columnCount
        packPlane(
            planes.layout, source + row * s.inWidth + column, s.strideHeight * s.inWidth, s.strideWidth,
            ceilDivide(larger(0, s.inHeight - row), s.strideHeight), ceilDivide(larger(0, s.inWidth - column), s.strideWidth), relu,
            target + phase * planes.layout.channelStride)
    }
}

/// Packs all images and channels of the output's gradient.
func packGradient(
    _ s: trellis_conv, _ planes: Planes, _ g: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, _ parallel: Parallel
) {
    let outPlane = s.outHeight * s.outWidth
    let each = larger(1, 65536 / planes.channelStride)
    let count = s.batch * s.outChannels
    parallel(ceilDivide(count, each)) { piece in
        for i in piece * each..<smaller(count, (piece + 1) * each) {
            packPlane(
                planes, g + i / s.outChannels * s.outBatchStride + i % s.outChannels * outPlane, s.outWidth, 1, s.outHeight, s.outWidth,
                false, target + i * planes.channelStride)
        }
    }
}

/// Source row offset at which kernel element `k` reaches destination pixels of residue `phase`; nil when it reaches none.
@inline(always)
func gradientOffset(_ k: Int, _ phase: Int, _ stride: Int, _ pad: Int, _ dilation: Int, _ grid: Int, _ size: Int) -> Int? {
    let r = phase + pad - k * dilation
    let q = floorDivide(r, stride)
    return q * stride == r && meets(q, grid, size) ? q : nil
}

/// Planes of the output's gradient for the taps of all residues.
func layOutGradient(_ s: trellis_conv) -> Planes {
    var minRow = 0, maxRow = 0, minColumn = 0, maxColumn = 0
    let gridHeight = ceilDivide(s.inHeight, s.strideHeight), gridWidth = ceilDivide(s.inWidth, s.strideWidth)
    for phase in 0..<smaller(s.strideHeight, s.inHeight) {
        for k in 0..<s.kernelHeight {
            guard let q = gradientOffset(k, phase, s.strideHeight, s.padHeight, s.dilationHeight, gridHeight, s.outHeight) else { continue }
            minRow = smaller(minRow, q)
            maxRow = larger(maxRow, q)
        }
    }
    for phase in 0..<smaller(s.strideWidth, s.inWidth) {
        for k in 0..<s.kernelWidth {
            guard let q = gradientOffset(k, phase, s.strideWidth, s.padWidth, s.dilationWidth, gridWidth, s.outWidth) else { continue }
            minColumn = smaller(minColumn, q)
            maxColumn = larger(maxColumn, q)
        }
    }
    return Planes(
        height: s.outHeight, width: s.outWidth, gridHeight: gridHeight, gridWidth: gridWidth,
        minRow: minRow, maxRow: maxRow, minColumn: minColumn, maxColumn: maxColumn)
}

/// Lists the taps that reach destination pixels of residue (py, px).
func gatherGradient(_ s: trellis_conv, _ planes: Planes, _ py: Int, _ px: Int, _ taps: inout Taps) {
    let gridHeight = ceilDivide(s.inHeight, s.strideHeight), gridWidth = ceilDivide(s.inWidth, s.strideWidth)
    for ky in 0..<s.kernelHeight {
        guard let row = gradientOffset(ky, py, s.strideHeight, s.padHeight, s.dilationHeight, gridHeight, s.outHeight) else { continue }
        var n = 0
        for kx in 0..<s.kernelWidth {
            guard let column = gradientOffset(kx, px, s.strideWidth, s.padWidth, s.dilationWidth, gridWidth, s.outWidth) else { continue }
            taps.append(ky * s.kernelWidth + kx, planes.origin + row * planes.rowStride + column)
            n += 1
        }
        if n == 0 { return }
        taps.rows[taps.count / n - 1] = row
        taps.perRow = n
    }
}
