import Base
import Search
import Tensors

/// Differentiable architecture search: spaces, supernets, decoding, architectures.
enum NASModule {
    static let module = LuaModule(
        "nas", summary: "Search spaces, supernets, decoding, architectures.",
        detail: """
            After Auto-DeepLab (Liu and others, CVPR 2019, arXiv 1901.02985): a trellis of layers and strides whose nodes repeat one cell. nas.cell and nas.trellis make a space, \
            space:supernet the network that holds all of its architectures, supernet:step trains it, supernet:decode reads the strongest architecture.
            """,
        types: [
            CellSpaceObject.objectType, SpaceObject.objectType, SpaceCountObject.objectType, SpaceEstimateObject.objectType, SupernetObject.objectType,
            ArchitectureObject.objectType, DecisionObject.objectType, GateObject.objectType, RelaxationObject.objectType, CostKindObject.objectType,
            DerivedEstimateObject.objectType,
            StrategyObject.objectType, TrialsObject.objectType, TrialObject.objectType, TruthObject.objectType,
            RunObject.objectType, RunsObject.objectType, RunTableObject.objectType,
        ],
        bindings: [
            ScriptOperators.binding, operators, CellSpaceObject.binding, TrellisBinding.binding, load, architecture, ModelFileBindings.network,
            ViterbiBinding.binding, ReportBinding.binding,
        ] + NASNumbers.all + PartBindings.all + DecisionBindings.all + WhenBindings.all + RelaxationBindings.all + [SpaceFunction.binding]
            + StrategyBindings.all + [TrialsObject.binding, TruthObject.binding] + RunBinding.all,
        constants: CostBindings.constants + Gallery.all.compactMap { architecture in
            architecture.name.map { name in
                Constant("gallery." + name, .object("architecture"), architecture.provenance.source ?? "A published architecture.") { call in
                    call.push(ArchitectureObject(architecture))
                }
            }
        })

    private static let operators = Binding(
        module: "nas", name: "operators", returns: [Returns(.list(.string))], summary: "Names of all operators that cells may name.",
        example: "print(nas.operators()[4])  --> skip_connect"
    ) { call in call.push(ScriptOperators.catalogue.names) }

    private static let load = Binding(
        module: "nas", name: "load", parameters: [Argument("path", .string, "a JSON file that architecture:save wrote, or a model directory, whose card has one")], returns: [Returns(.object("architecture"))],
        summary: "Reads an architecture of any space.",
        detail: "Strictly: every member known and of its type, and the whole fits its space, whose mask is in the file (one without has all arrows); operators of "
            + "nas.operator must be added before. Errors name the place in the file. A file that says nothing of head_reach means the published 96. Of a space of "
            + "nas.space it is a value for each decision; architecture:space{run = true} makes its space again.",
        example: "nas.trellis{layers = 4}:random{seed = 3}:save('random.json')\nprint(#nas.load('random.json').path)  --> 4"
    ) { call in
        let path: String = try call.get(1)
        if ArrayFile.isPyTorch(path) { throw ArrayFile.foreign(path) }
        let file = try Directory.isDirectory(path) ? ModelCards.architecture(path) : ArchitectureFile(contentsOf: path)
        if let stock = try file.architecture(file: path, catalogue: ScriptOperators.catalogue) { return call.push(ArchitectureObject(stock)) }
        return call.push(ArchitectureObject(file))
    }

    private static let architecture = Binding(
        module: "nas", name: "architecture",
        options: [
            Option("space", .object("space"), required: true, "the space it belongs to"), Option("path", .list(.integer), required: true, "a stride for each layer"),
            Option("cell", .list(.table), required: true, "blocks, each two branches {operator, state} or {operator =, state =}"),
            Option("name", .string, "a name"), Option("notes", .list(.string), default: [], "what the reader should know"),
        ],
        returns: [Returns(.object("architecture"))], summary: "An architecture by hand.",
        detail: "States: 1 = two-back, 2 = previous, 2 + b = block b. Errors name the part that does not fit the space, its mask included, which is saved "
            + "with the architecture. The two branches of a block may read one state, though no decoding gives such a block: the field `decodable` is false then, and "
            + "printing it says so.",
        example: """
            local space = nas.trellis{layers = 2, strides = {4, 8}, cell = nas.cell{blocks = 1}}
            local mine = nas.architecture{space = space, path = {4, 8}, cell = {{{"skip_connect", 1}, {"sep_conv_3x3", 2}}}}
            print(mine.cell[1][2].operator)  --> sep_conv_3x3
            """
    ) { call in
        let space = try call.option("space", as: SpaceObject.self).space.requireTrellis(for: "space")
        let made = Architecture(
            name: try call.option(ifPresent: "name"), space: space.summary, path: try call.option("path"), cell: try call.genotype(),
            notes: try call.option("notes"))
        try made.validate(in: space)
        return call.push(ArchitectureObject(made))
    }
}

extension Call {
    /// The option `cell`: blocks, each two branches {operator, state} or {operator =, state =}.
    func genotype() throws -> CellGenotype {
        CellGenotype(
            blocks: try option("cell", as: [LuaValue].self).enumerated().map { b, block in
                let branches = try (block.table?.list ?? []).enumerated().map { i, branch in
                    guard let operation = branch.table?[1].string ?? branch.table?["operator"].string,
                        let state = branch.table?[2].integer ?? branch.table?["state"].integer
                    else { throw badOption("cell", "block \(b + 1), branch \(i + 1): {operator, state} expected") }
                    return CellBranch(operation, state)
                }
                guard branches.count == 2 else { throw badOption("cell", "block \(b + 1) should have two branches, got \(branches.count)") }
                return CellBlock(branches[0], branches[1])
            })
    }
}

/// `nas.viterbi`.
enum ViterbiBinding {
    static let binding = Binding(
        module: "nas", name: "viterbi",
        parameters: [Argument("p", .union([.tensor, .table]), "transition probabilities [layers, states, 3], a tensor or nested lists")],
        options: [Option("count", .integer, "the so many best paths as a list instead of the best one")],
        returns: [Returns(.list(.integer), "states of the best path from 1, one a layer; with count a list of {states =, score =}"),
            Returns(.number, "its log probability", optional: true)],
        summary: "The most probable path through a table of transition probabilities.",
        detail: """
            Moves: to the finer state, same, to the coarser; the start is state 1, and p[l][s][m] belongs to the arrow that leaves state s before layer l. Maximises the \
            product of probabilities by dynamic programming in log space (Auto-DeepLab, section 3.4); of equal products, compared exactly, the path that is lexicographically \
            smaller. Rows of states that cannot be reached and moves that leave the table do not matter. Errors: another shape, numbers that are no probabilities (below 0 or above \
            1), no path of probability above 0.
            """,
        example: """
            local path, score = nas.viterbi{{{0, 0.3, 0.7}, {0, 0, 0}}, {{0, 0.9, 0.1}, {0.6, 0.4, 0}}}
            print(table.concat(path, ' '), string.format('%.2f', math.exp(score)))  --> 2 1	0.42
            """
    ) { call in
        let table = try transitions(call)
        guard let count: Int = try call.option(ifPresent: "count") else {
            let best = try Viterbi.best(table)
            return call.push(best.states.map { $0 + 1 }) + call.push(best.logProbability)
        }
        guard (1...1_000_000).contains(count) else { throw call.badOption("count", "1 to 1000000 expected, got \(count)") }
        return call.push(try Viterbi.best(table, count: count).map { path in
            LuaValue.table(LuaTable(fields: [
                "states": .table(LuaTable(list: path.states.map { .integer($0 + 1) })), "score": .number(path.logProbability),
            ]))
        })
    }

    private static func transitions(_ call: Call) throws -> TransitionTable {
        let value = try call.value(1)
        if let tensor: Tensor = value.object() {
            return try TransitionTable(shape: tensor.shape, values: tensor.floats().map(Double.init))
        }
        return try TransitionTable((value.table?.list ?? []).enumerated().map { l, layer in
            guard let states = layer.table?.list else { throw call.bad(1, "element [\(l + 1)] is a \(layer.typeName), expected a list of states") }
            return try states.enumerated().map { s, moves in
                guard let moves = moves.table?.list else { throw call.bad(1, "element [\(l + 1)][\(s + 1)] is a \(moves.typeName), expected a list of moves") }
                return try moves.enumerated().map { m, number in
                    guard let number = number.number else {
                        throw call.bad(1, "element [\(l + 1)][\(s + 1)][\(m + 1)] is a \(number.typeName), expected a number")
                    }
                    return number
                }
            }
        })
    }
}
