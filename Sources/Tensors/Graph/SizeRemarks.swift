/// What a recorded network makes of the size of its images: parts that are made for larger ones and do nothing here. Such parts are not
/// trained, and take part when they meet a larger image later.
extension Recording {
    /// Sentences for the user, none when all is well.
    /// - Parameters: of the images.
    public func remarks(height: Int, width: Int) -> [String] {
        let blind = modules { tensor, node in
            guard case .conv2d(let options) = node.operation else { return false }
            return Recording.isBlind(options, input: node.inputs[0].shape, kernel: node.inputs[1].shape, output: tensor.shape)
        }
        let alone = modules { tensor, node in
            guard case .batchNorm(_, batchStatistics: false, _, _) = node.operation else { return false }
            return tensor.rank == 4 && tensor.count == tensor.shape[1]
        }
        var remarks: [String] = []
        if !blind.isEmpty {
            remarks.append(
                "at \(height)x\(width) every tap but the middle one lies outside of the picture in \(Recording.list(blind)): they are never trained, and take part on "
                    + "larger images; use larger crops, fewer strides, or, where these are heads or an ASPP, a smaller head_reach in nas.trellis or "
                    + "architecture:network (0.3 of the shorter side is \(Recording.reach(height, width)))")
        }
        if !alone.isEmpty {
            remarks.append(
                "one value for each channel cannot be normalised by the batch in \(Recording.list(alone)): the running statistics, which nothing moves, are used; "
                    + "take 2 or more images at once")
        }
        return remarks
    }

    /// The share that the published 96 are of the published crops of 321.
    private static func reach(_ height: Int, _ width: Int) -> Int { max(1, min(96, Int((0.3 * Double(min(height, width))).rounded()))) }

    /// Paths of the modules with an operation as asked for, each once, in order.
    private func modules(_ isMeant: (Tensor, Node) -> Bool) -> [String] {
        var found: [String] = []
        for tensor in tensors {
            guard let node = tensor.node, isMeant(tensor, node), !found.contains(node.scope) else { continue }
            found.append(node.scope)
        }
        return found
    }

    private static func list(_ modules: [String]) -> String {
        let names = modules.map { $0.isEmpty ? "a function" : $0 }
        return names.prefix(4).joined(separator: ", ") + (names.count > 4 ? " and \(names.count - 4) more" : "")
    }

    /// Whether a kernel of several taps has only one that meets the picture.
    /// - Parameters: shapes [N, C, H, W], [out, in, height, width], [N, out, H, W].
    private static func isBlind(_ options: ConvOptions, input: [Int], kernel: [Int], output: [Int]) -> Bool {
        func taps(_ axis: Int, _ stride: Int, _ padding: Int, _ dilation: Int) -> Int {
            (0..<kernel[axis]).count(where: { tap in
                let first = tap * dilation - padding
                // Positions first, first + stride, ... of the outputs: is one of them within the picture?
                let skipped = first >= 0 ? 0 : (-first + stride - 1) / stride
                return skipped < output[axis] && first + skipped * stride < input[axis]
            })
        }
        guard kernel[2] * kernel[3] > 1 else { return false }
        return taps(2, options.strideHeight, options.padHeight, options.dilationHeight) * taps(3, options.strideWidth, options.padWidth, options.dilationWidth)
            <= 1
    }
}
