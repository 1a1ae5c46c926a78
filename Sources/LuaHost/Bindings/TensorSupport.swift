import Tensors

/// What the bindings of tensors share: dimensions and positions counted from 1, operands, shapes as Lua writes them.
enum Shape {
    static func text(_ shape: [Int]) -> String { "[" + shape.map(String.init).joined(separator: ", ") + "]" }
}

extension Kind {
    static let tensor: Kind = .object("tensor")
    /// What arithmetic takes.
    static let operand: Kind = .union([.object("tensor"), .number])
}

extension Returns {
    static let tensor = [Returns(.object("tensor"))]
}

extension Call {
    /// Dimension in argument `i`, counted from 1 or from the end when negative, as Swift counts it.
    func dimension(_ i: Int, of tensor: Tensor, extra: Int = 0) throws -> Int {
        try dimension(get(i), rank: tensor.rank + extra) { bad(i, $0) }
    }

    func dimension(ifPresent i: Int, of tensor: Tensor) throws -> Int? { has(i) ? try dimension(i, of: tensor) : nil }

    /// One or several dimensions in argument `i`; nil when it was not given.
    func dimensions(ifPresent i: Int, of tensor: Tensor) throws -> [Int]? {
        guard has(i) else { return nil }
        let axes = try get(i, as: [Int].self).map { try dimension($0, rank: tensor.rank) { bad(i, $0) } }
        guard Set(axes).count == axes.count else { throw bad(i, "a dimension is named twice") }
        return axes
    }

    private func dimension(_ d: Int, rank: Int, _ failure: (String) -> any Error) throws -> Int {
        let axis = d < 0 ? rank + d : d - 1
        guard d != 0, axis >= 0, axis < rank else {
            throw failure(
                rank == 0 ? "a tensor without dimensions has no dimension \(d)"
                    : "dimension \(d) is outside of 1 to \(rank)" + (d == 0 ? " (dimensions start at 1)" : ""))
        }
        return axis
    }

    /// Position `index` (from 1, negative from the end) in a dimension of `size`, as Swift counts it.
    func position(_ index: Int, size: Int, dimension axis: Int) throws -> Int {
        let at = index < 0 ? size + index : index - 1
        guard index != 0, at >= 0, at < size else { throw HostError(Call.outside(index, size, axis)) }
        return at
    }

    static func outside(_ index: Int, _ size: Int, _ axis: Int) -> String {
        "index \(index) is outside of dimension \(axis + 1) of size \(size) (indices start at 1)"
    }

    /// A tensor or number operand of a method or function.
    func operand(_ i: Int) throws -> Tensor {
        if let tensor = Tensor.read(thread, index(i)) { return tensor }
        return try Tensor.number(get(i), .float32, for: "number")
    }

    /// Sizes given one by one or as a list, all 0 or more.
    func sizes(from i: Int) throws -> [Int] {
        let sizes: [Int] = try rest(from: i)
        if let wrong = sizes.first(where: { $0 < 0 }) { throw bad(i, "sizes should be 0 or more, got \(wrong)") }
        return sizes
    }

    /// Height and width of an option that is one integer for both or a list of two.
    func pair(_ name: String, least: Int = 1) throws -> (Int, Int) { try pair(option(name), name, least) }

    func pair(ifPresent name: String, least: Int = 1) throws -> (Int, Int)? {
        try option(ifPresent: name, as: [Int].self).map { try pair($0, name, least) }
    }

    private func pair(_ values: [Int], _ name: String, _ least: Int) throws -> (Int, Int) {
        guard values.count == 1 || values.count == 2, values.allSatisfy({ $0 >= least && $0 <= 1 << 20 }) else {
            throw badOption(name, "one integer or {height, width} expected, each \(least) to \(1 << 20), got \(Shape.text(values))")
        }
        return (values[0], values[values.count - 1])
    }

    /// Option 'ignore': the label of what does not count.
    /// - Throws: where its default is one of so many classes, which would be left out without a word.
    func ignoredLabel(of classes: Int) throws -> Int32 {
        let value: Int = try option("ignore")
        guard let label = Int32(exactly: value) else { throw badOption("ignore", "an int32 label expected, got \(value)") }
        if !hasOption("ignore"), value >= 0, value < classes {
            throw badOption("ignore", "needed with \(classes) classes, because \(value) is one of them: say which label does not count, -1 for none")
        }
        return label
    }

    /// A list of tensors.
    func tensors(_ i: Int) throws -> [Tensor] { try get(i, as: [Tensor].self) }
}

/// Shorthands for declaring methods of tensors, so that a page of them reads as a table.
func tensorMethod(
    _ name: String, _ parameters: [Argument] = [], options: [Option] = [], returns: [Returns] = Returns.tensor, _ summary: String,
    _ detail: String = "", example: String, body: @escaping Body
) -> Binding {
    Binding(
        module: "tensor", name: name, parameters: parameters, options: options, returns: returns, summary: summary, detail: detail,
        example: example, body: body)
}

extension Binding {
    /// The same under a second name.
    func alias(_ name: String) -> Binding {
        Binding(
            module: module, name: name, parameters: parameters, options: options, returns: returns, summary: summary,
            detail: "The same as `\(self.name)`." + (detail.isEmpty ? "" : " " + detail), example: example, body: body)
    }
}
