import CLua
import Tensors

/// Torch7's indexing: `t[i]`, `t[{i, {first, last}, {}, {i}}]`, `t[mask]`, read and written. Positions count from 1, negative ones from the end.
enum TensorIndexing {
    /// What stands for one dimension in a key.
    private enum Item {
        /// One position; the dimension goes.
        case at(Int)
        /// Positions first ... last (from 0).
        case range(Int, Int)
    }

    static func read(_ call: Call) throws -> Int {
        let tensor: Tensor = try call.this()
        let L = call.thread
        switch lua_type(L, 2) {
        case LUA_TNUMBER:
            let index = try integer(call, 2)
            try checkRank(tensor, 1)
            // Just past the end there is nothing, so that ipairs stops; further out is a mistake.
            if index == tensor.shape[0] + 1 { return call.pushNil() }
            return try push(call, tensor, [.at(call.position(index, size: tensor.shape[0], dimension: 0))])
        case LUA_TTABLE: return try push(call, tensor, items(call, tensor))
        case LUA_TUSERDATA:
            let mask = try call.object(1, as: Tensor.self)
            return call.push(try picked(tensor, mask))
        case LUA_TSTRING: return call.pushNil()
        default: throw HostError("a tensor is indexed by a number, a table or a mask, got \(call.typeName(1))")
        }
    }

    static func write(_ call: Call) throws -> Int {
        let tensor: Tensor = try call.this()
        let L = call.thread
        let items: [Item]
        switch lua_type(L, 2) {
        case LUA_TNUMBER:
            try checkRank(tensor, 1)
            items = [.at(try call.position(integer(call, 2), size: tensor.shape[0], dimension: 0))]
        case LUA_TTABLE: items = try self.items(call, tensor)
        case LUA_TUSERDATA:
            try assign(call, tensor, mask: call.object(1))
            return 0
        case LUA_TSTRING: throw noField(Stack.string(L, 2) ?? "")
        default: throw HostError("a tensor is indexed by a number, a table or a mask, got \(call.typeName(1))")
        }
        if lua_type(L, 3) == LUA_TNUMBER, let index = element(items, tensor) {
            try tensor.setNumber(at: index, call.get(2))
        } else {
            try view(tensor, items).assign(value(call, for: tensor))
        }
        return 0
    }

    // MARK: Keys

    private static func noField(_ name: String) -> HostError {
        let isKnown = Tensor.objectType.fields.contains { $0.name == name }
        return HostError(isKnown ? "field '\(name)' of a tensor can only be read" : "no field '\(name)' to set in a tensor")
    }

    private static func integer(_ call: Call, _ index: Int32) throws -> Int {
        if let value = Stack.integer(call.thread, index) { return value }
        throw HostError("index \(Stack.display(call.thread, index)) is not an integer")
    }

    private static func checkRank(_ tensor: Tensor, _ count: Int) throws {
        if tensor.rank >= count { return }
        throw HostError(
            tensor.rank == 0
                ? "a tensor without dimensions has no positions; item() is its number"
                : "\(count) indices for a tensor of \(tensor.rank) dimension\(tensor.rank == 1 ? "" : "s") \(Shape.text(tensor.shape))")
    }

    /// A table key; dimensions that it does not reach stay whole.
    private static func items(_ call: Call, _ tensor: Tensor) throws -> [Item] {
        let L = call.thread
        let count = Int(lua_rawlen(L, 2))
        try checkRank(tensor, count)
        return try (0..<count).map { axis in
            lua_rawgeti(L, 2, lua_Integer(axis + 1))
            let index = lua_gettop(L)
            defer { clua_pop(L, 1) }
            let size = tensor.shape[axis]
            switch lua_type(L, index) {
            case LUA_TNUMBER: return .at(try call.position(integer(call, index), size: size, dimension: axis))
            case LUA_TTABLE: return try range(call, index, size, axis)
            default:
                throw HostError("index \(axis + 1) is a \(Stack.typeName(L, index)), expected a number or a range such as {1, 2} or {}")
            }
        }
    }

    private static func range(_ call: Call, _ table: Int32, _ size: Int, _ axis: Int) throws -> Item {
        let L = call.thread
        func entry(_ i: Int) throws -> Int {
            lua_rawgeti(L, table, lua_Integer(i))
            defer { clua_pop(L, 1) }
            return try integer(call, lua_gettop(L))
        }
        switch lua_rawlen(L, table) {
        case 0: return .range(0, size - 1)
        case 1:
            let at = try call.position(entry(1), size: size, dimension: axis)
            return .range(at, at)
        case 2:
            let (first, last) = (try entry(1), try entry(2))
            let from = try call.position(first, size: size, dimension: axis), to = try call.position(last, size: size, dimension: axis)
            guard from <= to else { throw HostError("range {\(first), \(last)} of dimension \(axis + 1) ends before it starts") }
            return .range(from, to)
        default: throw HostError("a range has a first and a last position, got \(lua_rawlen(L, table)) values")
        }
    }

    /// The index of the one number that the items select, if they do.
    private static func element(_ items: [Item], _ tensor: Tensor) -> [Int]? {
        guard items.count == tensor.rank else { return nil }
        var index: [Int] = []
        for item in items {
            guard case .at(let position) = item else { return nil }
            index.append(position)
        }
        return index
    }

    // MARK: Reading

    private static func push(_ call: Call, _ tensor: Tensor, _ items: [Item]) throws -> Int {
        guard let index = element(items, tensor) else { return call.push(try view(tensor, items)) }
        let value = try tensor.number(at: index)
        return tensor.dtype == .int32 ? call.push(Int(value)) : call.push(value)
    }

    private static func view(_ tensor: Tensor, _ items: [Item]) throws -> Tensor {
        var (starts, sizes) = (tensor.shape.map { _ in 0 }, tensor.shape)
        for (axis, item) in items.enumerated() {
            guard case .range(let first, let last) = item else { continue }
            (starts[axis], sizes[axis]) = (first, last - first + 1)
        }
        var result = try tensor.slice(starts: starts, sizes: sizes)
        for (axis, item) in items.enumerated().reversed() {
            if case .at(let position) = item { result = try result.select(axis, position) }
        }
        return result
    }

    // MARK: Masks

    private static func checkMask(_ mask: Tensor, of tensor: Tensor) throws {
        guard mask.shape == tensor.shape else {
            throw HostError("mask \(Shape.text(mask.shape)) should have the shape of the tensor \(Shape.text(tensor.shape))")
        }
    }

    private static func positions(_ tensor: Tensor, _ mask: Tensor) throws -> [Int32] {
        try checkMask(mask, of: tensor)
        return try mask.floats().enumerated().compactMap { $1 != 0 ? Int32($0) : nil }
    }

    /// The elements where the mask is not 0, in row-major order.
    static func picked(_ tensor: Tensor, _ mask: Tensor) throws -> Tensor {
        try tensor.reshape([tensor.count]).gather(0, Tensor(ints: positions(tensor, mask)))
    }

    private static func assign(_ call: Call, _ tensor: Tensor, mask: Tensor) throws {
        try checkMask(mask, of: tensor)
        let source = try value(call, for: tensor)
        try tensor.refuseLostHistory(of: source)
        if source.count == 1 {
            let value = try source.cast(tensor.dtype).reshape([])
            try tensor.assign(Tensor.select(mask.compare(.ne, 0).cast(tensor.dtype), value, tensor.detach()))
            return
        }
        let selected = try positions(tensor, mask)
        guard source.count == selected.count else {
            throw HostError("the mask selects \(selected.count) elements, the value has \(source.count)")
        }
        if tensor.dtype == .int32 {
            var values = try tensor.ints()
            for (position, value) in zip(selected, try source.ints()) { values[Int(position)] = value }
            return try tensor.assign(Tensor(ints: values, shape: tensor.shape))
        }
        var values = try tensor.floats()
        for (position, value) in zip(selected, try source.floats()) { values[Int(position)] = value }
        try tensor.assign(Tensor(values, shape: tensor.shape))
    }

    /// An assignment does not cut off what a number on its own may not have. In a compiled function the numbers are not known: there it does.
    private static func refuseFractions(_ value: Tensor) throws {
        guard value.dtype == .float32, !value.isSymbolic else { return }
        guard let fraction = try value.detach().floats().first(where: { $0 != $0.rounded(.towardZero) }) else { return }
        throw HostError("assign: \(fraction) is no int32; int() cuts fractions off, round() rounds")
    }

    /// The assigned value: a number, a tensor or a nested table.
    private static func value(_ call: Call, for target: Tensor) throws -> Tensor {
        if let tensor = Tensor.read(call.thread, 3) {
            if target.dtype == .int32 { try refuseFractions(tensor) }
            return tensor
        }
        if let number = Stack.number(call.thread, 3) { return try Tensor.number(number, target.dtype, for: "assign") }
        guard lua_type(call.thread, 3) == LUA_TTABLE else { throw call.bad(2, "number, tensor or table expected, got \(call.typeName(2))") }
        var reader = NestedTable(isInt: target.dtype == .int32)
        try reader.read(call.thread, 3)
        return target.dtype == .int32 ? try Tensor(ints: reader.ints, shape: reader.shape) : try Tensor(reader.floats, shape: reader.shape)
    }
}

