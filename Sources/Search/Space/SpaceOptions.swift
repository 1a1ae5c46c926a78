/// What the paper leaves open about the supernet, with the design's choices as defaults (search-space.md, "[choice]").
///
/// Dense or depthwise atrous convolutions are no option here: the operator's name decides (`atrous_conv_*` or `dil_conv_*`).
public struct SpaceOptions: Hashable, Sendable {
    public enum Stem: String, CaseIterable, Sendable {
        /// Two convolutions, each halves.
        case two
        /// A convolution that does not halve stands before the last.
        case three
    }

    public enum Down: String, CaseIterable, Sendable {
        /// ReLU, convolution of stride 2, BN (paper, section 3.2).
        case conv
        /// Bilinear resize, ReLU, 1x1 convolution, BN.
        case bilinear
    }

    public enum OperatorSets: String, CaseIterable, Sendable {
        /// A node has one set of operator weights, used for each of its incoming arrows.
        case node
        /// Every incoming arrow has its own: about 2.3 times the weights at the paper's size.
        case arrow
    }

    public var stem = Stem.two
    /// Channels inside the stem; nil for half of its output, F·B/2 (rounded down, at least 1).
    public var stemWidth: Int?
    public var down = Down.conv
    /// Kernel of the stride-2 convolution of a down arrow: odd, so that a size halves by ceil.
    public var downKernel = 3
    public var operatorSets = OperatorSets.node
    /// Whether the batch norms of cells and their inputs have a scale and a shift; those of stem and heads always have.
    public var affine = false
    public var batchNormEpsilon: Float = 1e-5
    public var batchNormMomentum: Float = 0.1
    /// alpha and beta start as this times N(0, 1).
    public var initialDeviation: Float = 0.001
    /// The atrous rate of the head at stride s is this over s, at least 1: how far its taps look, in pixels of the image. The paper's 96 are
    /// for crops of 321; at 96 or less no tap beside the centre would meet the picture, so smaller crops want a smaller reach.
    public var headReach = SpaceOptions.publishedHeadReach
    public static let publishedHeadReach = 96
    /// Channels of a head's branches; nil for as many as its input has.
    public var headWidth: Int?

    public init() {}

    /// How far heads may look, in pixels.
    static let headReaches = 1...65_536

    func validate() throws {
        func check(_ good: Bool, _ name: String, _ expected: String, _ got: Any) throws {
            guard good else {
                throw SpaceError(
                    .size, at: "options.\(name)", expected: expected, got: "\(got)", remedy: "leave it out for the default")
            }
        }
        try check(stemWidth.map { $0 >= 1 } ?? true, "stemWidth", "at least 1", stemWidth ?? 0)
        try check(downKernel >= 1 && downKernel % 2 == 1, "downKernel", "an odd kernel", downKernel)
        try check(batchNormEpsilon > 0 && batchNormEpsilon.isFinite, "batchNormEpsilon", "above 0", batchNormEpsilon)
        try check((0...1).contains(batchNormMomentum), "batchNormMomentum", "0 to 1", batchNormMomentum)
        try check(initialDeviation >= 0 && initialDeviation.isFinite, "initialDeviation", "at least 0", initialDeviation)
        try check(SpaceOptions.headReaches.contains(headReach), "headReach", "1 to 65536", headReach)
        try check(headWidth.map { $0 >= 1 } ?? true, "headWidth", "at least 1", headWidth ?? 0)
    }
}

/// How the paper searches (section 4.1), as data; the values without a source in the paper are the design's choice.
public struct SearchRecipe: Hashable, Sendable {
    public var epochs = 40
    /// alpha and beta stay as they are for this many epochs: earlier they fall into bad local optima.
    public var architectureStart = 20
    public var batch = 2
    /// Height and width of the crops.
    public var crop = 321

    /// Weights: SGD on trainA; the rate falls from `weightRate` to `weightRateEnd` along a cosine.
    public var weightRate: Float = 0.025
    public var weightRateEnd: Float = 0.001
    public var weightMomentum: Float = 0.9
    public var weightDecay: Float = 3e-4
    /// Largest gradient norm of the weights [choice].
    public var clip: Float = 5

    /// alpha and beta: Adam on trainB, first order.
    public var architectureRate: Float = 3e-3
    public var architectureDecay: Float = 1e-3
    /// [choice]; DARTS has 0.5 for the first.
    public var architectureBeta1: Float = 0.9
    public var architectureBeta2: Float = 0.999

    /// The share of the training images in trainA.
    public var weightShare: Double = 0.5

    public init() {}
}
