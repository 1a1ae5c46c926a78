import Networks

extension TrellisSpace {
    /// The stem as one module: images [N, 3, H, W] to [N, channels, H / stride, W / stride], sizes rounded up.
    /// - Parameters:
    ///   - stride: a power of two.
    ///   - width: channels inside; nil for half of those that it gives.
    public static func stemModule(
        channels: Int, stride: Int, _ stem: SpaceOptions.Stem, width: Int?, epsilon: Float, momentum: Float
    ) throws -> Module {
        Sequential(
            try self.stem(stride: stride, channels: channels, stem, width: width).map {
                try ConvNormReLU($0.inChannels, $0.outChannels, kernel: 3, stride: $0.stride, epsilon: epsilon, momentum: momentum)
            })
    }
}
