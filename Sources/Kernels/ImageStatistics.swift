import CKernels
import KernelsV2
import KernelsV3
import KernelsV4

/// What `StackedNormalisation` takes from whole batches, image by image: each image leaves numbers in double, which are put together in the images' order
/// at last.
public enum ImageStatistics {
    public typealias Input = UnsafePointer<Float>

    /// Of each of `channels` planes of `size` elements: their number, mean and sum of squared deviations, three numbers a channel.
    public static func moments(channels: Int, size: Int, _ x: Input, _ states: UnsafeMutablePointer<Double>) {
        let add = choose(KernelsV4.addMoments, KernelsV3.addMoments, KernelsV2.addMoments)
        states.update(repeating: 0, count: 3 * channels)
        for channel in 0..<channels { add(x + channel * size, size, states + 3 * channel) }
    }

    /// `moments` [groups, 2, channels] of `groups` batches of `samples` images: mean and biased variance.
    public static func combineMoments(
        groups: Int, samples: Int, channels: Int, _ states: UnsafePointer<Double>, _ moments: UnsafeMutablePointer<Float>
    ) {
        withUnsafeTemporaryAllocation(of: Double.self, capacity: 3) { all in
            guard let all = all.baseAddress else { return }
            for group in 0..<groups {
                for channel in 0..<channels {
                    all.update(repeating: 0, count: 3)
                    for image in group * samples..<(group + 1) * samples {
                        let part = states + 3 * (image * channels + channel)
                        KernelsV2.combineMoments(all, part[0], part[1], part[2])
                    }
                    let means = moments + 2 * group * channels
                    putMoments(all, channel, means, means + channels)
                }
            }
        }
    }

    /// Of each plane: Σ g and Σ g·(x - mean), two numbers a channel.
    public static func gradientSums(channels: Int, size: Int, _ x: Input, _ g: Input, mean: Input, _ sums: UnsafeMutablePointer<Double>) {
        let add = choose(KernelsV4.addGradientSums, KernelsV3.addGradientSums, KernelsV2.addGradientSums)
        sums.update(repeating: 0, count: 2 * channels)
        for channel in 0..<channels { add(x + channel * size, g + channel * size, size, mean[channel], sums + 2 * channel) }
    }

    /// `output` [groups, 2, channels]: Σ g and Σ g·x̂, with the variances of `moments` [groups, 2, channels].
    public static func combineSums(
        groups: Int, samples: Int, channels: Int, _ sums: UnsafePointer<Double>, moments: Input, epsilon: Float, _ output: UnsafeMutablePointer<Float>
    ) {
        for group in 0..<groups {
            for channel in 0..<channels {
                var (total, product) = (0.0, 0.0)
                for image in group * samples..<(group + 1) * samples {
                    total += sums[2 * (image * channels + channel)]
                    product += sums[2 * (image * channels + channel) + 1]
                }
                let at = 2 * group * channels + channel
                output[at] = Float(total)
                output[at + channels] = Float(product * inverseDeviation(moments[at + channels], epsilon))
            }
        }
    }
}
