/// What was drawn on a canvas, to be written in a form that Cairo does not have.
final class DrawingRecord {
    enum Mark: Hashable {
        case fill(Path)
        /// The stroke's colour stands beside the mark.
        case stroke(Path, width: Double, dash: [Double], round: Bool)
        /// `start` is where the baseline begins, as seen from `anchor`, about which the text is turned clockwise by degrees.
        case text(String, anchor: Point, start: Point, Font, width: Double, rotation: Double)
        case image(RGBAImage, Rect, smooth: Bool)
        case clip(Rect)
        case shift(Point, scale: Double)
        case endClip
        case endShift
    }

    private(set) var marks: [(mark: Mark, colour: Colour)] = []

    func add(_ mark: Mark, _ colour: Colour = .black) { marks.append((mark, colour)) }
}
