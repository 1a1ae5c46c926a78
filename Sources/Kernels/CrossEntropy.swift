import KernelsV2
import KernelsV3
import KernelsV4

/// Cross entropy of logits [batch, classes, pixels] against labels [batch, pixels], in one pass without a softmax tensor.
/// Pixels whose label is `ignore` count for nothing. With class weights [classes] the mean is lossSum / weightSum, as in
/// PyTorch. Labels must be in 0 ..< classes or `ignore`: see `firstBadLabel`.
public enum CrossEntropy {
    private static let pixelsPerPiece = 512

    /// Place of the first label that is neither a class nor `ignore`.
    public static func firstBadLabel(_ labels: UnsafePointer<Int32>, count: Int, classes: Int, ignore: Int32) -> Int? {
        for i in 0..<count where labels[i] != ignore && !(labels[i] >= 0 && Int(labels[i]) < classes) { return i }
        return nil
    }

    /// Σ w·(-log softmax(logits)[label]) and Σ w over the pixels that count; w = 1 without `weights`.
    public static func forward(
        batch: Int, classes: Int, pixels: Int, logits: UnsafePointer<Float>, labels: UnsafePointer<Int32>,
        weights: UnsafePointer<Float>? = nil, ignore: Int32
    ) -> (lossSum: Double, weightSum: Double) {
        let stretches = (pixels + pixelsPerPiece - 1) / pixelsPerPiece
        let pieces = batch * stretches
        var sums = (0.0, 0.0)
        Workspace.withTemporary(Double.self, 2 * pieces) { partial in
            partial.initialize(repeating: 0, count: 2 * pieces)
            ThreadPool.run(pieces) { piece in
                let image = piece / stretches, first = piece % stretches * pixelsPerPiece
                choose(KernelsV4.addCrossEntropy, KernelsV3.addCrossEntropy, KernelsV2.addCrossEntropy)(
                    logits + image * classes * pixels, labels + image * pixels, classes, pixels, first,
                    min(first + pixelsPerPiece, pixels), weights, ignore, partial + 2 * piece)
            }
            sums = (0..<pieces).reduce((0, 0)) { ($0.0 + partial[2 * $1], $0.1 + partial[2 * $1 + 1]) }
        }
        return sums
    }

    /// output = scale·w·(softmax(logits) - [class is the label]); scale is the result's gradient, divided by weightSum for
    /// the mean.
    public static func backward(
        batch: Int, classes: Int, pixels: Int, logits: UnsafePointer<Float>, labels: UnsafePointer<Int32>,
        weights: UnsafePointer<Float>? = nil, ignore: Int32, scale: Float, output: UnsafeMutablePointer<Float>,
        accumulate: Bool = false
    ) {
        let stretches = (pixels + pixelsPerPiece - 1) / pixelsPerPiece
        ThreadPool.run(batch * stretches) { piece in
            let image = piece / stretches, first = piece % stretches * pixelsPerPiece
            let at = image * classes * pixels
            choose(KernelsV4.crossEntropyGradient, KernelsV3.crossEntropyGradient, KernelsV2.crossEntropyGradient)(
                logits + at, labels + image * pixels, classes, pixels, first, min(first + pixelsPerPiece, pixels), weights,
                ignore, scale, output + at, accumulate)
        }
    }
}
