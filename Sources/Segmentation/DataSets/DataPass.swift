import Base
import Kernels
import Tensors

// Passes over all samples, on all threads where samples are made from any.
extension DataSet {
    /// Reads all labels: finds every label outside of the classes and every pair of different size before any work is done, and counts the
    /// classes.
    /// - Parameter each: called now and then with the number of samples done, on the calling thread.
    /// - Throws: `FileError` or `DataError` of the first sample that is wrong; `Interrupted`.
    public func inspect(each: (Int) throws -> Void = { _ in }) throws -> DataSummary {
        try requireLabels(for: "counting classes")
        try requireClasses(for: "counting classes", remedy: "data.from takes their names")
        let samples = try pass(each) { index in
            let (labels, size) = (try labels(index), try size(index))
            guard size == labels.size else {
                throw DataError(
                    "\(source(index)) is \(size), its labels are \(labels.size)", remedy: "label and image need the same height and width")
            }
            return SampleCounts(labels)
        }
        return DataSummary(samples, classes: classes.count)
    }

    /// Decodes all images: finds those that are damaged before any work is done.
    /// - Parameter each: as for `inspect`.
    /// - Throws: `FileError` or `DataError` of the first sample whose image cannot be read; `Interrupted`.
    public func verifyImages(each: (Int) throws -> Void = { _ in }) throws { _ = try pass(each) { try verifyImage($0) } }

    /// Runs `body`; its errors say which sample they are of.
    func located<T>(_ index: Int, _ what: String = "sample", _ body: () throws -> T) throws -> T {
        do { return try body() } catch let error as Interrupted { throw error } catch {
            throw DataError("\(what) \(index + 1) of \(name): \(error)")
        }
    }

    /// What `body` makes of each sample, in order. Of several errors that of the first sample is thrown.
    private func pass<Value>(_ each: (Int) throws -> Void, _ body: (Int) throws -> Value) throws -> [Value] {
        var values: [Value] = []
        values.reserveCapacity(count)
        while values.count < count {
            try checkInterrupt()
            let first = values.count
            var block = [Result<Value, any Error>?](repeating: nil, count: min(count - first, 16 * ThreadPool.threads))
            block.withUnsafeMutableBufferPointer { block in
                if needsCaller {
                    for piece in block.indices { block[piece] = Result { try located(first + piece) { try body(first + piece) } } }
                } else {
                    ThreadPool.run(block.count) { piece in block[piece] = Result { try body(first + piece) } }
                }
            }
            for result in block { if let result { values.append(try result.get()) } }
            try each(values.count)
        }
        return values
    }
}
