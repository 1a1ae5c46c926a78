/// Windows of one size over an image, overlapping, the last ones flush with its edges.
struct SlidingWindow: Equatable, Sendable {
    /// Of each window: what was asked for, or the image where that is smaller.
    let size: Size
    /// First row of each row of windows, first column of each column.
    let rows: [Int]
    let columns: [Int]

    /// - Parameters:
    ///   - image: height and width of what is covered.
    ///   - stride: pixels between the windows, at most their size; two thirds of it when nil.
    init(_ image: Size, window: Size, stride: Size? = nil) {
        size = Size(height: min(window.height, image.height), width: min(window.width, image.width))
        let stride = stride ?? Size(height: max(1, window.height * 2 / 3), width: max(1, window.width * 2 / 3))
        rows = SlidingWindow.starts(image.height, size.height, stride.height)
        columns = SlidingWindow.starts(image.width, size.width, stride.width)
    }

    /// Number of windows over each row of pixels, and over each column; a pixel is in their product.
    var coverage: (rows: [Int], columns: [Int]) {
        (SlidingWindow.counts(rows, size.height), SlidingWindow.counts(columns, size.width))
    }

    private static func starts(_ whole: Int, _ part: Int, _ stride: Int) -> [Int] {
        let count = (whole - part + stride - 1) / stride + 1
        return (0..<count).map { min($0 * stride, whole - part) }
    }

    private static func counts(_ starts: [Int], _ part: Int) -> [Int] {
        var counts = [Int](repeating: 0, count: (starts.last ?? 0) + part)
        for start in starts { for i in start..<start + part { counts[i] += 1 } }
        return counts
    }
}
