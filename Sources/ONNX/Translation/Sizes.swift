import Tensors

/// Sizes that depend on the images, computed in the file from the shapes of what is there by then.
struct SizeTable {
    /// A dimension of a value that is written.
    struct Dimension {
        let value: String
        let axis: Int
        let size: Size
    }

    /// Of the images: batch, height, width.
    private(set) var images: [Dimension] = []
    /// All that are known, the images' first; one of each size.
    private(set) var all: [Dimension] = []
    private var positions: [Size: Int] = [:]
    /// Names of sizes that are written.
    fileprivate var written: [Size: String] = [:]
    /// Names of lists of sizes.
    fileprivate var lists: [[Size]: String] = [:]

    /// What the images' dimensions are called.
    private static let names = ["batch", "channels", "height", "width"]

    mutating func add(_ value: String, _ shape: [Size], areImages: Bool = false) {
        for (axis, size) in shape.enumerated() where size.fixed == nil && positions[size] == nil {
            positions[size] = all.count
            all.append(Dimension(value: value, axis: axis, size: size))
            if areImages { images.append(all[all.count - 1]) }
        }
    }

    subscript(size: Size) -> Dimension? { positions[size].map { all[$0] } }

    /// A size in words that are the same for the same size: `batch`, `2*batch+1`, `height`, `(width+3)/4`; nil where the images' sizes do not say it simply.
    func text(_ size: Size, probes: Int) -> String? {
        for image in images {
            let name = image.axis < SizeTable.names.count ? SizeTable.names[image.axis] : "dimension_\(image.axis + 1)"
            if image.size == size { return name }
            if let rule = SizeRule(size, of: image.size, probes: probes) { return rule.text(of: name) }
        }
        return nil
    }
}

extension Translator {
    /// A list of whole numbers; where sizes of images are in it, it is computed.
    /// - Throws: `TensorError` for a size that does not follow from those of what is written.
    func sizes(_ sizes: [Size], name: String) throws -> String {
        let fixed = sizes.compactMap(\.fixed)
        if fixed.count == sizes.count { return builder.integers(fixed) }
        if let known = table.lists[sizes] { return known }
        var parts: [String] = []
        var run: [Int] = []
        func endRun() {
            if !run.isEmpty { parts.append(builder.integers(run)) }
            run = []
        }
        for size in sizes {
            if let fixed = size.fixed {
                run.append(fixed)
            } else {
                endRun()
                parts.append(try number(size))
            }
        }
        endRun()
        let made = parts.count == 1 ? parts[0] : builder.add("Concat", parts, name: name, [.int("axis", 0)])
        table.lists[sizes] = made
        return made
    }

    /// A size as a number of a type, of no dimensions.
    func scalar(_ size: Size, _ dtype: DType) throws -> String {
        if let fixed = size.fixed { return builder.number(Float(fixed), dtype) }
        let single = try builder.add("Squeeze", [number(size), builder.integers([0])], name: "sizes/number")
        return builder.add("Cast", [single], name: "sizes/cast", [.int("to", dtype.onnx.rawValue)])
    }

    /// A size as a list of one, int64.
    func number(_ size: Size) throws -> String {
        if let fixed = size.fixed { return builder.integers([fixed]) }
        if let known = table.written[size] { return known }
        let name = try make(size)
        table.written[size] = name
        return name
    }

    private func make(_ size: Size) throws -> String {
        if let known = table[size] {
            return builder.add("Shape", [known.value], name: "sizes/shape", [.int("start", known.axis), .int("end", known.axis + 1)])
        }
        for other in table.all {
            guard let rule = SizeRule(size, of: other.size, probes: graph.probes) else { continue }
            return apply(rule, try number(other.size))
        }
        for (i, a) in table.images.enumerated() {
            for b in table.images[i...] {
                let product = a.size * b.size
                guard product[0] != 0, size[0] % product[0] == 0, product * (size[0] / product[0]) == size else { continue }
                let name = try builder.add("Mul", [number(a.size), number(b.size)], name: "sizes/product")
                return apply(.linear(factor: size[0] / product[0], offset: 0), name)
            }
        }
        throw TensorError("export", "a size is \(size.text) for images of \(described): how it follows from theirs cannot be written")
    }

    /// The images of the recordings.
    private var described: String {
        (0..<graph.probes).map { probe in graph.values[0].shape.map { String($0[probe]) }.joined(separator: "x") }.joined(separator: ", ")
    }

    private func apply(_ rule: SizeRule, _ other: String) -> String {
        switch rule {
        case .linear(let factor, let offset):
            let product = factor == 1 ? other : builder.add("Mul", [other, builder.integers([factor])], name: "sizes/mul")
            return offset == 0 ? product : builder.add("Add", [product, builder.integers([offset])], name: "sizes/add")
        case .quotient(let divisor, let more):
            let sum = more == 0 ? other : builder.add("Add", [other, builder.integers([more])], name: "sizes/add")
            return builder.add("Div", [sum, builder.integers([divisor])], name: "sizes/div")
        }
    }
}
