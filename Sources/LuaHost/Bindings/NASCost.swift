import CLua
import Search
import Tensors

/// A kind of cost as Lua holds it.
public final class CostKindObject: LuaObject {
    let kind: CostKind
    init(_ kind: CostKind) { self.kind = kind }

    public static let objectType = ObjectType(
        "cost_kind", of: CostKindObject.self, summary: "What is counted of a network: nas.cost.multiply_adds and its kin.",
        fields: [Field("name", .string, "Its name.", of: { (c: CostKindObject) in c.kind.name })], describe: { "cost: \($0.kind.name)" })
}

/// `nas.cost`.
enum CostBindings {
    static let constants: [Constant] = [
        constant(.multiplyAdds, "Multiply-adds of convolutions and matrix products: the field's usual count."),
        constant(.parameters, "Trained numbers; each tensor counts once."),
        constant(.activations, "Floats that operations make, views aside."),
    ]

    private static func constant(_ kind: CostKind, _ doc: String) -> Constant {
        Constant("cost." + kind.name, .object("cost_kind"), doc) { call in call.push(CostKindObject(kind)) }
    }

    static let kind = Argument(
        "kind", .union([.object("cost_kind"), .function]), "nas.cost.multiply_adds, parameters, activations; or a function of an operation's name, the shapes of its inputs and its own, returns a number")

    static func kind(_ call: Call, _ i: Int) throws -> CostKind {
        if let object = try call.value(i).object(as: CostKindObject.self) { return object.kind }
        let box = Unshared(try call.get(i, as: LuaFunction.self))
        return CostKind("a function") { operation, inputs, output in
            let shapes = inputs.map { LuaValue.table(LuaTable(list: $0.map { .integer($0) })) }
            return try box.value.call(
                operation.name, LuaValue.table(LuaTable(list: shapes)), output, returning: Double.self, expected: .number, from: "the cost function")
        }
    }

    /// What stays on the thread of its Lua state.
    private struct Unshared<T>: @unchecked Sendable {
        let value: T
        init(_ value: T) { self.value = value }
    }
}
