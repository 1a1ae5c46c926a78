import Base
import Networks
import Notebook
import Runs
import Search
import Segmentation

/// Results as tables of HTML, for pages and notebooks.
enum RichTables {
    static func count(_ count: ModuleCount) -> MIMEBundle {
        func row(_ name: String, _ parameters: Int, _ multiplyAdds: Int?) -> [String] {
            [name, NumberText.grouped(parameters)] + (multiplyAdds.map { [NumberText.grouped($0)] } ?? [])
        }
        let rows = count.parts.map { row($0.name, $0.parameters, $0.multiplyAdds) } + [row("total", count.parameters, count.work?.multiplyAdds)]
        return MIMEBundle(plain: "", html: HTMLPage.table(["part", "parameters"] + (count.work == nil ? [] : ["multiply-adds"]), rows, last: true))
    }

    static func evaluation(_ result: EvaluationResult) -> MIMEBundle {
        let title = HTMLPage.paragraph("\(result.data): \(result.images) images, \(result.options.summary)")
        return MIMEBundle(plain: "", html: title + classes(result.confusion, result.classes.map(\.name), result.rule))
    }

    static func confusion(_ matrix: ConfusionMatrix, _ names: [String], _ rule: MeanRule) -> MIMEBundle {
        MIMEBundle(plain: "", html: classes(matrix, names, rule))
    }

    /// The classes with IoU, accuracy and share of the labelled pixels in per cent; the means last.
    private static func classes(_ matrix: ConfusionMatrix, _ names: [String], _ rule: MeanRule) -> String {
        let total = Double(matrix.total)
        var rows = (0..<matrix.classes).map { index in
            let pixels = (0..<matrix.classes).reduce(Int64(0)) { $0 + matrix[index, $1] }
            return [
                index < names.count ? names[index] : "class \(index)", percent(matrix.iou(index)), percent(matrix.accuracy(index)),
                percent(total > 0 ? Double(pixels) / total : nil),
            ]
        }
        rows.append(["pixel accuracy", "", percent(matrix.pixelAccuracy), ""])
        rows.append(["mean", percent(matrix.meanIoU(rule)), percent(matrix.meanAccuracy), ""])
        return HTMLPage.table(["class", "IoU %", "accuracy %", "pixels %"], rows, last: true)
    }

    private static func percent(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "-" }
        let tenths = Int((value * 1000).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    /// The stride of each layer, and the cell by blocks.
    static func architecture(_ architecture: Architecture) -> MIMEBundle {
        let path = HTMLPage.table(
            ["layer"] + architecture.path.indices.map { "\($0 + 1)" }, [["stride"] + architecture.path.map(String.init)])
        let blocks = architecture.cell.blocks.enumerated().map { index, block in
            ["\(index + 1)"] + block.branches.flatMap { [$0.operation, CellSpace.name(ofState: $0.state)] }
        }
        let cell = HTMLPage.table(["block", "operator", "of", "operator", "of"], blocks, left: [0, 1, 2, 3, 4])
        return MIMEBundle(plain: "", html: (architecture.name.map { HTMLPage.paragraph($0) } ?? "") + path + cell)
    }

    /// Columns of numbers to the right.
    static func runs(_ table: RunTable) -> MIMEBundle {
        let words = table.columns.indices.filter { column in table.rows.contains { !$0[column].isEmpty && Double($0[column]) == nil } }
        return MIMEBundle(plain: "", html: HTMLPage.table(table.columns, table.rows, left: Set(words + [0])))
    }
}
