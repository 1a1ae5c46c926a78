import CLua
import Networks
import Search
import Tensors

/// `nas.trellis{cell = function}`: the trellis with cells of a script.
enum ScriptedTrellis {
    /// - Parameters:
    ///   - build: of channels and place {layer, stride, two_back}, returns a module of (two-back or nil, previous).
    static func space(_ space: TrellisSpace, cell build: LuaFunction, _ call: Call) throws -> SpaceObject {
        let anchor = LuaAnchor(call.thread), kept = build.kept(by: anchor), place = Stack.place(call.thread)
        let made = try ModuleSpace { told in
            try TrellisNetwork(space, classes: told.classes ?? 2, cell: { channels, place in
                var fields: [String: LuaValue] = ["layer": .integer(place.layer), "stride": .integer(place.stride)]
                if let gate = place.twoBack { fields["two_back"] = .object(GateObject(gate)) }
                return try kept.call(channels, LuaValue.table(LuaTable(fields: fields)), returning: Module.self, expected: .object("module"), from: "the cell of nas.trellis")
            }, run: { cell, twoBack, previous in
                if let scripted = cell as? ScriptedModule { return try scripted.forward(all: [twoBack.map { LuaValue.object($0) } ?? .nil, LuaValue.object(previous)]) }
                throw HostError("the cell of nas.trellis must be a module of (two_back, previous): nn.module{forward = function(self, two, previous) ... end}")
            }, place: place)
        }
        return try SpaceScripts.made(made, by: build, anchor, call)
    }
}
