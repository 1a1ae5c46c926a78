import Networks
import Search
import Tensors

/// Methods of supernets: what they have, and files.
enum SupernetStateMethods {
    private static func method(
        _ name: String, _ parameters: [Argument] = [], options: [Option] = [], returns: [Returns] = [], _ summary: String, _ detail: String = "",
        example: String, body: @escaping Body
    ) -> Binding {
        SupernetMethods.method(name, parameters, options: options, returns: returns, summary, detail, example: example, body: body)
    }

    static let all: [Binding] = [
        method(
            "parameters", returns: [Returns(.object("parameters"))], "Weights and logits, named by their paths.",
            "Paths count layers, blocks and states from 1: \"nodes.3.16.block.2.1.sep_conv_3x3.depthwise1.weight\".", example: "print(#supernet:parameters() - #supernet:weights())  --> 2"
        ) { call in call.push(ParameterList(try call.this(as: SupernetObject.self).net.parameters())) },
        method(
            "buffers", returns: [Returns(.object("parameters"))], "Running statistics of the batch norms, for each arrow by itself.", example: "print(#supernet:buffers() > 0)  --> true"
        ) { call in call.push(ParameterList(try call.this(as: SupernetObject.self).net.buffers())) },
        method(
            "child", [Argument("path", .string, "names joined by dots, or \"\" for the whole")], returns: [Returns(.object("module"))], "The module at a path.",
            example: "print(supernet:child('stem.1').kind)  --> conv_bn_relu"
        ) { call in
            let path: String = try call.get(1)
            var module: Module = try call.this(as: SupernetObject.self).net
            for name in path.split(separator: ".").map(String.init) {
                guard let next = module.children.first(where: { $0.name == name }) else {
                    throw call.bad(1, "no module '\(name)' in \(module.kind), there are \(module.children.map(\.name).joined(separator: ", "))")
                }
                module = next.module
            }
            return call.push(module)
        },
        method(
            "train", [Argument("on", .boolean, default: true)], returns: [Returns(.object("supernet"))], "Calls use the batch's statistics.",
            "`step` always does, `scores` and `predict` by themselves do not.", example: "print(supernet:train(false).training)  --> false"
        ) { call in
            try call.this(as: SupernetObject.self).net.train(call.get(1))
            return call.pushThis()
        },
        method("eval", returns: [Returns(.object("supernet"))], "Calls use the running statistics.", example: "print(supernet:eval().training)  --> false") { call in
            try call.this(as: SupernetObject.self).net.eval()
            return call.pushThis()
        },
        method(
            "recordings", returns: [Returns(.integer)], "How often its computation was written down.",
            """
            Once for each optimiser, kind of result and size of batch, and once more of each for all architectures that it is at (`at`); anew when parameters were frozen or \
            thawed, or when an upvalue, field or global that an operator in Lua read has changed. A recording takes as long as many steps.
            """,
            example: "supernet:predict(tensor.zeros(1, 3, 16, 16))\nsupernet:predict(tensor.ones(1, 3, 16, 16))\nprint(supernet:recordings())  --> 1"
        ) { call in call.push(try call.this(as: SupernetObject.self).net.recordingCount) },
        method(
            "count", returns: [Returns(.table, "parameters: numbers of the weights; architecture: of the logits; tensors, buffers")], "How large the network is.",
            example: "print(supernet:count().architecture)  --> 16"
        ) { call in
            let net = try call.this(as: SupernetObject.self).net
            let weights = net.weights()
            return call.push([
                "parameters": weights.reduce(0) { $0 + $1.tensor.count }, "tensors": weights.count,
                "architecture": net.architecture().reduce(0) { $0 + $1.tensor.count }, "buffers": net.buffers().reduce(0) { $0 + $1.tensor.count },
            ])
        },
        method(
            "state", returns: [Returns(.table, "tensors by path")], "Copies of all parameters and running statistics.", example: "print(supernet:state().alpha:size(1))  --> 2"
        ) { call in
            call.push(try call.this(as: SupernetObject.self).net.stateCopies())
        },
        method(
            "load_state", [Argument("state", .table, "what `state` returned")], returns: [LoadReport.returns], "Copies stored values in.", "Names and shapes must agree.",
            example: "supernet:load_state(supernet:state())"
        ) { call in
            call.push(try call.this(as: SupernetObject.self).net.load(call.namedTensors(1)).value)
        },
        method(
            "save", [Argument("path", .string, "ends in .safetensors")], "Writes parameters, running statistics and the space's configuration.",
            "Whole or not at all. Optimisers have their own `save`.", example: "supernet:save('supernet.safetensors')\nprint(tensor.load('supernet.safetensors').alpha:size(2))  --> 2"
        ) { call in
            try call.this(as: SupernetObject.self).net.save(to: call.get(1))
            return 0
        },
        method(
            "load", [Argument("path", .string)], returns: [Returns(.object("supernet")), LoadReport.returns], "Reads what `save` wrote, or the parameters of a golden file.",
            "A golden file has `param.` before the names and may hold edges that do not exist. A file of another space is an error that names the first difference; nothing is taken over then.",
            example: "supernet:save('supernet.safetensors')\nprint(space:supernet{classes = 3, seed = 2}:load('supernet.safetensors'):alpha():equal(supernet:alpha()))  --> true"
        ) { call in
            let report = try call.this(as: SupernetObject.self).net.load(call.get(1) as String)
            return call.pushThis() + call.push(report.value)
        },
        method(
            "plan", [Argument("optimiser", .object("optimiser")), Argument("images", .tensor), Argument("labels", .tensor)],
            returns: [Returns(.table, "kernels, arena_bytes, operations: counts by name")], "What a step with this optimiser on such a batch runs.",
            example: """
                local sgd = optim.sgd(supernet:weights(), {lr = 0.025})
                print(supernet:plan(sgd, tensor.zeros(1, 3, 16, 16), tensor.zeros(1, 16, 16, {dtype = 'int32'})).kernels > 10)  --> true
                """
        ) { call in
            let net = try call.this(as: SupernetObject.self).net
            let plan = try net.stepPlan(call.object(1, as: Optimiser.self), [call.get(2), call.get(3)])
            let operations = plan.summary.map { ($0.name, LuaValue.integer($0.count)) }
            return call.push(LuaValue.table(LuaTable(fields: [
                "kernels": .integer(plan.stepCount), "arena_bytes": .integer(plan.arenaBytes),
                "operations": .table(LuaTable(fields: Dictionary(operations, uniquingKeysWith: { $1 }))),
            ])))
        },
    ]
}
