import CKernels
import CLua

/// The host itself.
enum TrellisModule {
    static let version = "0.1.0"

    static let module = LuaModule(
        "trellis", summary: "The host itself: its version, its memory.", bindings: bindings,
        constants: [
            Constant("version", .string, "Version of the host.") { $0.push(version) },
        ])

    static let bindings = [
        Binding(
            module: "trellis", name: "memory", returns: [Returns(.table, "live, peak, lua, limit, objects, collections")],
            summary: "Bytes that tensors and Lua hold, and when the next collection is due.",
            detail: "`live` and `peak` count tensor storage, `lua` the interpreter's own heap, all in bytes. `objects` are the userdata "
                + "alive. When storage passes `limit`, twice what was live after the last collection, garbage is collected.",
            example: "print(trellis.memory().live)",
            body: { call in
                let record = clua_host_of(call.thread).pointee
                return call.push([
                    "live": Int(trellis_memory_live()), "peak": Int(trellis_memory_peak()), "lua": Int(clua_heap_bytes(call.thread)),
                    "limit": Int(record.limit), "objects": Int(record.objects), "collections": Int(record.collections),
                ])
            }),
    ]
}
