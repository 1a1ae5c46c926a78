import Kernels

/// (logits [N, C, ...], labels [N, ...], class weights [C]?) -> weighted mean over the pixels whose label is not `ignore`.
struct CrossEntropyRule: OperationRule {
    let ignore: Int32
    let weights: Bool

    var name: String { "cross_entropy" }
    var operands: OperandTypes { .labelled(1) }
    var withoutDerivative: (place: Int, name: String)? { weights ? (2, "class weights") : nil }

    func shape(_ x: [Tensor]) throws -> [Int] {
        let (logits, labels) = (x[0], x[1])
        guard logits.rank >= 2, labels.dtype == .int32, [logits.shape[0]] + logits.shape.dropFirst(2) == labels.shape else {
            throw TensorError(
                "cross_entropy",
                "logits \(Shapes.text(logits.shape)) are [N, classes, ...] and want int32 labels [N, ...], got \(labels.dtype) \(Shapes.text(labels.shape))")
        }
        if weights, x[2].shape != [logits.shape[1]] {
            throw TensorError("cross_entropy", "weights \(Shapes.text(x[2].shape)) should be one for each of \(logits.shape[1]) classes")
        }
        return []
    }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        let inputs = weights ? [x[0], x[1], g, x[2]] : [x[0], x[1], g]
        return [try Operation.crossEntropyGradient(ignore: ignore, weights: weights).apply(inputs)] + x.dropFirst().map { _ in nil }
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let (batch, classes, pixels) = (x[0].shape[0], x[0].shape[1], x[0].shape.dropFirst(2).reduce(1, *))
        let (ignore, weights) = (ignore, weights)
        return { p in
            let classWeights = weights ? UnsafePointer(p.floats(2)) : nil
            try Self.checkLabels(p.ints(1), batch, pixels, classes, ignore)
            if let classWeights { try Self.checkWeights(classWeights, classes) }
            let (loss, weight) = CrossEntropy.forward(
                batch: batch, classes: classes, pixels: pixels, logits: p.floats(0), labels: p.ints(1), weights: classWeights, ignore: ignore)
            // A batch without a pixel that counts has nothing to teach; NaN, PyTorch's answer, would destroy the weights.
            p.floats(weights ? 3 : 2)[0] = weight > 0 ? Float(loss / weight) : 0
        }
    }

    private static func checkWeights(_ weights: UnsafePointer<Float>, _ classes: Int) throws {
        guard let wrong = (0..<classes).first(where: { !(weights[$0] >= 0 && weights[$0].isFinite) }) else { return }
        throw TensorError("cross_entropy", "the weight of class \(wrong) is \(weights[wrong]); weights are finite and 0 or more")
    }

    private static func checkLabels(_ labels: UnsafePointer<Int32>, _ batch: Int, _ size: Int, _ classes: Int, _ ignore: Int32) throws {
        if let at = CrossEntropy.firstBadLabel(labels, count: batch * size, classes: classes, ignore: ignore) {
            throw TensorError(
                "cross_entropy",
                "label \(labels[at]) in image \(at / max(size, 1) + 1), pixel \(at % max(size, 1) + 1) is none of the classes 0 to \(classes - 1) nor the ignored \(ignore)")
        }
    }
}

/// (logits, labels, gradient [], class weights?).
struct CrossEntropyGradientRule: OperationRule {
    let ignore: Int32
    let weights: Bool

    var name: String { "cross_entropy_gradient" }
    var operands: OperandTypes { .labelled(1) }
    func shape(_ x: [Tensor]) throws -> [Int] { x[0].shape }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { try derivativeOfDecomposition(x, g) }

    func decomposition(_ x: [Tensor]) throws -> Tensor? {
        let (logits, labels, g) = (x[0], x[1], x[2])
        let target = try labels.oneHot(classes: logits.shape[1], axis: 1, ignore: ignore)
        let weighted = weights ? try target * x[3].channels(logits.rank) : target
        let pixel = try weighted.sum([1], keep: true)
        return try (logits.softmax(1) * pixel - weighted) * (g / pixel.sum())
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let (batch, classes, pixels) = (x[0].shape[0], x[0].shape[1], x[0].shape.dropFirst(2).reduce(1, *))
        let (ignore, weights) = (ignore, weights)
        return { p in
            let classWeights = weights ? UnsafePointer(p.floats(3)) : nil
            let total = Self.weightSum(p.ints(1), batch * pixels, ignore, classWeights)
            CrossEntropy.backward(
                batch: batch, classes: classes, pixels: pixels, logits: p.floats(0), labels: p.ints(1), weights: classWeights,
                ignore: ignore, scale: total > 0 ? Float(Double(p.floats(2)[0]) / total) : 0, output: p.floats(weights ? 4 : 3))
        }
    }

    private static func weightSum(
        _ labels: UnsafePointer<Int32>, _ count: Int, _ ignore: Int32, _ weights: UnsafePointer<Float>?
    ) -> Double {
        var total = 0.0
        for i in 0..<count where labels[i] != ignore { total += weights.map { Double($0[Int(labels[i])]) } ?? 1 }
        return total
    }
}
