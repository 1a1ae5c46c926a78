import Foundation
import Kernels
import Networks
import ONNX
import Search
import Tensors

// Times the published network (nas.gallery.auto_deeplab) on one image in evaluation mode. With `--serve` it runs the network once for each line it
// reads and answers with the milliseconds it took: `scripts/bench infer` alternates such runs with ONNX Runtime's on the same network, which `--export`
// writes, with `--images` what goes in and `--scores` what comes out.

func option(_ name: String, _ fallback: Int) -> Int {
    guard let i = CommandLine.arguments.firstIndex(of: "--" + name), i + 1 < CommandLine.arguments.count else { return fallback }
    return Int(CommandLine.arguments[i + 1]) ?? fallback
}

func path(_ name: String) -> String? {
    guard let i = CommandLine.arguments.firstIndex(of: "--" + name), i + 1 < CommandLine.arguments.count else { return nil }
    return CommandLine.arguments[i + 1]
}

func say(_ report: [String: Any]) throws {
    print(String(decoding: try JSONSerialization.data(withJSONObject: report, options: [.sortedKeys]), as: UTF8.self))
    fflush(nil)
}

let (height, width) = (option("height", 513), option("width", 1025))
ThreadPool.threads = option("threads", 2)
let network = try DerivedNetwork(Gallery.autoDeepLab, DerivedOptions(filters: option("filters", 20), classes: option("classes", 19)), seed: 1)
let images = try Tensor.random(.normal(mean: 0, deviation: 1), [1, 3, height, width], from: RandomState(seed: 2))
// Statistics that are not those of a fresh network: one pass in training mode on small images.
try GradientMode.disabled { _ = try network(Tensor.random(.normal(mean: 0, deviation: 1), [2, 3, 129, 129], from: RandomState(seed: 3))) }
network.eval()

let run = Compiled { [try network($0[0])] }
@MainActor func time() throws -> Double {
    let start = PlanProfile.now()
    _ = try GradientMode.disabled { try run([images]) }
    return (PlanProfile.now() - start) * 1000
}

let start = PlanProfile.now()
let plan = try GradientMode.disabled { try run.plan(for: [images]) }
var report: [String: Any] = ["compile_ms": (PlanProfile.now() - start) * 1000, "kernels": plan.stepCount, "arena_mb": plan.arenaBytes >> 20]
report["parameters"] = network.parameterCount
report["gflop"] = 2 * Double(try GradientMode.disabled { try Recording.measure(images.shape) { try network($0) } }.multiplyAdds) / 1e9
report["peak_gflops"] = Machine.peakGFLOPS()
let scores = try GradientMode.disabled { try run([images]) }[0]
if let file = path("export") { try ONNXFile.write(network, to: file, ONNXFile.Options(height: height, width: width, anySize: false)) }
if let file = path("images") { try images.save(file) }
if let file = path("scores") { try scores.save(file) }

if CommandLine.arguments.contains("--serve") {
    try say(report)
    while readLine() != nil { print(try time()); fflush(nil) }
} else {
    report["ms"] = (0..<max(option("steps", 5), 1)).map { _ in (try? time()) ?? .infinity }.min()
    try say(report)
}
if CommandLine.arguments.contains("--profile") {
    let profile = PlanProfile()
    _ = try profile.measure { try time() }
    for (label, entry) in profile.byOperation.prefix(24) {
        FileHandle.standardError.write(Data(String(format: "  %9.2f ms %7d calls  %@\n", entry.seconds * 1000, entry.calls, label).utf8))
    }
}
