import Foundation
import XCTest
@testable import Kernels

/// What PyTorch computes (Golden/kernels.json, written by Golden/make_golden.py).
final class GoldenTests: XCTestCase {
    private struct Option: Decodable {
        let number: Double
        let text: String

        init(from decoder: Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let flag = try? value.decode(Bool.self) {
                (number, text) = (flag ? 1 : 0, "")
            } else if let number = try? value.decode(Double.self) {
                (self.number, text) = (number, "")
            } else {
                (number, text) = (0, try value.decode(String.self))
            }
        }
    }

    private struct Case: Decodable {
        let kind: String
        let options: [String: Option]
        let tensors: [String: [Double]]

        subscript(_ name: String) -> Int { Int(options[name]?.number ?? 0) }
        func option(_ name: String) -> Double { options[name]?.number ?? 0 }
        func flag(_ name: String) -> Bool { self[name] == 1 }
        func tensor(_ name: String) -> [Double] { tensors[name] ?? [] }
        func floats(_ name: String) -> Floats { Floats(tensor(name).map { Float($0) }) }
    }

    private struct File: Decodable { let cases: [Case] }

    private func eachCase(_ kinds: String..., body: (Case, String) -> [[Float]]) throws {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden/kernels.json")
        let cases = try JSONDecoder().decode(File.self, from: Data(contentsOf: path)).cases.filter { kinds.contains($0.kind) }
        XCTAssertFalse(cases.isEmpty)
        for (i, c) in cases.enumerated() { onEveryLevel { body(c, "\(c.kind) \(i) \($0)") } }
    }

    func testBatchNormalisation() throws {
        try eachCase("batch_norm") { c, name in
            let s = PlaneShape(batch: c["batch"], channels: c["channels"], size: c["size"])
            let epsilon = Float(c.option("epsilon"))
            let x = c.floats("x"), gamma = c.floats("gamma"), beta = c.floats("beta"), g = c.floats("g")
            let mean = Floats(count: s.channels), variance = Floats(count: s.channels)
            let y = Floats(count: x.count), dx = Floats(count: x.count)
            let sumG = Floats(count: s.channels), sumGX = Floats(count: s.channels)
            Normalisation.forward(
                s, x.data, mean: mean.data, variance: variance.data, gamma: gamma.data, beta: beta.data, epsilon: epsilon,
                output: y.data, outBatchStride: s.batchStride)
            Normalisation.backward(
                s, x.data, g.data, gBatchStride: s.batchStride, mean: mean.data, variance: variance.data, gamma: gamma.data,
                epsilon: epsilon, sumG: sumG.data, sumGX: sumGX.data, output: dx.data, outBatchStride: s.batchStride)
            self.assertClose(mean.values(), c.tensor("mean"), 1e-6, name)
            self.assertClose(variance.values(), c.tensor("variance"), 2e-6, name)
            // PyTorch's own result is off by that much where the mean is 50 deviations.
            self.assertClose(y.values(), c.tensor("y"), 2e-5, name)
            self.assertClose(dx.values(), c.tensor("dx"), 2e-5, name)
            self.assertClose(sumG.values(), c.tensor("dbeta"), 2e-6, name)
            self.assertClose(sumGX.values(), c.tensor("dgamma"), 2e-5, name)
            return [y.values(), dx.values()]
        }
    }

    private func poolShape(_ c: Case) -> PoolShape {
        PoolShape(
            batch: c["batch"], channels: c["channels"], inHeight: c["inHeight"], inWidth: c["inWidth"],
            kernelHeight: c["kernelHeight"], kernelWidth: c["kernelWidth"], strideHeight: c["strideHeight"],
            strideWidth: c["strideWidth"], padHeight: c["padHeight"], padWidth: c["padWidth"])
    }

    func testPooling() throws {
        try eachCase("max_pool", "average_pool") { c, name in
            let s = poolShape(c), x = c.floats("x"), g = c.floats("g")
            let y = Floats(count: c.tensor("y").count), dx = Floats(count: x.count)
            if c.kind == "max_pool" {
                Pooling.maxForward(s, x.data, y.data)
                Pooling.maxBackward(s, x.data, g.data, dx.data)
                self.assertClose(y.values(), c.tensor("y"), 0, name)
            } else {
                Pooling.averageForward(s, x.data, y.data, countPadding: c.flag("countPadding"))
                Pooling.averageBackward(s, g.data, dx.data, countPadding: c.flag("countPadding"))
                self.assertClose(y.values(), c.tensor("y"), 3e-7, name)
            }
            self.assertClose(dx.values(), c.tensor("dx"), 5e-7, name)
            return [y.values(), dx.values()]
        }
    }

    func testResize() throws {
        try eachCase("resize") { c, name in
            let s = ResizeShape(
                batch: 1, channels: c["channels"], inHeight: c["inHeight"], inWidth: c["inWidth"], outHeight: c["outHeight"],
                outWidth: c["outWidth"])
            let x = c.floats("x"), g = c.floats("g"), y = Floats(count: g.count), dx = Floats(count: x.count)
            if c.options["mode"]?.text == "nearest" {
                Resize.nearest(s, x.data, y.data)
                Resize.nearestBackward(s, g.data, dx.data)
                self.assertClose(y.values(), c.tensor("y"), 0, name)
            } else {
                Resize.bilinear(s, x.data, y.data, alignCorners: c.flag("corners"))
                Resize.bilinearBackward(s, g.data, dx.data, alignCorners: c.flag("corners"))
                // One rounding of a source position of about 10 is 5e-7 of a pixel.
                self.assertClose(y.values(), c.tensor("y"), 2e-6, name)
            }
            self.assertClose(dx.values(), c.tensor("dx"), 2e-6, name)
            return [y.values(), dx.values()]
        }
    }

    func testCrossEntropy() throws {
        try eachCase("cross_entropy") { c, name in
            let batch = c["batch"], classes = c["classes"], pixels = c["pixels"]
            let x = c.floats("x"), dx = Floats(count: x.count)
            let weights = c.tensors["weights"].map { Floats($0.map { Float($0) }) }
            let labels = c.tensor("labels").map { Int32($0) }
            XCTAssertNil(CrossEntropy.firstBadLabel(labels, count: labels.count, classes: classes, ignore: 255))
            let (loss, weight) = CrossEntropy.forward(
                batch: batch, classes: classes, pixels: pixels, logits: x.data, labels: labels,
                weights: weights.map { UnsafePointer($0.data) }, ignore: 255)
            CrossEntropy.backward(
                batch: batch, classes: classes, pixels: pixels, logits: x.data, labels: labels,
                weights: weights.map { UnsafePointer($0.data) }, ignore: 255, scale: Float(1 / weight), output: dx.data)
            self.assertClose([Float(loss / weight)], c.tensor("y"), 1e-6, name)
            self.assertClose(dx.values(), c.tensor("dx"), 2e-7, name)
            return [[Float(loss), Float(weight)], dx.values()]
        }
    }

    func testSoftmax() throws {
        try eachCase("softmax") { c, name in
            let x = c.floats("x"), g = c.floats("g"), y = Floats(count: x.count), dx = Floats(count: x.count)
            let outer = c["outer"], n = c["n"], inner = c["inner"], log = c.flag("log")
            Softmax.forward(outer: outer, n: n, inner: inner, x.data, y.data, log: log)
            Softmax.backward(outer: outer, n: n, inner: inner, y: y.data, g: g.data, dx: dx.data, log: log)
            self.assertClose(y.values(), c.tensor("y"), 5e-7, name)
            self.assertClose(dx.values(), c.tensor("dx"), 1e-6, name)
            return [y.values(), dx.values()]
        }
    }

    func testOptimiserSteps() throws {
        try eachCase("sgd", "adam", "adamw") { c, name in
            let p = c.floats("start"), gradients = c.floats("gradients"), count = p.count
            let m = Floats(count: count, 0), v = Floats(count: count, 0)
            for step in 0..<c["steps"] {
                let g = gradients.data + step * count
                if c.kind == "sgd" {
                    Update.sgd(
                        parameter: p.data, gradient: g, momentumBuffer: c.option("momentum") > 0 ? m.data : nil, count: count,
                        rate: Float(c.option("lr")), momentum: Float(c.option("momentum")),
                        dampening: Float(c.option("dampening")), nesterov: c.flag("nesterov"),
                        decay: Float(c.option("weight_decay")), firstStep: step == 0)
                } else {
                    Update.adam(
                        parameter: p.data, gradient: g, m: m.data, v: v.data, count: count, rate: c.option("lr"),
                        decay: c.option("weight_decay"), decoupled: c.kind == "adamw", step: step + 1)
                }
            }
            self.assertClose(p.values(), c.tensor("end"), 3e-7, name)
            return [p.values(), m.values(), v.values()]
        }
    }
}
