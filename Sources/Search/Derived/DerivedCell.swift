import Networks
import Tensors

/// A decided cell at one layer of a derived network (search-space.md, "Derived network").
///
/// The previous output gets ReLU, 1x1 convolution, BN; the one before it is resized to the same size and gets them only if its channels differ.
/// On a down arrow the operators that read these two halve the size.
public final class DerivedCell: Module {
    let layout: DerivedLayout.Cell
    private let previous: Sequential
    private let back: Sequential?
    private let blocks: [[(branch: CellBranch, module: Module)]]
    let dropPath: DropPath

    convenience init(_ layout: DerivedLayout.Cell, _ cell: CellGenotype, _ options: DerivedOptions, dropPath: Double, _ registry: OperatorRegistry) throws {
        try self.init(layout, cell, dropPath: dropPath, epsilon: options.batchNormEpsilon, momentum: options.batchNormMomentum, registry)
    }

    /// A cell by itself.
    /// - Parameters:
    ///   - channels: of a block; previous, back: of the two inputs.
    ///   - move: from the stride of `previous` to this cell's.
    public convenience init(
        _ cell: CellGenotype, channels: Int, previous: Int, back: Int, move: Move, dropPath: Double, epsilon: Float, momentum: Float,
        registry: OperatorRegistry = .shared
    ) throws {
        let levels = switch move {
        case .finer: (from: 1, to: 0)
        case .same: (from: 0, to: 0)
        case .coarser: (from: 0, to: 1)
        }
        let layout = DerivedLayout.Cell(from: levels.from, level: levels.to, channels: channels, previousChannels: previous, backChannels: back)
        try self.init(layout, cell, dropPath: dropPath, epsilon: epsilon, momentum: momentum, registry)
    }

    private init(
        _ layout: DerivedLayout.Cell, _ cell: CellGenotype, dropPath: Double, epsilon: Float, momentum: Float, _ registry: OperatorRegistry
    ) throws {
        self.layout = layout
        func input(_ channels: Int) throws -> Sequential {
            Sequential(named: [
                ("relu", Layer.relu()), ("conv", try Conv2d(channels, layout.channels, kernel: (1, 1), bias: false)),
                ("bn", try BatchNorm(layout.channels, epsilon: epsilon, momentum: momentum)),
            ])
        }
        previous = try input(layout.previousChannels)
        back = layout.projectsBack ? try input(layout.backChannels) : nil
        blocks = try cell.blocks.map { block in
            try block.branches.map { branch in
                let context = OperatorContext(
                    channels: layout.channels, stride: layout.stride(of: branch), affine: true, epsilon: epsilon, momentum: momentum)
                return (branch, try registry.makeSized(branch.operation, context))
            }
        }
        self.dropPath = try DropPath(dropPath)
    }

    public override var kind: String { "cell" }
    /// Whether a size has to be said: that of a finer stride does not follow from the input's.
    public var needsSize: Bool { layout.level < layout.from }
    public override var children: [(name: String, module: Module)] {
        let inputs: [(name: String, module: Module)] = [("previous", previous)] + (back.map { [("back", $0)] } ?? [])
        let parts = blocks.enumerated().map { b, branches -> (name: String, module: Module) in
            (String(b + 1), Group("block", branches.enumerated().map { i, part in
                (String(i + 1), Group("branch", [(part.branch.operation, part.module)]))
            }))
        }
        return [("input", Group("inputs", inputs)), ("block", Group("cell", parts)), ("drop_path", dropPath)]
    }

    /// The size that a cell gives of an input, where it follows from that.
    public func outputSize(of previous: Tensor) -> (height: Int, width: Int) {
        let (height, width) = (previous.shape[2], previous.shape[3])
        return layout.isDown ? ((height + 1) / 2, (width + 1) / 2) : (height, width)
    }

    /// - Parameters:
    ///   - previous: output of the cell before, at the size of its level.
    ///   - twoBack: output of the one before that, of any size.
    ///   - size: height and width of this cell's level.
    /// - Returns: the blocks' outputs, concatenated.
    public func callAsFunction(_ previous: Tensor, twoBack: Tensor, size: (height: Int, width: Int)) throws -> Tensor {
        let input = layout.level < layout.from ? try previous.resize(.bilinearAlignCorners, height: size.height, width: size.width) : previous
        let resized = try twoBack.resize(.bilinearAlignCorners, height: input.shape[2], width: input.shape[3])
        let first = try back.map { back in try located("input.back") { try back(resized) } } ?? resized
        var states = [first, try located("input.previous") { try self.previous(input) }]
        let expected = [input.shape[0], layout.channels, size.height, size.width]
        for (b, branches) in blocks.enumerated() {
            let terms = try branches.enumerated().map { i, part -> Tensor in
                let value = try located("block.\(b + 1).\(i + 1).\(part.branch.operation)") {
                    try apply(part.module, to: states[part.branch.state - 1], giving: expected)
                }
                // The released code drops every path but those of the operator without a computation.
                return part.branch.operation == OperatorCatalogue.skipConnect ? value : try located("drop_path") { try dropPath(value) }
            }
            states.append(try terms[0] + terms[1])
        }
        return try Tensor.concat(Array(states.dropFirst(CellSpace.inputStates)), 1)
    }

    private func apply(_ module: Module, to x: Tensor, giving expected: [Int]) throws -> Tensor {
        let value = try module(x)
        guard value.shape == expected else { throw TensorError("operator", "should give \(expected) of \(x.shape), gave \(value.shape)") }
        return value
    }
}
