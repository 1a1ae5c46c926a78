import XCTest

@testable import LuaHost

/// Every function of the registry that takes a tensor has its derivative, by differences, or refuses: nobody can add one without either.
final class DerivativeRegistryTests: ScriptTestCase {
    func testEveryFunctionOfTensors() throws {
        let scripting = try Scripting()
        defer { scripting.host.close() }
        XCTAssertNil(scripting.run(ScriptTests.prelude))
        let names = Registry.standard.functionsOfTensors
        XCTAssertGreaterThan(names.count, 100)
        XCTAssertNil(scripting.run("registered = {" + names.map { "'\($0)'" }.joined(separator: ", ") + "}"))
        let script = String(#filePath.dropLast("LuaHostTests/DerivativeRegistryTests.swift".count)) + "Scripts/registry/derivatives.lua"
        switch scripting.host.runFile(script, arguments: []) {
        case .done: break
        case .failed(let error): XCTFail("\(error.message)\n\(error.traceback ?? "")")
        default: XCTFail("the script did not end")
        }
    }
}

extension Registry {
    /// "tensor:add", "tensor.__add", "nn.cross_entropy": what computes with tensors. Pictures, files, metrics and optimisers read them.
    fileprivate var functionsOfTensors: [String] {
        let readers: Set = ["plot", "metrics", "checkpoint", "optim", "data", "progress", "help"]
        return modules.filter { !readers.contains($0.name) }.flatMap { module in
            module.bindings.filter(\.takesTensor).map { module.name + "." + $0.name }
                + module.types.flatMap { type -> [String] in
                    let isTensor = type.name == "tensor"
                    return type.methods.filter { isTensor || $0.takesTensor }.map { type.name + ":" + $0.name }
                        + type.metamethods.filter { isTensor || $0.takesTensor }.map { type.name + "." + $0.name }
                }
        }.filter { !$0.hasPrefix("module:") && !$0.hasPrefix("nas.") && !$0.hasPrefix("compiled.") && !$0.hasPrefix("confusion") }
    }
}

extension Binding {
    fileprivate var takesTensor: Bool { (parameters.map(\.kind) + options.map(\.kind)).contains(where: \.holdsTensor) }
}

extension Kind {
    fileprivate var holdsTensor: Bool {
        switch self {
        case .object(let name): name == "tensor"
        case .list(let element): element.holdsTensor
        case .union(let kinds): kinds.contains(where: \.holdsTensor)
        default: false
        }
    }
}
