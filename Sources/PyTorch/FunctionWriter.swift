import Tensors

/// The `forward` of one module.
struct PythonFunction {
    var parameters: [String] = []
    var lines: [String] = []
    /// Sizes (height and width, by probe) that the function is told, behind its tensors.
    var sizes: [[[Int]]] = []
    /// Constants that it holds: name and contents.
    var constants: [(name: String, tensor: Tensor)] = []
    /// Shapes of arguments and result, as the first probe has them.
    var shapes = ""
}

/// Writes the computation of a part as lines of Python.
struct FunctionWriter {
    let analysis: Analysis
    let part: Part
    /// The functions of the parts inside, which are written already.
    let inner: [ObjectIdentifier: PythonFunction]
    /// Whether lines say the shape of what they give.
    let saysShapes: Bool

    var graph: ProbedGraph { analysis.graph }
    private(set) var function = PythonFunction()
    private var statements: [Statement] = []
    /// Code of values that one place reads, until it does.
    private var pending: [Int: Code] = [:]
    /// Values that have a name.
    private(set) var named: [Int] = []
    private var uses: [Int: Int] = [:]
    private let arguments: [Int]
    private let results: [Int]

    /// Longest code that is written inside of another line.
    private static let longestInline = 44
    private static let longestCall = 60
    private static let longestResult = 100

    init(_ analysis: Analysis, _ part: Part, inner: [ObjectIdentifier: PythonFunction], saysShapes: Bool) {
        (self.analysis, self.part, self.inner, self.saysShapes) = (analysis, part, inner, saysShapes)
        arguments = analysis.arguments[ObjectIdentifier(part)] ?? []
        results = analysis.results[ObjectIdentifier(part)] ?? []
    }

    mutating func write() throws -> PythonFunction {
        named = arguments
        let units = analysis.units[ObjectIdentifier(part)] ?? []
        for unit in units { for input in unit.inputs { uses[input, default: 0] += 1 } }
        for result in results { uses[result, default: 0] += 1 }
        for unit in units {
            do { try write(unit) } catch var error as TensorError {
                if error.path.isEmpty { error.path = scope(unit) }
                throw error
            }
        }
        statements.append(Statement(targets: [], code: Code([.text("return ")] + Code.joined(results.map { read($0) }, ", "))))
        name()
        function.shapes = arguments.map { shape($0) }.joined(separator: ", ") + " -> " + results.map { shape($0) }.joined(separator: ", ")
        return function
    }

    func shape(_ value: Int) -> String {
        let shape = graph.values[value].shapes[0]
        return "[" + ([shape.first.map { $0 == graph.probes[0][0] ? "N" : "\($0)" } ?? ""] + shape.dropFirst().map(String.init)).joined(separator: ", ") + "]"
    }

    private func scope(_ unit: Unit) -> String {
        guard let value = unit.outputs.first, case .operation(_, _, let scope) = graph.values[value].source else { return "" }
        return scope
    }

    // MARK: Units

    private mutating func write(_ unit: Unit) throws {
        switch unit.kind {
        case .layer(let layer):
            add(unit.outputs[0], Code([.text(path(to: layer) + "(")] + read(unit.inputs[0]).pieces + [.text(")")]))
        case .operation:
            let value = unit.outputs[0]
            guard let code = try expression(value, unit.inputs) else {
                guard case .operation(let operations, _, _) = graph.values[value].source else { return }
                throw Refusal.error(operations[0])
            }
            add(value, code)
        case .call(let callee):
            let made = inner[ObjectIdentifier(callee)] ?? PythonFunction()
            let sizes = made.sizes.map { size($0) }
            let code = Code([.text(path(to: callee) + "(")] + Code.joined(unit.inputs.map { read($0) } + sizes, ", ") + [.text(")")])
            if unit.outputs.count == 1, uses[unit.outputs[0]] == 1, results == unit.outputs || !saysShapes && code.length <= FunctionWriter.longestCall {
                pending[unit.outputs[0]] = code
                return
            }
            let relative = callee.path.dropFirst(part.path.count).joined(separator: "_")
            let comment = saysShapes ? unit.outputs.map { shape($0) }.joined(separator: ", ") : nil
            statements.append(Statement(targets: unit.outputs, code: code, name: Python.identifier(relative), comment: comment))
            named += unit.outputs
        }
    }

    /// A value by its code: kept for the only line that reads it where it is short, else a line of its own.
    private mutating func add(_ value: Int, _ code: Code) {
        let longest = results == [value] ? FunctionWriter.longestResult : FunctionWriter.longestInline
        if uses[value] == 1, code.length <= longest, !results.contains(value) || results.count == 1 {
            pending[value] = code
        } else {
            statements.append(Statement(targets: [value], code: code))
            named.append(value)
        }
    }

    /// The code that stands for a value where it is read.
    mutating func read(_ value: Int) -> Code {
        if let code = pending.removeValue(forKey: value) { return code }
        if case .stored(let tensor) = graph.values[value].source { return stored(value, tensor) }
        return .value(value)
    }

    private mutating func stored(_ value: Int, _ tensor: Tensor) -> Code {
        if let home = analysis.home(of: value) {
            return home.part.isInside(part) ? .text(path(to: home.part, home.name)) : .value(value)
        }
        if tensor.count == 1, tensor.rank == 0, let number = try? tensor.item() {
            return .text(tensor.dtype == .int32 ? "\(Int(number))" : Python.number(number), number < 0 ? .sum : .atom)
        }
        if let known = function.constants.first(where: { $0.tensor === tensor }) { return .text("self.\(known.name)") }
        let name = "constant_\(function.constants.count + 1)"
        function.constants.append((name, tensor))
        return .text("self.\(name)")
    }

    /// Gives a value that waits for its reader a line of its own.
    mutating func settle(_ value: Int) {
        guard let code = pending.removeValue(forKey: value) else { return }
        statements.append(Statement(targets: [value], code: code))
        named.append(value)
    }

    /// `self.block["1"].conv`.
    func path(to target: Part, _ tensor: String? = nil) -> String {
        var chain: [Part] = []
        var at: Part? = target
        while let now = at, now !== part {
            chain.insert(now, at: 0)
            at = now.parent
        }
        let names = chain.flatMap { step -> [String] in Array(step.path.dropFirst(step.parent?.path.count ?? 0)) } + (tensor.map { [$0] } ?? [])
        return names.reduce("self") { $0 + (Python.isIdentifier($1) ? ".\($1)" : "[\(Python.string($1))]") }
    }

    // MARK: Sizes

    /// Dimension that is `size` by probe: a number, or one of a tensor that has a name.
    mutating func dimension(_ size: [Int]) -> Code? {
        if size.allSatisfy({ $0 == size[0] }) { return .text("\(size[0])") }
        for value in named {
            for d in 0..<graph.values[value].rank {
                let other = graph.values[value].size(d)
                if other == size { return Code([.value(value), .text(".shape[\(d)]")]) }
            }
        }
        for value in named {
            for d in 0..<graph.values[value].rank {
                let other = graph.values[value].size(d)
                if zip(other, size).allSatisfy({ ($0 + 1) / 2 == $1 }) { return Code([.text("("), .value(value), .text(".shape[\(d)] + 1) // 2")], .product) }
                for factor in 2...16 {
                    if zip(other, size).allSatisfy({ $0 * factor == $1 }) { return Code([.text("\(factor) * "), .value(value), .text(".shape[\(d)]")], .product) }
                    if zip(other, size).allSatisfy({ $0 / factor == $1 }) { return Code([.value(value), .text(".shape[\(d)] // \(factor)")], .product) }
                }
            }
        }
        // A product of two of one tensor: height times width.
        for value in named where graph.values[value].rank == 4 {
            let (height, width) = (graph.values[value].size(2), graph.values[value].size(3))
            for other in [graph.values[value].size(1), size.map { _ in 1 }] where size.indices.allSatisfy({ height[$0] * width[$0] * other[$0] == size[$0] }) {
                let first: [Code.Piece] = other.allSatisfy { $0 == 1 } ? [] : [.value(value), .text(".shape[1] * ")]
                return Code(first + [.value(value), .text(".shape[2] * "), .value(value), .text(".shape[3]")], .product)
            }
        }
        return nil
    }

    /// Height and width, by probe: of a tensor that is at hand, or something that the function is told.
    mutating func size(_ size: [[Int]]) -> Code {
        if size.allSatisfy({ $0 == size[0] }) { return .text("(\(size[0][0]), \(size[0][1]))") }
        func spatial(_ value: Int) -> [[Int]]? { graph.values[value].rank == 4 ? graph.values[value].shapes.map { Array($0[2...]) } : nil }
        if let same = named.first(where: { spatial($0) == size }) { return Code([.value(same), .text(".shape[-2:]")]) }
        if let waiting = pending.keys.sorted().first(where: { spatial($0) == size }) {
            settle(waiting)
            return Code([.value(waiting), .text(".shape[-2:]")])
        }
        for value in named + pending.keys.sorted() {
            guard let other = spatial(value) else { continue }
            func fits(_ rule: (Int) -> Int) -> Bool { zip(other, size).allSatisfy { $0.map(rule) == $1 } }
            func each(_ rule: String) -> Code {
                settle(value)
                return Code([.text("[\(rule) for s in "), .value(value), .text(".shape[-2:]]")])
            }
            for power in 1...6 where fits({ ($0 + (1 << power) - 1) >> power }) { return each(power == 1 ? "(s + 1) // 2" : "-(-s // \(1 << power))") }
            for factor in 2...32 where fits({ $0 * factor }) { return each("\(factor) * s") }
            for factor in 2...32 where fits({ $0 / factor }) { return each("s // \(factor)") }
            if fits({ 2 * $0 - 1 }) { return each("2 * s - 1") }
        }
        if part.parent != nil {
            let position = function.sizes.firstIndex(of: size) ?? function.sizes.count
            if position == function.sizes.count { function.sizes.append(size) }
            return .text(position == 0 ? "size" : "size\(position + 1)")
        }
        return .text("(\(size[0][0]), \(size[0][1]))")
    }

    // MARK: Names

    /// Names the values: a line that reads a value for the last time takes over its name.
    private mutating func name() {
        var last: [Int: Int] = [:]
        for (line, statement) in statements.enumerated() { for value in statement.code.values { last[value] = line } }
        let letters = ["x", "y", "z", "u", "v", "w"]
        var names: [Int: String] = [:], taken = Set(function.sizes.indices.map { $0 == 0 ? "size" : "size\($0 + 1)" }).union(["self", "torch", "nn", "F", "s"])
        func fresh(_ wish: String) -> String {
            var (name, n) = (wish, 1)
            while !taken.insert(name).inserted { (name, n) = ("\(wish)\(n + 1)", n + 1) }
            return name
        }
        var parts = Set<String>()
        for (i, argument) in arguments.enumerated() { names[argument] = fresh(i < letters.count ? letters[i] : "x\(i + 1)") }
        function.parameters = arguments.compactMap { names[$0] } + function.sizes.indices.map { $0 == 0 ? "size" : "size\($0 + 1)" }
        for (line, statement) in statements.enumerated() {
            let text = statement.code.text(names)
            var lefts: [String] = []
            var free = statement.code.values.filter { last[$0] == line && !(statement.name != nil && statement.targets.count > 1) }.compactMap { names[$0] }
            for target in statement.targets {
                let name: String
                // What a part gives is called by it, and that name is not taken over by something else.
                let plain = statement.name == nil ? free.firstIndex { !parts.contains($0) } : nil
                if let plain { name = free.remove(at: plain) } else { name = fresh(statement.name ?? "h") }
                if statement.name != nil { parts.insert(name) }
                names[target] = name
                lefts.append(name)
            }
            let assignment = lefts.isEmpty ? text : lefts.joined(separator: ", ") + " = " + text
            function.lines.append(assignment + (statement.comment.map { "  # \($0)" } ?? ""))
        }
    }
}
