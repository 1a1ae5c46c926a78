// swift-tools-version:6.0
import PackageDescription

/// The numeric kernels are one source compiled three times, once per x86-64 level; the level is chosen at start.
/// `-Ounchecked` is set for debug builds too: an unoptimised kernel is hundreds of times slower.
func kernels(_ name: String, march: String) -> Target {
    .target(
        name: name, dependencies: ["CKernels"],
        swiftSettings: [.define(name), .unsafeFlags(["-Ounchecked", "-Xcc", "-march=" + march])])
}

/// Debug builds, and with them all tests, check at run time that accesses do not overlap; in release builds that costs small operations a tenth.
let host: [SwiftSetting] = [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]

let package = Package(
    name: "trellis",
    products: [.executable(name: "trellis", targets: ["trellis"])],
    dependencies: [.package(url: "https://github.com/apple/swift-protobuf", exact: "1.39.0")],
    targets: [
        // What Debian provides.
        .systemLibrary(name: "CLuaSystem", pkgConfig: "lua5.4", providers: [.apt(["liblua5.4-dev"])]),
        .systemLibrary(name: "CReadline", providers: [.apt(["libreadline-dev"])]),
        .systemLibrary(name: "CCairo", pkgConfig: "cairo", providers: [.apt(["libcairo2-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
        .systemLibrary(name: "CMarkdown", providers: [.apt(["libcmark-gfm-dev", "libcmark-gfm-extensions-dev"])]),
        .systemLibrary(name: "CJPEG", pkgConfig: "libjpeg", providers: [.apt(["libjpeg-dev"])]),

        // Float loops over raw buffers.
        .target(name: "CKernels"),
        kernels("KernelsV2", march: "x86-64-v2"),
        kernels("KernelsV3", march: "x86-64-v3"),
        kernels("KernelsV4", march: "x86-64-v4"),
        .target(name: "Kernels", dependencies: ["Base", "CKernels", "KernelsV2", "KernelsV3", "KernelsV4"], swiftSettings: host),

        // What every part may need and that needs none: files, locks, memory, JSON, texts of numbers, names that were meant.
        .target(name: "Base", dependencies: ["CKernels"]),
        // Shapes, storage, graph, derivatives, plans; then what is built on them. Imports go down only.
        .target(name: "Tensors", dependencies: ["Base", "Kernels", "CKernels", "CZlib"], swiftSettings: host),
        .target(name: "Networks", dependencies: ["Base", "Tensors", "Kernels", "CKernels"], swiftSettings: host),
        // libpng and libjpeg report errors by longjmp; their calls stay in C.
        .target(
            name: "CImage", dependencies: ["CPNG", "CJPEG", "CKernels"], linkerSettings: [.linkedLibrary("png"), .linkedLibrary("jpeg")]),
        .target(name: "Segmentation", dependencies: ["Base", "CKernels", "Kernels", "Networks", "Tensors", "CImage"], swiftSettings: host),
        .target(name: "Figures", dependencies: ["Base", "CCairo", "CKernels"]),
        .target(name: "Search", dependencies: ["Base", "Networks", "Tensors"], swiftSettings: host),
        // The way out: networks as ONNX files. The .proto is what Format/onnx.pb.swift was generated from.
        .target(
            name: "ONNX", dependencies: ["Base", "Networks", "Tensors", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
            exclude: ["Format/onnx.proto"]),
        // Another: networks as PyTorch code.
        .target(name: "PyTorch", dependencies: ["Networks", "Tensors"]),
        // What searches and trainings leave: cards, settings, logs, TensorBoard's event files. The .proto is what Format/events.pb.swift was generated from.
        .target(
            name: "Runs", dependencies: ["Base", "Tensors", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
            exclude: ["Format/events.proto"]),

        // libzmq and libsodium, opened when a kernel starts.
        .target(name: "CZmq"),
        // Jupyter's protocol: messages, signatures, the sockets and their thread.
        .target(name: "Jupyter", dependencies: ["Base", "CZmq", "Tensors"]),
        // Notebooks as data: cells, what they showed, files that hold them.
        .target(name: "Notebook", dependencies: ["Base", "CMarkdown", "Figures", "Tensors"]),

        // Built-in results of trainings (scripts/truth.lua).
        .target(name: "CTruth", exclude: ["streets.json"]),

        // The host: the only part that knows Lua.
        .target(
            name: "CLua", dependencies: ["CLuaSystem", "CReadline", "CKernels"], linkerSettings: [.linkedLibrary("readline")]),
        .target(
            name: "LuaHost",
            dependencies: ["CLua", "CKernels", "CTruth", "Base", "Kernels", "Tensors", "Networks", "Segmentation", "Figures", "Search", "ONNX", "PyTorch", "Runs", "Notebook", "Jupyter"], swiftSettings: host),
        // At a fixed address: else 100 000 relocations are a tenth of the time that it takes to start.
        .executableTarget(
            name: "trellis", dependencies: ["LuaHost"], linkerSettings: [.unsafeFlags(["-Xclang-linker", "-no-pie"], .when(configuration: .release))]),

        // Times kernels for scripts/bench.
        .executableTarget(name: "trellis-bench", dependencies: ["Kernels"], path: "Sources/bench"),
        // Times calls from Lua for scripts/bench.
        .executableTarget(name: "trellis-bench-host", dependencies: ["LuaHost"], path: "Sources/bench-host"),
        // Times a search step for scripts/bench.
        .executableTarget(name: "trellis-bench-search", dependencies: ["Kernels", "Tensors", "Networks", "Search", "LuaHost"], path: "Sources/bench-search"),
        // Times the published network on an image for scripts/bench.
        .executableTarget(name: "trellis-bench-infer", dependencies: ["Kernels", "Tensors", "Networks", "Search", "ONNX"], path: "Sources/bench-infer"),

        .testTarget(name: "KernelsTests", dependencies: ["Kernels"], exclude: ["Golden"]),
        .testTarget(name: "BaseTests", dependencies: ["Base"]),
        .testTarget(name: "TensorsTests", dependencies: ["Base", "Kernels", "Tensors"], exclude: ["Files/Fixtures"]),
        .testTarget(name: "NetworksTests", dependencies: ["Networks"]),
        .testTarget(name: "SegmentationTests", dependencies: ["Base", "CKernels", "Kernels", "Tensors", "Networks", "Segmentation"], exclude: ["Fixtures"]),
        .testTarget(name: "FiguresTests", dependencies: ["Base", "Figures"]),
        .testTarget(name: "NotebookTests", dependencies: ["Base", "Figures", "Notebook", "Tensors"]),
        .testTarget(name: "JupyterTests", dependencies: ["Base", "CZmq", "Jupyter", "Tensors"]),
        .testTarget(name: "SearchTests", dependencies: ["Base", "Kernels", "Tensors", "Networks", "Search"], exclude: ["Fixtures"]),
        .testTarget(name: "RunsTests", dependencies: ["Base", "Runs"]),
        .testTarget(name: "PyTorchTests", dependencies: ["Tensors", "Networks", "PyTorch"]),
        .testTarget(name: "ONNXTests", dependencies: ["Tensors", "Networks", "ONNX"]),
        .testTarget(name: "LuaHostTests", dependencies: ["Base", "CKernels", "CLua", "Figures", "Notebook", "Tensors", "Networks", "Segmentation", "Search", "LuaHost", "trellis"]),
    ],
    swiftLanguageModes: [.v6]
)
