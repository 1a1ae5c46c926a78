import Base
import Networks
import Search

/// A cell space as Lua holds it.
public final class CellSpaceObject: LuaObject {
    public let cell: CellSpace
    init(_ cell: CellSpace) { self.cell = cell }

    public static let objectType = ObjectType(
        "cell_space", of: CellSpaceObject.self, summary: "The inner level of a search space: blocks and candidate operators.",
        detail: "Rows of alpha are the edges (block, state): (1,1) (1,2) (2,1) (2,2) (2,3) ...; states: 1 = two-back, 2 = previous, 2 + b = block b.",
        fields: [
            Field("blocks", .integer, "Number of blocks.", of: { (c: CellSpaceObject) in c.cell.blocks }),
            Field("operators", .list(.string), "Names in the order of alpha's columns.", of: { (c: CellSpaceObject) in c.cell.operators }),
            Field("edges", .list(.table), "{block =, state =} in the order of alpha's rows.", of: { (c: CellSpaceObject) in
                c.cell.edges.map { LuaValue.table(LuaTable(fields: ["block": .integer($0.block), "state": .integer($0.state)])) }
            }),
        ],
        unique: true,
        describe: { "cell: \($0.cell.blocks) blocks, \($0.cell.edgeCount) edges of \($0.cell.operators.joined(separator: ", "))" })

    static let binding = Binding(
        module: "nas", name: "cell",
        options: [
            Option("blocks", .integer, default: 5, "B, 1 to 100"),
            Option("operators", .list(.string), "candidates in the order of alpha's columns; the paper's eight when left out"),
        ],
        returns: [Returns(.object("cell_space"))], summary: "The inner level of a search space.",
        detail: """
            A block is the sum over the 1 + b states before it of a mixed operator, Σ_k softmax(alpha)_k · O_k(x) (Auto-DeepLab, eq. 1-5); the cell's output is the \
            concatenation of all blocks. Operators: none, max_pool_3x3, avg_pool_3x3, skip_connect, sep_conv_3x3, sep_conv_5x5, atrous_conv_3x3, atrous_conv_5x5 (dense, at \
            rate 2), dil_conv_3x3, dil_conv_5x5 (their depthwise kin), and those of nas.operator. Errors: a name that is unknown (with the nearest right one) or given twice, a \
            list with nothing but 'none'.
            """,
        example: "local cell = nas.cell{blocks = 3, operators = {'none', 'skip_connect', 'sep_conv_3x3'}}\nprint(cell.blocks, #cell.edges)  --> 3\t9",
        body: { call in
            let operators: [String] = try call.option(ifPresent: "operators") ?? CellSpace.paperOperators
            return call.push(CellSpaceObject(try CellSpace(blocks: call.option("blocks"), operators: operators, catalogue: ScriptOperators.catalogue)))
        })
}

/// A search space as Lua holds it.
public final class SpaceObject: LuaObject {
    public let space: ModuleSpace
    /// All of the space's decisions, or those that `fix` left open.
    let decisions: DecisionList
    /// What architectures have to meet besides; nil: nothing.
    let filter: Filter?
    let anchors: [LuaAnchor]

    init(_ space: ModuleSpace, decisions: DecisionList? = nil, filter: Filter? = nil, anchors: [LuaAnchor] = []) {
        (self.space, self.decisions, self.filter, self.anchors) = (space, decisions ?? space.decisions, filter, anchors)
    }

    /// Whether neither `fix` nor `where` made it smaller.
    var isWhole: Bool { filter == nil && decisions.fixed.isEmpty }

    /// An architecture as scripts see it.
    func architecture(_ assignment: Assignment) throws -> ArchitectureObject { try ArchitectureObject(assignment, in: space) }

    /// What an architecture decides here.
    /// - Throws: for one of another space, with what differs.
    func assignment(of object: ArchitectureObject) throws -> Assignment {
        if let trellis = space.trellis, let found = object.trellis { return try trellis.assignment(of: found) }
        let assignment = try object.decided().assignment
        try space.decisions.check(assignment)
        return assignment
    }

    public static let objectType = ObjectType(
        "space", of: SpaceObject.self, summary: "A search space: networks in which named decisions are open.",
        detail: "Made by nas.trellis and nas.space. Printing one of nas.trellis shows the trellis and its size, of another the decisions and how many architectures there are. Fields but "
            + "`decisions` are those of nas.trellis with stock cells, nil for other spaces.",
        methods: SpaceMethods.all + TrellisMethods.all + [SpaceRecordMethods.record, SpaceRecordMethods.flow],
        fields: [
            Field("decisions", .list(.object("decision")), "The decisions that are open; of nas.trellis: paths, and the branches of each block: cell.1, cell.2, ...", of: { (s: SpaceObject) in
                LuaValue.table(LuaTable(list: s.decisions.decisions.map { .object(DecisionObject($0)) }))
            }),
            field("layers", .integer, "L.") { $0.layers }, field("strides", .list(.integer), "Finest first.") { $0.strides },
            field("filters", .integer, "F: channels of a block at the finest stride.") { $0.filters },
            field("cell", .object("cell_space"), "The cell of every node.") { CellSpaceObject($0.cell) },
            field("nodes", .list(.table), "{layer =, stride =} of every node with a cell.") { space in
                space.nodes.filter { $0.layer > 0 }.map { node in
                    LuaValue.table(LuaTable(fields: ["layer": .integer(node.layer), "stride": .integer(space.strides[node.level])]))
                }
            },
            field("arrows", .list(.table), "{layer =, from =, to =} of every arrow: the layer it leads into and two strides.") { space in
                space.arrows.map { arrow in
                    LuaValue.table(LuaTable(fields: [
                        "layer": .integer(arrow.layer), "from": .integer(space.strides[arrow.from]), "to": .integer(space.strides[arrow.to]),
                    ]))
                }
            },
            field("options", .table, "The options of nas.trellis that are not sizes.") { $0.options.luaValue },
        ],
        unique: true, anchors: { $0.anchors }, describe: { try $0.text() })

    private static func field(_ name: String, _ kind: Kind, _ doc: String, _ get: @escaping (TrellisSpace) -> some LuaPushable) -> Field {
        Field(name, kind, doc, optional: true) { call in
            guard let trellis = try call.this(as: SpaceObject.self).space.trellis else { return call.pushNil() }
            return call.push(get(trellis))
        }
    }

    private func text() throws -> String {
        if isWhole, let trellis = space.trellis { return trellis.description }
        let count = try decisions.count()
        let rows = decisions.all.map { decision -> [String] in
            let fixed = decisions.fixed[decision.name].map { "fixed: \(decisions.text($0, of: decision))" }
            let parent = decision.parent.map { " (where \($0.decision) is \(decisions[$0.decision]?.domain.label(of: $0.option) ?? ""))" } ?? ""
            return [decision.name, fixed ?? decision.domain.summary + parent]
        }
        let width = rows.map(\.[0].count).max() ?? 0
        return rows.map { $0[0] + String(repeating: " ", count: width - $0[0].count + 2) + $0[1] }.joined(separator: "\n")
            + "\n\(decisions.decisions.count) decisions, \(count.int.map { NumberText.grouped($0) } ?? "\(count)") architectures" + (filter == nil ? "" : ", some of which a filter refuses")
    }
}

extension SpaceOptions {
    static let options: [Option] = [
        Option("stem", .choice(Stem.allCases.map(\.rawValue)), default: "two", "convolutions before the trellis: two that halve, or a third between them that does not"),
        Option("stem_width", .integer, "channels inside the stem; half of its output, F·B/2, when left out"),
        Option("down", .choice(Down.allCases.map(\.rawValue)), default: "conv", "to the coarser stride by a strided convolution, or by resizing and a 1x1 convolution"),
        Option("down_kernel", .integer, default: 3, "side of that strided convolution, odd"),
        Option("operator_sets", .choice(OperatorSets.allCases.map(\.rawValue)), default: "node", "weights of a node's operators: one set for all its arrows, or a set for each"),
        Option("affine", .boolean, default: false, "whether batch norms of cells have weights; those of stem and heads have"),
        Option("eps", .number, default: 1e-5, "added to the variance by batch norms"),
        Option("momentum", .number, default: 0.1, "share of the batch in running statistics"),
        Option("initial_deviation", .number, default: 0.001, "alpha and beta start as this times N(0, 1)"),
        Option(
            "head_reach", .integer, default: 96,
            "the atrous rate of the head at stride s is this over s; for crops of 321, smaller ones want 0.3 of their shorter side"),
        Option("head_width", .integer, "channels of a head's branches; as many as its input when left out"),
    ]

    init(_ call: Call) throws {
        self.init()
        stem = Stem(rawValue: try call.option("stem")) ?? .two
        stemWidth = try call.option(ifPresent: "stem_width")
        down = Down(rawValue: try call.option("down")) ?? .conv
        downKernel = try call.option("down_kernel")
        operatorSets = OperatorSets(rawValue: try call.option("operator_sets")) ?? .node
        affine = try call.option("affine")
        batchNormEpsilon = try call.option("eps")
        batchNormMomentum = try call.option("momentum")
        initialDeviation = try call.option("initial_deviation")
        headReach = try call.option("head_reach")
        headWidth = try call.option(ifPresent: "head_width")
    }

    var luaValue: LuaValue {
        .table(LuaTable(fields: [
            "stem": .string(stem.rawValue), "stem_width": stemWidth.map { .integer($0) } ?? .nil, "down": .string(down.rawValue),
            "down_kernel": .integer(downKernel), "operator_sets": .string(operatorSets.rawValue), "affine": .boolean(affine),
            "eps": .number(Double(batchNormEpsilon)), "momentum": .number(Double(batchNormMomentum)),
            "initial_deviation": .number(Double(initialDeviation)), "head_reach": .integer(headReach), "head_width": headWidth.map { .integer($0) } ?? .nil,
        ]))
    }

    /// The space's own names of its options as scripts write them.
    static let luaNames = [
        "options.stemWidth": "stem_width", "options.downKernel": "down_kernel", "options.batchNormEpsilon": "eps", "options.batchNormMomentum": "momentum",
        "options.initialDeviation": "initial_deviation", "options.headReach": "head_reach", "options.headWidth": "head_width",
    ]
}

/// `nas.trellis`.
enum TrellisBinding {
    static let binding = Binding(
        module: "nas", name: "trellis",
        options: [
            Option("layers", .integer, default: 12, "L"), Option("strides", .list(.integer), default: [4, 8, 16, 32], "finest first, each twice the one before"),
            Option("filters", .integer, default: 8, "F; a block at stride s has F · s / strides[1] channels"),
            Option(
                "cell", .union([.object("cell_space"), .function]),
                "from nas.cell, the paper's when left out; or a function of channels and place {layer, stride, two_back} that returns a module of (two_back or nil, previous)"),
            Option("blocks", .integer, "with a function: how many times `channels` its cells give"),
            Option("arrows", .function, "of layer (1 to L), stride from, stride to; returns whether the arrow into that layer exists"),
        ] + SpaceOptions.options,
        returns: [Returns(.object("space"))], summary: "A search space: layers of cells at several strides, with arrows between them.",
        detail: """
            Node (layer, stride) gets arrows from the same stride and its neighbours one layer before; H(l, s) = Σ over incoming arrows of beta · Cell(two-back, previous) \
            (Auto-DeepLab, eq. 6-7), beta a softmax over the arrows that leave a node. Layer 0 is the stem at the finest stride. Only arrows that the mask admits and that \
            lie on a path from the stem to layer L exist. Errors: sizes that make no sense, a mask that cuts every path, operators of nas.operator that fail at these channels.
            """,
        example: """
            local space = nas.trellis{layers = 3, strides = {4, 8}, filters = 4, cell = nas.cell{blocks = 2}, arrows = function(layer, from, to) return layer > 1 or to == 4 end}
            print(space:count().paths, #space.arrows)  --> 4	7
            """,
        body: { call in
            let given = try call.option(ifPresent: "cell", as: LuaValue.self)
            let cell = given?.object(as: CellSpaceObject.self)
            let blocks: Int? = try call.option(ifPresent: "blocks")
            guard (given?.function == nil) == (blocks == nil) else { throw call.badOption("blocks", "goes with a cell that is a function, and that with it") }
            let mask: LuaFunction? = try call.option(ifPresent: "arrows")
            do {
                let space = try TrellisSpace(
                    layers: call.option("layers"), strides: call.option("strides"), filters: call.option("filters"),
                    cell: blocks.map { try CellSpace(blocks: $0) } ?? cell?.cell ?? CellSpace(), options: SpaceOptions(call)
                ) { layer, from, to in
                    try mask?.call(layer, from, to, returning: Bool.self, expected: .boolean, from: "arrows") ?? true
                }
                if let build = given?.function { return call.push(try ScriptedTrellis.space(space, cell: build, call)) }
                try ScriptOperators.check(space)
                return call.push(SpaceObject(try ModuleSpace(space, catalogue: { ScriptOperators.catalogue })))
            } catch let error as SpaceError {
                throw SpaceError(
                    error.kind, at: SpaceOptions.luaNames[error.location] ?? error.location, expected: error.expected, got: error.got, remedy: error.remedy)
            }
        })
}
