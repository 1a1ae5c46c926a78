import Base
import CKernels
import CLua
import Kernels
import Tensors

/// The host itself.
enum TrellisModule {
    static let version = "0.1.0"

    static let module = LuaModule(
        "trellis", summary: "The host itself: compiled functions, profiles, checks of numbers, threads, memory, version.", types: [CompiledFunction.objectType, ProfileObject.objectType], bindings: bindings,
        constants: [
            Constant("version", .string, "Version of the host.") { $0.push(version) },
        ])

    static let bindings = [compile, ProfileObject.binding, NumberCheckBinding.binding, TensorHistory.noGrad("trellis"), threads, memory, onInterrupt, stoppable, stopping]

    private static let compile = Binding(
        module: "trellis", name: "compile", parameters: [Argument("f", .function, "of tensors and plain values")], returns: [Returns(.object("compiled"))],
        summary: "Makes a function run as a plan: recorded at its first call, fused, without Lua from then on.",
        detail: "For the steps of a training loop. See the type `compiled` for what is fixed when it is recorded. An error in the function has the traceback of its own lines.",
        example: """
            local net = nn.linear(3, 2)
            local sgd = optim.sgd(net:parameters(), {lr = 0.1})
            local step = trellis.compile(function(x, y)
              local loss = nn.mse_loss(net(x), y)
              sgd:zero_grad(); loss:backward(); sgd:step()
              return loss
            end)
            local x, y = tensor.randn(8, 3, {seed = 1}), tensor.zeros(8, 2)
            local first = step(x, y):item()
            for i = 1, 20 do step(x, y) end
            print(step(x, y):item() < first)  --> true
            """
    ) { call in call.push(CompiledFunction(try call.get(1), on: LuaAnchor(call.thread))) }

    private static let onInterrupt = Binding(
        module: "trellis", name: "on_interrupt", parameters: [Argument("text", .string, optional: true, "one line; nothing brings the trace back")],
        summary: "What the program says, instead of a trace, when Ctrl-C ends the script.",
        detail: "For long jobs: what is kept, and how to go on. The exit status is 130 either way.",
        example: "trellis.on_interrupt('12 of 30 epochs are kept in search; --resume goes on')\ntrellis.on_interrupt()"
    ) { call in
        ScriptHost.of(call.thread).interruptText = try call.get(ifPresent: 1)
        return 0
    }

    private static let stoppable = Binding(
        module: "trellis", name: "stoppable", parameters: [Argument("f", .function, "a long job"), Argument("arguments", .any, variadic: true)],
        returns: [Returns(.any, "what f returns")], summary: "Calls a job that stops by itself when it is asked to, where it can be gone on with.",
        detail: "The first Ctrl-C meanwhile only makes trellis.stopping() true: the job finishes its step, keeps what it has, and returns; then what called it is interrupted. "
            + "A second Ctrl-C interrupts the job at once, as it does elsewhere. `network:fit` does so by itself.",
        example: """
            local done = 0
            trellis.stoppable(function()
              while done < 3 and not trellis.stopping() do done = done + 1 end  -- a step each
            end)
            print(done)  --> 3
            """
    ) { call in
        clua_stoppable_begin()
        defer { clua_stoppable_end() }
        return try call.pass(to: LuaFunction(call.thread, call.index(1)), skipping: 1)
    }

    private static let stopping = Binding(
        module: "trellis", name: "stopping", returns: [Returns(.boolean)], summary: "Whether the job that trellis.stoppable has called is to stop after this step.",
        example: "print(trellis.stopping())  --> false"
    ) { call in call.push(isStopWanted) }

    private static let threads = Binding(
        module: "trellis", name: "threads", parameters: [Argument("count", .integer, optional: true, "from now on")], returns: [Returns(.integer, "in use")],
        summary: "Number of threads that kernels run on; sets it when given.",
        detail: "Results do not depend on it. At the start it is TRELLIS_THREADS or the number of cores.", example: "trellis.threads(1)\nprint(trellis.threads())  --> 1"
    ) { call in
        if let count: Int = try call.get(ifPresent: 1) {
            guard (1...256).contains(count) else { throw call.bad(1, "1 to 256 threads expected, got \(count)") }
            ThreadPool.threads = count
        }
        return call.push(ThreadPool.threads)
    }

    private static let memory = Binding(
        module: "trellis", name: "memory", returns: [Returns(.table, "live, peak, lua, limit, objects, collections")],
        summary: "Bytes that tensors and Lua hold, and when the next collection is due.",
        detail: "`live` and `peak` count tensor storage, `lua` the interpreter's own heap, all in bytes. `objects` are the userdata "
            + "alive. When storage passes `limit`, twice what was live after the last collection, garbage is collected.",
        example: "print(trellis.memory().live)"
    ) { call in
        let record = clua_host_of(call.thread).pointee
        return call.push([
            "live": Int(trellis_memory_live()), "peak": Int(trellis_memory_peak()), "lua": Int(clua_heap_bytes(call.thread)),
            "limit": Int(record.limit), "objects": Int(record.objects), "collections": Int(record.collections),
        ])
    }
}
