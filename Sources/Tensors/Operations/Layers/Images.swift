/// What operations on images [N, C, H, W] have in common.
enum Images {
    /// - Throws: where one of the first two inputs is none.
    static func check(_ x: [Tensor], _ name: String) throws {
        for input in x.prefix(2) where input.rank != 4 { throw TensorError(name, "expects [N, C, H, W], got \(Shapes.text(input.shape))") }
    }

    /// Images whose distance from one to the next may be any.
    static func isBatch(_ layout: TensorLayout) -> Bool { layout.isBatchContiguous && layout.shape.count == 4 }

    static func checkWindow(_ sizes: [Int], _ name: String) throws {
        if let size = sizes.first(where: { $0 > Int(Int32.max) }) { throw TensorError(name, "a window, stride, dilation or padding of \(size) is too large") }
    }

    /// Kernels copy planes with their padding; what they multiply is not checked there.
    static func checkPlanes(_ plane: (height: Int, width: Int), times count: Int, _ name: String) throws {
        guard Double(plane.height) * Double(plane.width) * Double(max(count, 1)) < 0x1p46 else {
            throw TensorError(name, "the padded planes, \(plane.height)x\(plane.width), take more memory than there is")
        }
    }

    /// [N, C, height, width] for images [N, C, H, W].
    static func resized(_ x: [Tensor], height: Int, width: Int, _ name: String) throws -> [Int] {
        try check(x, name)
        let shape = x[0].shape
        guard min(height, width, shape[2], shape[3]) > 0 else {
            throw TensorError(name, "images of \(shape[2])x\(shape[3]) to \(height)x\(width): each size should be 1 or more")
        }
        // The tables of resizing hold int32 positions.
        guard max(height, width, shape[2], shape[3]) <= Int(Int32.max) else { throw TensorError(name, "size \(height) x \(width) is too large") }
        return [shape[0], shape[1], height, width]
    }
}
