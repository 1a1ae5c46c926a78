import Tensors

// Labels of images whose scores do not fit into memory: windows come row by row, and scores are kept for as many rows of pixels as a window has. What
// no later window meets is decided and forgotten. The labels are those of the whole image's probabilities, bit for bit, as every pixel's scores
// are added up in the same order.

extension Segmenter {
    /// Whether labels can be found strip by strip: windows, in the image's own size. Scores of another scale meet the pixels of several rows of windows.
    func goesByStrips(_ image: Size) -> Bool {
        guard options.scales == [1], let window = options.window else { return false }
        return window.height < image.height
    }

    /// The class with the highest probability of each pixel, int32 [N, H, W] from 0.
    /// - Parameter images: normalised, [N, 3, H, W], higher than the window.
    func classifyByStrips(_ images: Tensor, _ window: Size) throws -> Tensor {
        let size = Size(height: images.shape[2], width: images.shape[3]), windows = SlidingWindow(size, window: window, stride: options.stride)
        let looks = options.flip ? [images, try Segmenter.mirror(images)] : [images]
        var kept = [Tensor?](repeating: nil, count: looks.count)
        let labels = try Tensor.full([images.shape[0], size.height, size.width], int: 0)
        for (k, top) in windows.rows.enumerated() {
            let end = k + 1 < windows.rows.count ? windows.rows[k + 1] : size.height
            let coverage = (rows: Array(windows.coverage.rows[top..<end]), columns: windows.coverage.columns)
            var total: Tensor?
            for (i, look) in looks.enumerated() {
                let canvas = try scores(look, of: windows, from: top, behind: kept[i], moved: k > 0 ? top - windows.rows[k - 1] : 0)
                let finished = try canvas.narrow(2, 0, end - top).contiguous()
                kept[i] = canvas
                try Segmenter.divide(finished, by: coverage)
                var share = try finished.softmax(1)
                if i > 0 { share = try Segmenter.mirror(share) }
                total = try total.map { try $0 + share } ?? share
            }
            guard let total else { continue }
            let mean = looks.count == 1 ? total : try total / Float(looks.count)
            let strip = try mean.argmax(1).reshape([labels.shape[0], end - top, size.width])
            try labels.narrow(1, top, end - top).assign(strip)
        }
        return labels
    }

    /// The sums of scores of the rows from `top` on, as many as a window has: those of the row of windows before (`moved` rows above), and this one's.
    private func scores(_ images: Tensor, of windows: SlidingWindow, from top: Int, behind before: Tensor?, moved: Int) throws -> Tensor {
        var canvas: Tensor?
        for left in windows.columns {
            let piece = try images.narrow(2, top, windows.size.height).narrow(3, left, windows.size.width).contiguous()
            let part = try plan(piece.shape, classify: false)([piece])[0]
            let target = try canvas ?? Tensor.zeros([images.shape[0], part.shape[1], windows.size.height, images.shape[3]])
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
