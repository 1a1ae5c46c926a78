import CKernels
import Glibc
import Synchronization

/// OpenBLAS, loaded at the first large product: opening it takes some 8 ms, which a start of the program must not pay.
enum BLAS {
    typealias Product = @convention(c) (
        Int32, Int32, Int32, Int32, Int32, Int32, Float, UnsafePointer<Float>, Int32, UnsafePointer<Float>, Int32, Float,
        UnsafeMutablePointer<Float>, Int32
    ) -> Void

    /// cblas_sgemm on the calling thread alone; nil where the library is not installed, or its buffers cannot be had.
    static func product() -> Product? {
        let threads = ThreadPool.threads
        // The library waits for ever for a buffer that it does not get.
        return buffers.load(ordering: .acquiring) >= threads || reserve(threads) ? library?.product : nil
    }

    private struct Library {
        let product: Product
        let takeBuffer: (@convention(c) (Int32) -> UnsafeMutableRawPointer?)?
        let leaveBuffer: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?
    }

    private static let library: Library? = load()

    /// Products at a time that the library has buffers for; it keeps them.
    private static let buffers = Atomic(0)
    private static let reserving = Mutex(())

    /// A buffer's addresses, as the library is built for x86-64, and those of its code and tables. Of the memory little is touched.
    private static let bufferBytes: Int64 = 128 << 20, codeBytes: Int64 = 64 << 20

    /// Has the library take its buffers for so many products at a time, if the limits of address space leave room for them.
    private static func reserve(_ threads: Int) -> Bool {
        reserving.withLock { _ in
            let present = buffers.load(ordering: .relaxed)
            guard present < threads else { return true }
            let room = trellis_memory_room(), isOfAddresses = room.limit == TRELLIS_LIMIT_ADDRESS_SPACE || room.limit == TRELLIS_LIMIT_DATA
            if isOfAddresses, room.bytes < Int64(threads - present) * bufferBytes + (present == 0 ? codeBytes : 0) { return false }
            if let take = library?.takeBuffer, let leave = library?.leaveBuffer {
                for buffer in (0..<threads).map({ _ in take(0) }) { leave(buffer) }
            }
            buffers.store(threads, ordering: .releasing)
            return true
        }
    }

    private static func load() -> Library? {
        // Version 0.3.21 takes processors younger than itself for Haswells: up to twice as slow as with AVX-512.
        if InstructionSet.current == .v4 { setenv("OPENBLAS_CORETYPE", "SkylakeX", 0) }
        // Its threads and ours would fight for the cores (2 x 20 us of our work took 146 us after a product on two of its).
        setenv("OPENBLAS_NUM_THREADS", "1", 0)
        guard let library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL),
            let symbol = dlsym(library, "cblas_sgemm")
        else { return nil }
        if let setter = dlsym(library, "openblas_set_num_threads") {
            unsafeBitCast(setter, to: (@convention(c) (Int32) -> Void).self)(1)
        }
        return Library(
            product: unsafeBitCast(symbol, to: Product.self),
            takeBuffer: dlsym(library, "blas_memory_alloc").map { unsafeBitCast($0, to: (@convention(c) (Int32) -> UnsafeMutableRawPointer?).self) },
            leaveBuffer: dlsym(library, "blas_memory_free").map { unsafeBitCast($0, to: (@convention(c) (UnsafeMutableRawPointer?) -> Void).self) })
    }
}
