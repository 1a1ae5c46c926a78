import Networks

/// What loading took over, as scripts get it.
extension LoadReport {
    static let strict = Option("strict", .boolean, default: true, "all names, shapes and types must agree; false takes over what fits")
    static let returns = Returns(.table, "taken, missing, unknown: lists of names; shapes, types: {stored, own} by name where they differ")
    static let detail = "With strict = false names that are only there or only here are left out, and tensors of other shapes or types; what was taken and what was not is returned. "
        + "It is an error when nothing fits, and nothing is changed by an error."

    var value: LuaValue {
        func list(_ names: [String]) -> LuaValue { .table(LuaTable(list: names.map { .string($0) })) }
        func shape(_ sizes: [Int]) -> LuaValue { .table(LuaTable(list: sizes.map { .integer($0) })) }
        let shapes = misfits.map { ($0.name, LuaValue.table(LuaTable(list: [shape($0.stored), shape($0.own)]))) }
        let types = mistypes.map { ($0.name, LuaValue.table(LuaTable(list: [.string("\($0.stored)"), .string("\($0.own)")]))) }
        return .table(LuaTable(fields: [
            "taken": list(taken), "missing": list(missing), "unknown": list(unknown),
            "shapes": .table(LuaTable(fields: Dictionary(shapes, uniquingKeysWith: { $1 }))),
            "types": .table(LuaTable(fields: Dictionary(types, uniquingKeysWith: { $1 }))),
        ]))
    }
}
