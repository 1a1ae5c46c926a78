import CKernels

/// The shape of a two-dimensional convolution: input `[batch, inChannels, inHeight, inWidth]`, weight
/// `[outChannels, inChannels / groups, kernelHeight, kernelWidth]`, output `[batch, outChannels, outHeight, outWidth]`.
public struct ConvShape: Hashable, Sendable {
    public var batch, inChannels, inHeight, inWidth, outChannels: Int
    public var kernelHeight, kernelWidth, strideHeight, strideWidth: Int
    public var padHeight, padWidth, dilationHeight, dilationWidth, groups: Int
    /// Elements from one image to the next: larger than channels x height x width for a channel slice of a larger tensor.
    public var inBatchStride, outBatchStride: Int

    public init(
        batch: Int, inChannels: Int, inHeight: Int, inWidth: Int, outChannels: Int, kernelHeight: Int, kernelWidth: Int,
        strideHeight: Int = 1, strideWidth: Int = 1, padHeight: Int = 0, padWidth: Int = 0,
        dilationHeight: Int = 1, dilationWidth: Int = 1, groups: Int = 1, inBatchStride: Int? = nil, outBatchStride: Int? = nil
    ) {
        self.batch = batch
        self.inChannels = inChannels
        self.inHeight = inHeight
        self.inWidth = inWidth
        self.outChannels = outChannels
        self.kernelHeight = kernelHeight
        self.kernelWidth = kernelWidth
        self.strideHeight = strideHeight
        self.strideWidth = strideWidth
        self.padHeight = padHeight
        self.padWidth = padWidth
        self.dilationHeight = dilationHeight
        self.dilationWidth = dilationWidth
        self.groups = groups
        self.inBatchStride = inBatchStride ?? inChannels * inHeight * inWidth
        self.outBatchStride = 0
        self.outBatchStride = outBatchStride ?? outChannels * outHeight * outWidth
    }

    public var outHeight: Int { Self.outSize(inHeight, kernelHeight, strideHeight, padHeight, dilationHeight) }
    public var outWidth: Int { Self.outSize(inWidth, kernelWidth, strideWidth, padWidth, dilationWidth) }

    /// Floor division as in PyTorch; zero when the kernel does not fit into the padded input.
    private static func outSize(_ size: Int, _ kernel: Int, _ stride: Int, _ pad: Int, _ dilation: Int) -> Int {
        let room = size + 2 * pad - dilation * (kernel - 1) - 1
        return room < 0 ? 0 : room / stride + 1
    }

    /// The same shape as the kernels of the three levels take it.
    var c: trellis_conv {
        trellis_conv(
            batch: batch, inChannels: inChannels, inHeight: inHeight, inWidth: inWidth,
            outChannels: outChannels, outHeight: outHeight, outWidth: outWidth,
            kernelHeight: kernelHeight, kernelWidth: kernelWidth, strideHeight: strideHeight, strideWidth: strideWidth,
            padHeight: padHeight, padWidth: padWidth, dilationHeight: dilationHeight, dilationWidth: dilationWidth,
            groups: groups, inBatchStride: inBatchStride, outBatchStride: outBatchStride)
    }
}
