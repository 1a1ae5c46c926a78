import Base
import Tensors

/// `trellis.check_numbers`.
enum NumberCheckBinding {
    static let binding = Binding(
        module: "trellis", name: "check_numbers",
        parameters: [Argument("f", .any, "a function, a compiled one too"), Argument("arguments", .any, variadic: true, "what it is called with")],
        returns: [Returns(.string, "where numbers first were not finite; nil when all were", optional: true)],
        summary: "Calls a function once and tells which operation of which module first gave NaN or infinity.",
        detail: """
            For loops of one's own; `fit` and `supernet:step` do it themselves when a loss is not finite. Operations that run at once are looked at as they run. Compiled functions \
            and steps are first computed operation by operation, which changes nothing, and then run as ever. An infinity may be meant (a mask before a softmax), so when NaN \
            follows both are told. Numbers that were not finite from the start (weights, inputs) are told as such: call it before a step has written them into the weights. What \
            an optimiser's step does is not looked at.
            """,
        example: """
            local net = nn.sequential{nn.linear(2, 2), nn.relu()}
            print(trellis.check_numbers(net, tensor.ones(1, 2)))  --> nil
            print(trellis.check_numbers(function(x) return (x - 1):log() end, tensor.ones(2)))  --> first infinity in log
            """
    ) { call in
        let check = NumberCheck()
        do {
            _ = try check.watch { try call.pass(to: LuaFunction(call.thread, call.index(1)), skipping: 1) }
        } catch {
            // What was found may be why it failed.
            guard check.text != nil, !(error is Interrupted) else { throw error }
        }
        return call.push(check.text)
    }
}
