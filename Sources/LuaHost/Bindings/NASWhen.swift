import CLua
import Networks
import Search
import Tensors

/// `nas.when`, `nas.mix`, `nas.expect`.
enum WhenBindings {
    static let all = [when, mix, expect]

    private static let when = Binding(
        module: "nas", name: "when",
        parameters: [Argument("handle", .object("gate"), optional: true, "from decision:weight, into or reached; nil: off for good"), Argument("f", .function, "returns a tensor")],
        returns: [Returns(.tensor, "nil for nil", optional: true)], summary: "weight · f(), as a region of the computation.",
        detail: """
            Where the weight is exactly 0 at a run (a hard sample, one architecture), nothing of f is computed: the result counts as zeros, derivatives of everything inside are 0, \
            running statistics inside stay. One recording serves all. What f computes is read outside of it only through the result. Regions nest; what is inside counts for \
            costs with the product of the probabilities.
            """,
        example: "print(nas.when(nil, function() return tensor.ones(2) end))  --> nil"
    ) { call in
        guard call.has(1) else { return call.pushNil() }
        let gate = try call.get(1, as: GateObject.self).gate, body: LuaFunction = try call.get(2)
        return call.push(try gate.when { try body.call(returning: Tensor.self, expected: .tensor, from: "the function of nas.when") })
    }

    private static let mix = Binding(
        module: "nas", name: "mix",
        parameters: [Argument("decision", .object("decision")), Argument("build", .function, "of an option and its position, returns a module; called once for each option but \"none\"")],
        returns: [Returns(.object("module"))], summary: "Σ weight_i · option_i(...): the options of a decision side by side.",
        detail: "In the network of one architecture, the chosen one. Called with what the options' modules take; zeros of the first argument's shape where nothing is on. A decision made "
            + "in `build` matters only where that option is on. Its modules are named by their options.",
        example: DecisionObject.sample + "print(space:supernet{seed = 1}(tensor.zeros(1, 4, 5, 5)):size(2))  --> 4"
    ) { call in
        let decision = try call.get(1, as: DecisionObject.self), build: LuaFunction = try call.get(2)
        let options = decision.options
        return call.push(try ScriptedMix(decision.decision) { name, i in
            try build.call(options.indices.contains(i) ? options[i] : .string(name), i + 1, returning: Module.self, expected: .object("module"), from: "the builder of option '\(name)'")
        } as Module)
    }

    private static let expect = Binding(
        module: "nas", name: "expect", parameters: [Argument("decision", .object("decision")), Argument("numbers", .list(.any), "a tensor or number for each option")],
        returns: [Returns(.tensor)], summary: "Σ weight_i · numbers_i: a searched size, by masks or numbers that belong to the options.",
        detail: "In the network of one architecture, what belongs to the chosen one.",
        example: """
            local space = nas.space(function(c)
              local width = nas.number('width', 1, 3)
              return nn.lambda(function(x) return x * nas.expect(width, {1, 2, 3}) end)
            end)
            print(space:network(space:random{seed = 1})(tensor.ones(1)):item() <= 3)  --> true
            """
    ) { call in
        let decision = try call.get(1, as: DecisionObject.self).decision
        let numbers = try call.get(2, as: [LuaValue].self).enumerated().map { i, value in
            if let tensor: Tensor = value.object() { return tensor }
            guard let number = value.number else { throw call.bad(2, "element \(i + 1) is a \(value.typeName), expected a tensor or a number") }
            return try Tensor.scalar(Float(number))
        }
        return call.push(try decision.expect(numbers))
    }
}

/// A mix whose options' modules may take whatever functions of a script take.
final class ScriptedMix: Mix {
    /// The options on the arguments of a call from Lua.
    func call(_ call: Call) throws -> Int {
        guard let x = Tensor.read(call.thread, call.index(1)) else { throw call.mismatch(call.index(1), expected: "tensor") }
        let rest = try (1...max(call.count, 1)).map { try call.value($0) }
        return call.push(try computing {
            try sum(like: x) { module in
                guard let scripted = module as? ScriptedModule else {
                    guard rest.count == 1 else { throw HostError("\(module.kind): one tensor expected, got \(rest.count) values") }
                    return try module(x)
                }
                return try scripted.forward(all: rest)
            }
        })
    }
}
