import Networks
import Tensors
@testable import Segmentation

/// Samples that are given, for tests.
struct Pictures: DataSet {
    let samples: [Sample]
    let name = "pictures"
    let classes: [ClassInfo]
    var count: Int { samples.count }

    init(_ samples: [Sample], classes: Int) {
        self.samples = samples
        self.classes = ClassInfo.numbered(classes)
    }

    func source(_ index: Int) -> String { "picture \(index)" }
    func size(_ index: Int) throws -> Size { samples[index].image.size }
    func sample(_ index: Int) throws -> Sample { samples[index] }

    /// A picture whose pixels have the colours of classes 0 (red), 1 (green), 2 (blue), and labels of their own.
    static func sample(_ size: Size, colours: [Int], labels: [UInt16]) -> Sample {
        let pixels = colours.flatMap { colour in (0..<3).map { UInt8($0 == colour ? 255 : 0) } }
        return Sample(image: Image(size: size, pixels: pixels), labels: LabelMap(size: size, values: labels))
    }

    /// Uneven scenes from a seed.
    static func noise(_ sizes: [Size], classes: Int, seed: UInt64) -> Pictures {
        var draw = Draw(seed: seed)
        return Pictures(
            sizes.map { size in
                let labels = (0..<size.count).map { _ in draw.chance(0.2) ? LabelMap.ignore : UInt16(draw.below(classes)) }
                let pixels = (0..<size.count * 3).map { _ in UInt8(draw.below(256)) }
                return Sample(image: Image(size: size, pixels: pixels), labels: LabelMap(size: size, values: labels))
            }, classes: classes)
    }
}

/// Networks whose answers are known.
enum Nets {
    /// The class of a pixel is its strongest colour: a 1x1 convolution with the identity, sharpened.
    static func colours() throws -> Module {
        let layer = try Conv2d(3, 3, kernel: (1, 1), bias: false)
        try GradientMode.disabled { try layer.weight.assign(Tensor([8, 0, 0, 0, 8, 0, 0, 0, 8], shape: [3, 3, 1, 1])) }
        return layer
    }

    /// Scores that depend on what is around a pixel, and not alike on both sides; one row and column less at each edge.
    static func uneven(_ classes: Int, seed: UInt64 = 3) throws -> Module {
        let random = RandomState(seed: seed)
        return Sequential([try Conv2d(3, classes, kernel: (3, 3), random: random), Layer.activation(.tanh)])
    }

    /// Two convolutions without a norm, at half the size.
    static func plain(_ classes: Int, seed: UInt64 = 4) throws -> Module {
        let random = RandomState(seed: seed)
        return Sequential([
            try Conv2d(3, 6, kernel: (3, 3), stride: (2, 2), padding: (1, 1), random: random), Layer.relu(),
            try Conv2d(6, classes, kernel: (1, 1), random: random),
        ])
    }

    /// With batch norm and dropout.
    static func full(_ classes: Int, seed: UInt64 = 5) throws -> Module {
        let random = RandomState(seed: seed)
        return Sequential([
            try Conv2d(3, 6, kernel: (3, 3), padding: (1, 1), bias: false, random: random), try BatchNorm(6), Layer.relu(), try Layer.dropout(0.5),
            try Conv2d(6, classes, kernel: (1, 1), random: random),
        ])
    }
}
