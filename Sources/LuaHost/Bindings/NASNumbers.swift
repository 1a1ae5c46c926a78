import Search
import Tensors

/// Sums and prices for networks and losses of spaces that are written in Lua.
enum NASNumbers {
    static let all = [sum, price]

    private static let sum = Binding(
        module: "nas", name: "sum", parameters: [Argument("terms", .table, "tensors and numbers at any positions; nil and false are skipped")],
        returns: [Returns(.union([.tensor, .number]), "nil when there is nothing to add", optional: true)],
        summary: "The sum of what is there.",
        detail: "Added from the smallest position on, so the order of the table's making does not matter; positions may have gaps. Numbers only give a number. "
            + "A key that is no whole number is an error: such a table has no order.",
        example: """
            print(nas.sum{[4] = tensor.ones(2), [16] = tensor.ones(2)}:sum():item())  --> 4.0
            print(nas.sum{}, nas.sum{1, false, 2})  --> nil\t3.0
            """
    ) { call in
        guard let table = try call.value(1).table else { throw call.bad(1, "table expected, got \(call.typeName(1))") }
        if let name = table.fields.keys.min() { throw call.bad(1, "a table with positions only expected, got the key '\(name)': tables with names have no order") }
        if let other = table.others.first(where: { $0.key.integer == nil }) {
            throw call.bad(1, "a table with positions only expected, got a key that is a \(other.key.typeName)")
        }
        let others = table.others.map { (position: $0.key.integer ?? 0, value: $0.value) }
        let terms = (table.list.enumerated().map { (position: $0 + 1, value: $1) } + others).sorted { $0.position < $1.position }
        var total: Tensor?, number: Double?
        for (position, value) in terms {
            switch value {
            case .nil, .boolean(false): continue
            case .integer, .number: number = (number ?? 0) + (value.number ?? 0)
            default:
                guard let tensor: Tensor = value.object() else { throw call.bad(1, "element [\(position)] is a \(value.typeName), expected a tensor, a number, nil or false") }
                do { total = try total.map { try $0 + tensor } ?? tensor } catch let error as TensorError {
                    throw call.bad(1, "element [\(position)]: \(error)")
                }
            }
        }
        guard let total else { return number.map { call.push($0) } ?? call.pushNil() }
        return call.push(try number.map { try total + Float($0) } ?? total)
    }

    private static let price = Binding(
        module: "nas", name: "price",
        parameters: [Argument("cost", .union([.tensor, .number]), "one number, usually with a history"), Argument("target", .number, "what it should be, above 0")],
        options: [
            Option("shape", .choice(["above", "both", "log"]), default: "above", "what is dear: more than the target; any distance from it; any ratio to it"),
            Option("weight", .number, default: 1, "of the penalty beside the loss"),
        ],
        returns: [Returns(.tensor, "without dimensions")], summary: "A penalty on the distance of a cost from its target, relative to the target.",
        detail: """
            With r = cost / target: above = weight · max(r - 1, 0), both = weight · |r - 1|, log = weight · |log r|. So a weight means the same for costs of any unit: at twice \
            the target the first two are `weight`, the third 0.69 of it. A cost of 0 has no logarithm.
            """,
        example: """
            local cost = tensor.full({1}, 3e9, {requires_grad = true})
            local price = nas.price(cost, 2e9, {weight = 4})
            price:backward()
            print(price:item(), string.format("%.0e", cost.grad:item()))  --> 2.0\t2e-09
            """
    ) { call in
        let target: Double = try call.get(2)
        guard target > 0, target <= Double(Float.greatestFiniteMagnitude) else { throw call.bad(2, "a target above 0 expected, got \(target)") }
        let weight: Double = try call.option("weight")
        guard weight.isFinite else { throw call.badOption("weight", "a finite number expected, got \(weight)") }
        let shape: String = try call.option("shape")
        let ratio: Tensor
        if let number = try call.plain(1).number {
            guard number.isFinite, number >= 0 else { throw call.bad(1, "a cost of 0 or more expected, got \(number)") }
            if shape == "log", number == 0 { throw call.bad(1, "a cost above 0 expected, which has a logarithm") }
            ratio = try Tensor([Float(number / target)], shape: [])
        } else {
            let cost: Tensor = try call.get(1)
            guard cost.count == 1 else { throw call.bad(1, "one number expected, got \(Shape.text(cost.shape))") }
            ratio = try cost.cast(.float32).reshape([]) / Float(target)
        }
        let distance: Tensor
        switch shape {
        case "log": distance = try ratio.unary(.log).unary(.abs)
        case "both": distance = try (ratio - 1).unary(.abs)
        default: distance = try (ratio - 1).unary(.relu)
        }
        return call.push(try distance * Float(weight))
    }
}
