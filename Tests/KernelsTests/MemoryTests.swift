import CKernels
import Foundation
import XCTest

@testable import Kernels

/// What can be had, by files that say so, and what becomes of kernels when it is not enough.
final class MemoryTests: XCTestCase {
    private var root = ""

    override func setUpWithError() throws {
        root = FileManager.default.temporaryDirectory.appendingPathComponent("trellis-memory-\(UUID().uuidString)").path
        try write("proc/meminfo", "MemTotal: 9000000 kB\nMemFree: 1 kB\nMemAvailable:    4000000 kB\n")
        trellis_memory_look_below(root)
    }

    override func tearDown() {
        trellis_memory_look_below(nil)
        trellis_memory_on_pressure(nil)
        _ = trellis_memory_take_missing()
        try? FileManager.default.removeItem(atPath: root)
    }

    private func write(_ path: String, _ text: String) throws {
        let url = URL(fileURLWithPath: root + "/" + path)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: url, atomically: false, encoding: .utf8)
    }

    private func expect(_ bytes: Int64, _ limit: Int, line: UInt = #line) {
        trellis_memory_look_below(root)
        let now = trellis_memory_available()
        XCTAssertEqual(now.bytes, bytes, line: line)
        XCTAssertEqual(Int(now.limit), limit, line: line)
    }

    func testMachine() { expect(4_000_000 * 1024, TRELLIS_LIMIT_MACHINE) }

    func testControlGroupsOfVersion2() throws {
        try write("proc/self/cgroup", "0::/work/job\n")
        try write("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n")
        try write("sys/fs/cgroup/work/job/memory.max", "max\n")
        try write("sys/fs/cgroup/work/job/memory.current", "100\n")
        expect(4_000_000 * 1024, TRELLIS_LIMIT_MACHINE)
        // A group further up binds; file cache that can go does not count as used.
        try write("sys/fs/cgroup/work/memory.max", "1000000\n")
        try write("sys/fs/cgroup/work/memory.current", "900000\n")
        try write("sys/fs/cgroup/work/memory.stat", "anon 500\nfile 300000\ninactive_file 200000\nactive_file 50000\n")
        expect(350_000, TRELLIS_LIMIT_GROUP)
        try write("sys/fs/cgroup/work/job/memory.max", "300\n")
        expect(200, TRELLIS_LIMIT_GROUP)
        try write("sys/fs/cgroup/work/job/memory.current", "5000\n")
        expect(0, TRELLIS_LIMIT_GROUP)
    }

    func testControlGroupsOfAContainer() throws {
        // Version 1, of whose hierarchy only the container's own part is mounted; and the unified one beside it, without the controller.
        try write("proc/self/cgroup", "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/../other\n")
        try write(
            "proc/self/mountinfo",
            "30 23 0:26 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n31 23 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n")
        try write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
        expect(4_000_000 * 1024, TRELLIS_LIMIT_MACHINE)
        try write("sys/fs/cgroup/memory/memory.limit_in_bytes", "2000000\n")
        try write("sys/fs/cgroup/memory/memory.usage_in_bytes", "1500000\n")
        try write("sys/fs/cgroup/memory/memory.stat", "inactive_file 7\ntotal_inactive_file 100000\ntotal_active_file 0\n")
        expect(600_000, TRELLIS_LIMIT_GROUP)
    }

    /// 40 MB: what is always left over and some more.
    private func leaveLittle() throws {
        try write("proc/meminfo", "MemAvailable: 40000 kB\n")
        trellis_memory_look_below(root)
    }

    func testWhatIsRefused() throws {
        try leaveLittle()
        XCTAssertTrue(trellis_memory_admits(8 << 20))
        XCTAssertFalse(trellis_memory_admits(64 << 20))
        XCTAssertFalse(trellis_memory_admits(Int.max))
        XCTAssertNil(trellis_memory_take(64 << 20))
        // What is kept for later goes first.
        trellis_memory_on_pressure { MemoryTests.relieved += 1 }
        let before = MemoryTests.relieved
        XCTAssertNil(trellis_memory_take(64 << 20))
        XCTAssertGreaterThan(MemoryTests.relieved, before)
        trellis_memory_look_below(nil)
        let block = try XCTUnwrap(trellis_memory_take(64 << 20))
        XCTAssertEqual(Int(bitPattern: block) & 63, 0)
        free(block)
    }
    nonisolated(unsafe) private static var relieved = 0

    /// Every pass of convolutions of several kinds, whose scratch of each size cannot be had: the kernels return, and say so.
    func testKernelsWithoutScratch() throws {
        let shapes = [
            ConvShape(batch: 2, inChannels: 3, inHeight: 700, inWidth: 700, outChannels: 4, kernelHeight: 3, kernelWidth: 3, padHeight: 1, padWidth: 1),
            ConvShape(batch: 1, inChannels: 2, inHeight: 1200, inWidth: 1200, outChannels: 2, kernelHeight: 3, kernelWidth: 3, padHeight: 1, padWidth: 1, groups: 2),
            ConvShape(batch: 1, inChannels: 2, inHeight: 1200, inWidth: 1200, outChannels: 2, kernelHeight: 2, kernelWidth: 3, padHeight: 1, padWidth: 1, groups: 2),
            ConvShape(batch: 1, inChannels: 640, inHeight: 8, inWidth: 8, outChannels: 640, kernelHeight: 3, kernelWidth: 3, padHeight: 1, padWidth: 1),
        ]
        for (i, s) in shapes.enumerated() {
            let x = UnsafeMutablePointer<Float>.allocate(capacity: s.batch * s.inImage), y = UnsafeMutablePointer<Float>.allocate(capacity: s.batch * s.outImage)
            let w = UnsafeMutablePointer<Float>.allocate(capacity: s.weights)
            defer { [x, y, w].forEach { $0.deallocate() } }
            x.initialize(repeating: 1, count: s.batch * s.inImage)
            y.initialize(repeating: 1, count: s.batch * s.outImage)
            w.initialize(repeating: 1, count: s.weights)
            let passes: [() -> Void] = [
                { Convolution.forward(s, input: x, weight: w, output: y) }, { Convolution.inputGradient(s, gradient: y, weight: w, output: x) },
                { Convolution.weightGradient(s, input: x, gradient: y, output: w) }, { Convolution.infer(s, input: x, weight: w, output: y, .init()) },
            ]
            for (j, pass) in passes.enumerated() {
                trellis_workspace_free()
                ThreadPool.threads = ThreadPool.threads  // the workers' scratch goes with them
                try write("proc/meminfo", "MemAvailable: 24600 kB\n")
                trellis_memory_look_below(root)
                pass()
                XCTAssertGreaterThan(trellis_memory_take_missing(), 0, "shape \(i), pass \(j)")
                trellis_memory_look_below(nil)
                pass()
                XCTAssertEqual(trellis_memory_take_missing(), 0, "shape \(i), pass \(j)")
            }
        }
    }

    func testWhatAPieceMissesIsTheCallersConcern() throws {
        try leaveLittle()
        let threads = ThreadPool.threads
        defer { ThreadPool.threads = threads }
        for count in [1, 3] {
            ThreadPool.threads = count
            ThreadPool.run(16) { piece in if piece == 13 { trellis_memory_miss(77) } }
            XCTAssertEqual(trellis_memory_take_missing(), 77, "\(count) threads")
            ThreadPool.run(16) { _ in }
            XCTAssertEqual(trellis_memory_take_missing(), 0, "\(count) threads")
        }
        XCTAssertFalse(Workspace.withTemporary(Double.self, 100_000_000) { _ in XCTFail("there is no such memory") })
        XCTAssertEqual(trellis_memory_take_missing(), 800_000_000)
    }
}
