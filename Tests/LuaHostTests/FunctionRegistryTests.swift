import XCTest

@testable import LuaHost

/// Every function of the registry that takes a tensor: nobody can add one without these.
final class FunctionRegistryTests: ScriptTestCase {
    /// Runs a script that knows what is registered.
    private func run(_ script: String) throws {
        let scripting = try Scripting()
        defer { scripting.host.close() }
        XCTAssertNil(scripting.run(ScriptTests.prelude))
        let folder = String(#filePath.dropLast("LuaHostTests/FunctionRegistryTests.swift".count)) + "Scripts"
        let registry = Registry.standard
        for (name, list) in [("registered", registry.functionsOfTensors), ("measures", registry.measures), ("layers", registry.layers)] {
            XCTAssertGreaterThan(list.count, 5)
            XCTAssertNil(scripting.run("\(name) = {" + list.map { "'\($0)'" }.joined(separator: ", ") + "}"))
        }
        XCTAssertNil(scripting.run("scripts = '\(folder)'"))
        switch scripting.host.runFile("\(folder)/registry/\(script)", arguments: []) {
        case .done: break
        case .failed(let error): XCTFail("\(error.message)\n\(error.traceback ?? "")")
        default: XCTFail("the script did not end")
        }
    }

    /// A derivative, by differences, or a refusal.
    func testDerivatives() throws { try run("derivatives.lua") }

    /// PyTorch's values and derivatives; measures, too.
    func testGoldenNumbers() throws { try run("golden.lua") }

    /// Code for PyTorch, or an error that says why not; layers, too.
    func testCodeForPyTorch() throws { try run("exports.lua") }
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

    /// "abs_rel": measures of module metrics, and its confusion matrix.
    fileprivate var measures: [String] {
        modules.filter { $0.name == "metrics" }.flatMap(\.bindings).filter { $0.takesTensor || $0.name == "confusion" }.map(\.name)
    }

    /// "nn.conv2d": what makes a module.
    fileprivate var layers: [String] {
        modules.filter { $0.name == "nn" }.flatMap(\.bindings).filter(\.givesModule).map { "nn." + $0.name }
    }
}

extension Binding {
    fileprivate var takesTensor: Bool { (parameters.map(\.kind) + options.map(\.kind)).contains(where: \.holdsTensor) }
    fileprivate var givesModule: Bool {
        guard case .object("module")? = returns.first?.kind else { return false }
        return returns.count == 1
    }
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
