import Networks
import Search
import Tensors

/// `architecture:network`: from a decided architecture to a network to train.
enum NetworkBinding {
    static let widths = [
        Option("stem", .integer, default: 64, "channels of the stem's layers but the last"), Option("stem_output", .integer, default: 128, "channels of its last layer"),
        Option("aspp", .integer, default: 256, "channels of the ASPP"), Option("low_level", .integer, default: 48, "channels of the decoder's low-level features"),
        Option("decoder", .integer, default: 256, "channels of the decoder"),
    ]

    static func widths(_ call: Call) throws -> DerivedWidths {
        DerivedWidths(
            stem: try call.option("stem"), stemOutput: try call.option("stem_output"), aspp: try call.option("aspp"), lowLevel: try call.option("low_level"),
            decoder: try call.option("decoder"))
    }

    static let method = Binding(
        module: "architecture", name: "network",
        options: [
            Option("filters", .integer, required: true, "F: a block at the finest stride has F channels, twice as many at each coarser one"),
            Option("classes", .integer, required: true, "number of classes, 2 or more"), Option("seed", .integer, default: 0, "decides every initial weight"),
            Option("drop_path", .number, default: 0, "probability with which the last cell drops a path at the end of training"),
            Option("momentum", .number, default: 0.1, "share of the batch in the running statistics of batch norms; the released code's is 0.0003"),
            Option("eps", .number, "added to variances in batch norms; 0.001, or with `from` the supernet's"),
            Option("from", .object("supernet"), "start from its weights where shapes allow"),
            Option("head_reach", .integer, "how far the ASPP's first atrous taps look, in pixels; the architecture's head_reach, published 96"),
        ] + widths,
        returns: [
            Returns(.object("module")), Returns(.integer, "how many tensors were taken from the supernet, with `from`", optional: true),
            Returns(.table, "which: taken, missing (without a counterpart), shapes: {the supernet's, own} by name", optional: true),
        ],
        summary: "The network of an architecture of nas.trellis, to train, evaluate and export.",
        detail: """
            Images [N, 3, H, W] of any size from the path's coarsest stride, odd ones included, to class scores [N, classes, H, W]. As published: stem of 3x3 convolutions 64 \
            (stride 2), 64, 128 (stride 2); cells in which the previous output gets ReLU, 1x1, BN, and the one before it is resized to the same size and gets them if its channels \
            differ; on a down arrow operators that read a cell input have stride 2 (atrous ones, and scripts' own that ignore strides, get their input resized by half), on an up \
            arrow the previous output is resized first; ASPP with rates of 1, 2 and 3 times head_reach over the stride at which the path ends (published reach 96: 12, 24, 36 at stride \
            8); DeepLabv3+'s decoder at the finest stride with the third cell's output as low-level features. The published reach is for crops of 321 and more; smaller crops want \
            0.3 of their shorter side. Prints by part; net:count(...) counts. With `from`, the operators that the cell chose are copied from each layer's node with the statistics \
            of the arrow taken, and of stem, inputs and ASPP what has the same shape; it is an error when nothing has.
            """,
        example: """
            local net = nas.gallery.darts_v2:network{filters = 2, classes = 5, stem = 4, stem_output = 8, aspp = 8, decoder = 8}
            print(table.concat(net:eval()(tensor.zeros(1, 3, 33, 47)).shape, ' '))  --> 1 5 33 47
            print(nas.gallery.auto_deeplab:network{filters = 20, classes = 19}:count().parameters)  --> 10147427
            """
    ) { call in
        let architecture = try call.this(as: ArchitectureObject.self).requireTrellis(for: "network")
        let supernet = try call.option(ifPresent: "from", as: SupernetObject.self)?.net
        var options = DerivedOptions(filters: try call.option("filters"), classes: try call.option("classes"))
        options.widths = try widths(call)
        options.dropPath = try call.option("drop_path")
        options.headReach = try call.option(ifPresent: "head_reach")
        options.batchNormMomentum = Float(try call.option("momentum", as: Double.self))
        options.batchNormEpsilon = try call.option(ifPresent: "eps", as: Double.self).map { Float($0) } ?? supernet?.space.trellis?.options.batchNormEpsilon ?? 1e-3
        if let supernet { try architecture.validate(in: supernet.space.requireTrellis(for: "from")) }
        let network = try DerivedNetwork(architecture, options, seed: call.option("seed"), catalogue: ScriptOperators.catalogue)
        let pushed = call.push(network as Module)
        guard let supernet else { return pushed }
        let report = try network.takeWeights(from: supernet)
        return pushed + call.push(report.taken.count) + call.push(report.value)
    }
}
