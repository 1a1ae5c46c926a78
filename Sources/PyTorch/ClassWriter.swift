import Networks
import Tensors

/// Classes for all parts that need one; parts that differ in numbers only share theirs.
struct ClassWriter {
    private struct Draft {
        let part: Part
        let base: String
        let constructor: Constructor
        let function: PythonFunction?
    }

    private let analysis: Analysis
    private var functions: [ObjectIdentifier: PythonFunction] = [:]
    /// How each part is made, once its class is known.
    private var makers: [ObjectIdentifier: Constructor] = [:]
    private var taken: Set<String> = ["DropPath", "Network"]
    private(set) var classes: [String] = []
    private(set) var usesDropPath = false

    init(_ analysis: Analysis) { self.analysis = analysis }

    /// Writes everything, the network itself last, as class `Network`.
    mutating func write() throws {
        let root = analysis.root
        let parts = root.all.filter { $0.isNeeded || $0 === root }
        for height in 1...max(root.height, 1) {
            let level = parts.filter { $0.height == height }
            var drafts: [Draft] = []
            for part in level {
                try checkNames(part)
                if let layer = part.layer {
                    makers[ObjectIdentifier(part)] = Constructor.layer(layer, inputRank: part.inputRank)
                    if case .dropPath = layer { usesDropPath = true }
                } else if part.isCalled || !part.own.isEmpty {
                    drafts.append(try draft(part))
                } else {
                    makers[ObjectIdentifier(part)] = dictionary(part)
                }
            }
            var groups: [[Draft]] = [], index: [String: Int] = [:]
            for draft in drafts {
                let key = draft.base + "\u{2}" + draft.constructor.key
                if let known = index[key] { groups[known].append(draft) } else {
                    index[key] = groups.count
                    groups.append([draft])
                }
            }
            for group in groups { finish(group) }
        }
    }

    private func checkNames(_ part: Part) throws {
        for child in part.children where child.isNeeded { for name in child.path.dropFirst(part.path.count) { try Python.check(name, at: child.path) } }
        for (name, _) in part.own { try Python.check(name, at: part.path + [name]) }
    }

    // MARK: One part

    /// Parts without a computation of their own: `nn.ModuleDict({"1": ...})`.
    private func dictionary(_ part: Part) -> Constructor {
        let entries = entries(of: part)
        guard !entries.isEmpty else { return .text("nn.ModuleDict()") }
        return entries.reduce(Constructor.text("nn.ModuleDict({")) { $0 + .text("\n    ") + Constructor.text("\(Python.string($1.name)): ") + $1.maker.indented(4) + .text(",") }
            + .text("\n})")
    }

    private func entries(of part: Part) -> [(name: String, maker: Constructor)] {
        part.children.filter(\.isNeeded).map { ($0.name, makers[ObjectIdentifier($0)] ?? .text("nn.Identity()")) }
    }

    private mutating func draft(_ part: Part) throws -> Draft {
        var function: PythonFunction?
        if part.isCalled {
            var writer = FunctionWriter(analysis, part, inner: functions, saysShapes: part === analysis.root)
            function = try writer.write()
            functions[ObjectIdentifier(part)] = function
        }
        return Draft(part: part, base: baseName(part), constructor: body(part, function), function: function)
    }

    private func baseName(_ part: Part) -> String {
        if part === analysis.root { return "Network" }
        let plain: Set<String> = ["module", "sequential", "parallel", "list", "table", "mix"]
        let named = part.path.last { Int($0) == nil } ?? part.module.kind
        return Python.className(plain.contains(part.module.kind) ? named : part.module.kind)
    }

    /// Everything of the class below its first line.
    private func body(_ part: Part, _ function: PythonFunction?) -> Constructor {
        let entries = entries(of: part)
        let isDictionary = entries.contains { !Python.isIdentifier($0.name) }
        var made = Constructor()
        func line(_ text: Constructor) { made = made + .text("\n        ") + text.indented(8) }
        if isDictionary {
            line(.text("super().__init__({"))
            for (name, maker) in entries { line(.text("    \(Python.string(name)): ") + maker.indented(4) + .text(",")) }
            line(.text("})"))
        } else {
            line(.text("super().__init__()"))
            for (name, maker) in entries { line(.text("self.\(name) = ") + maker) }
        }
        let parameters = Set(part.module.ownParameters.map(\.name))
        for (name, tensor) in part.own {
            let zeros = "torch.zeros(\(tensor.shape.map(String.init).joined(separator: ", "))\(tensor.shape.isEmpty ? "()" : "")\(tensor.dtype == .int32 ? ", dtype=torch.int32" : ""))"
            line(.text(parameters.contains(name)
                ? "self.register_parameter(\(Python.string(name)), nn.Parameter(\(zeros)\(tensor.requiresGrad ? "" : ", requires_grad=False")))"
                : "self.register_buffer(\(Python.string(name)), \(zeros))"))
        }
        for (name, tensor) in function?.constants ?? [] {
            line(.text("self.register_buffer(\"\(name)\", \(ClassWriter.literal(tensor)), persistent=False)"))
        }
        if let function {
            made = made + .text("\n\n    def forward(\((["self"] + function.parameters).joined(separator: ", "))):")
            for text in function.lines { made = made + .text("\n        " + text) }
        }
        return Constructor([.text(isDictionary ? "nn.ModuleDict" : "nn.Module")]) + made
    }

    private static func literal(_ tensor: Tensor) -> String {
        let numbers = (try? tensor.contiguous().floats()) ?? (try? tensor.contiguous().ints().map(Float.init)) ?? []
        func text(_ x: Float) -> String { tensor.dtype == .int32 ? "\(Int(x))" : Python.number(Double("\(x)") ?? Double(x)) }
        let type = tensor.dtype == .int32 ? ", dtype=torch.int32" : ""
        let shape = "(" + tensor.shape.map { "\($0)," }.joined(separator: " ") + ")"
        if let first = numbers.first, numbers.allSatisfy({ $0 == first }) { return "torch.full(\(shape), \(text(first))\(type))" }
        return "torch.tensor([\(numbers.map(text).joined(separator: ", "))]\(type)).reshape(\(shape))"
    }

    // MARK: Classes

    /// Numbers in which the parts of a group differ become arguments; places with equal numbers in all of them are one.
    private mutating func finish(_ group: [Draft]) {
        let first = group[0]
        let columns = first.constructor.numbers.indices.map { place in group.map { $0.constructor.numbers[place].value } }
        var arguments: [(name: String, column: [String], roles: [String])] = []
        for (place, column) in columns.enumerated() where column.contains(where: { $0 != column[0] }) {
            let role = first.constructor.numbers[place].role
            if let known = arguments.firstIndex(where: { $0.column == column }) { arguments[known].roles.append(role) } else { arguments.append(("", column, [role])) }
        }
        var names = Set<String>()
        for i in arguments.indices {
            let roles = Set(arguments[i].roles)
            let wish = roles.isSuperset(of: ["in_channels", "out_channels"]) || roles.contains("channels") ? "channels" : arguments[i].roles[0]
            var (name, n) = (wish, 1)
            while !names.insert(name).inserted { (name, n) = ("\(wish)_\(n + 1)", n + 1) }
            arguments[i].name = name
        }
        let name = first.part === analysis.root ? "Network" : unique(first.base)
        let text = first.constructor.text { place in
            guard columns[place].contains(where: { $0 != columns[place][0] }) else { return nil }
            return arguments.first { $0.column == columns[place] }?.name
        }
        let parts = text.split(separator: "\n", maxSplits: 1)
        classes.append(header(name, first, count: group.count, base: String(parts[0]), arguments.map(\.name)) + "\n" + (parts.count > 1 ? String(parts[1]) : ""))
        for (i, draft) in group.enumerated() {
            var maker = Constructor.text("\(name)(")
            for (n, argument) in arguments.enumerated() {
                maker = maker + Constructor([.text(n == 0 ? "" : ", "), .number(role: argument.name, argument.column[i])])
            }
            makers[ObjectIdentifier(draft.part)] = maker + .text(")")
        }
    }

    private mutating func unique(_ base: String) -> String {
        var (name, n) = (base, 1)
        while !taken.insert(name).inserted { (name, n) = (base + (base.last?.isNumber == true ? "_" : "") + "\(n + 1)", n + 1) }
        return name
    }

    private func header(_ name: String, _ draft: Draft, count: Int, base: String, _ arguments: [String]) -> String {
        let place = draft.part.path.isEmpty ? "The whole network" : draft.part.path.joined(separator: ".") + (count > 1 ? " and \(count - 1) more" : "")
        let shapes = draft.function.map { ": \($0.shapes)" } ?? ""
        return """
            class \(name)(\(base)):
                \"\"\"\(place)\(shapes)\"\"\"

                def __init__(\((["self"] + arguments).joined(separator: ", "))):
            """
    }
}
