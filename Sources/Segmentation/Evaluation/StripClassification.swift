import Networks
import Tensors

// Labels of images whose scores do not fit into memory: windows come row by row, and scores are kept for as many rows of pixels as a window has. What
// no later window meets is decided and forgotten. The labels are those of the whole image's probabilities, bit for bit, as every pixel's scores
// are added up in the same order.

/// Rows of normalised images, as they are wanted.
struct PixelRows {
    let images: Int
    let size: Size
    /// The rows from `top` on, [images, 3, rows, W].
    let rows: (_ top: Int, _ count: Int) throws -> Tensor

    /// Those of images [N, 3, H, W].
    init(_ images: Tensor) {
        self.images = images.shape[0]
        size = Size(height: images.shape[2], width: images.shape[3])
        rows = { try images.narrow(2, $0, $1) }
    }

    /// Those of one image of bytes.
    init(_ image: Image, _ normalisation: Normalisation) {
        images = 1
        size = image.size
        rows = { try normalisation.tensor(image, rows: $0..<$0 + $1) }
    }
}

extension Segmenter {
    /// Whether labels can be found strip by strip: windows, in the image's own size. Scores of another scale meet the pixels of several rows of windows.
    func goesByStrips(_ image: Size) -> Bool {
        guard options.scales == [1], let window = options.window else { return false }
        return window.height < image.height
    }

    /// The class with the highest probability of each pixel, int32 [N, H, W] from 0.
    /// - Parameter images: normalised, [N, 3, H, W], higher than the window.
    func classifyByStrips(_ images: Tensor, _ window: Size) throws -> Tensor {
        let labels = try Tensor.full([images.shape[0], images.shape[2], images.shape[3]], int: 0)
        try strips(of: PixelRows(images), window) { top, strip in try labels.narrow(1, top, strip.shape[1]).assign(strip) }
        return labels
    }

    /// The same of one image, higher than the window, of which only the rows of a window become floats at a time.
    func classifyByStrips(_ image: Image, _ window: Size) throws -> LabelMap {
        try LabelMap(size: image.size) { line in
            try strips(of: PixelRows(image, options.normalisation), window) { top, strip in
                try LabelMap.copy(strip, height: strip.shape[1], width: image.size.width) { line(top + $0) }
            }
        }
    }

    /// Finds labels from the top down, and hands over each strip of them, int32 [N, rows, W], with its first row.
    private func strips(of source: PixelRows, _ window: Size, _ take: (_ top: Int, _ strip: Tensor) throws -> Void) throws {
        let windows = SlidingWindow(source.size, window: window, stride: options.stride)
        let looks = options.flip ? [false, true] : [false]
        var kept = [Tensor?](repeating: nil, count: looks.count)
        try GradientMode.disabled {
            for (k, top) in windows.rows.enumerated() {
                let end = k + 1 < windows.rows.count ? windows.rows[k + 1] : source.size.height
                let coverage = (rows: Array(windows.coverage.rows[top..<end]), columns: windows.coverage.columns)
                let rows = try source.rows(top, windows.size.height)
                var total: Tensor?
                for (i, isMirrored) in looks.enumerated() {
                    let look = try isMirrored ? Segmenter.mirror(rows) : rows
                    let canvas = try scores(look, windows, behind: kept[i], moved: k > 0 ? top - windows.rows[k - 1] : 0)
                    let finished = try canvas.narrow(2, 0, end - top).contiguous()
                    kept[i] = canvas
                    try Segmenter.divide(finished, by: coverage)
                    var share = try finished.softmax(1)
                    if isMirrored { share = try Segmenter.mirror(share) }
                    total = try total.map { try $0 + share } ?? share
                }
                guard let total else { continue }
                let mean = looks.count == 1 ? total : try total / Float(looks.count)
                try take(top, ClassScores.classes(of: mean))
            }
        }
    }

    /// The sums of scores of some rows, as many as a window has: those of the row of windows before (`moved` rows above), and this one's.
    private func scores(_ rows: Tensor, _ windows: SlidingWindow, behind before: Tensor?, moved: Int) throws -> Tensor {
        var canvas: Tensor?
        for left in windows.columns {
            let piece = try rows.narrow(3, left, windows.size.width).contiguous()
            let part = try plan(piece.shape, classify: false)([piece])[0]
            let target = try canvas ?? Tensor.zeros([rows.shape[0], part.shape[1], windows.size.height, rows.shape[3]])
            if canvas == nil, let before, moved < windows.size.height {
                let rows = windows.size.height - moved
                try target.narrow(2, 0, rows).assign(before.narrow(2, moved, rows))
            }
            try Segmenter.add(part, to: target, top: 0, left: left)
            canvas = target
        }
        guard let canvas else { throw DataError("expected at least one window") }
        return canvas
    }
}
