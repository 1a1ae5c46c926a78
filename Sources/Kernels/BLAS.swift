import CKernels
import Glibc

/// OpenBLAS, loaded at the first large product: opening it takes some 8 ms, which a start of the program must not pay.
enum BLAS {
    typealias Product = @convention(c) (
        Int32, Int32, Int32, Int32, Int32, Int32, Float, UnsafePointer<Float>, Int32, UnsafePointer<Float>, Int32, Float,
        UnsafeMutablePointer<Float>, Int32
    ) -> Void

    /// cblas_sgemm on the calling thread alone; nil where the library is not installed.
    static let product: Product? = load()

    private static func load() -> Product? {
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
        return unsafeBitCast(symbol, to: Product.self)
    }
}
