import Base

/// An option of a decision, for drawing.
public struct OptionDrawing: Hashable, Sendable {
    public var name: String
    /// In 0...1; NaN where none is known.
    public var probability: Double
    /// Whether it was decided on.
    public var isDecided: Bool

    public init(_ name: String, probability: Double = .nan, isDecided: Bool = false) {
        (self.name, self.probability, self.isDecided) = (name, probability, isDecided)
    }
}

/// A decision, or one of its distributions, as plain data: its options, how probable they are, which were decided on.
public struct DecisionDrawing: Hashable, Sendable {
    public var name: String
    /// What it is: "choice", "subset", "number 8 to 64".
    public var kind: String
    public var options: [OptionDrawing]

    public init(_ name: String, kind: String, options: [OptionDrawing]) {
        (self.name, self.kind, self.options) = (name, kind, options)
    }

    /// The options that say most, in their order: those decided on, then the most probable.
    /// - Returns: at most `count`, and how many are left out.
    func shown(_ count: Int) -> (options: [OptionDrawing], rest: Int) {
        guard options.count > count else { return (options, 0) }
        func weight(_ option: OptionDrawing) -> Double { (option.isDecided ? 2 : 0) + (option.probability.isFinite ? option.probability : 0) }
        let kept = options.indices.sorted { (weight(options[$0]), $1) > (weight(options[$1]), $0) }.prefix(count).sorted()
        return (kept.map { options[$0] }, options.count - count)
    }
}

/// Options as small bars: the name on a bar that is as long as the option is probable, and the number; outlined where it was decided on.
struct OptionBars {
    static let height = 16.0
    /// Of bars, on light and on dark grounds.
    private static let tint = Colour(0x56B4E9, alpha: 0.5)
    let theme: Theme

    /// Room that an option takes.
    func width(_ option: OptionDrawing) -> Double {
        font(option).width(option.name) + 12 + (option.probability.isFinite ? theme.tiny.width("0.00") + 10 : 0)
    }

    private func font(_ option: OptionDrawing) -> Font {
        var font = theme.small
        font.bold = option.isDecided
        return font
    }

    func draw(_ option: OptionDrawing, in frame: Rect, on canvas: Canvas, isFaint: Bool = false) {
        let outline = Path.rounded(frame, radius: 3)
        canvas.fill(outline, theme.grid.mixed(with: theme.background, 0.55))
        if option.probability.isFinite {
            let share = max(0, min(1, option.probability))
            let bar = Rect(frame.x, frame.y, frame.width * share, frame.height)
            if bar.width > 0.5 { canvas.fill(.rounded(bar, radius: 3), Self.tint) }
        }
        if option.isDecided { canvas.stroke(outline, Canvas.Stroke(theme.accent, width: 1.8)) }
        let ink = isFaint && !option.isDecided ? theme.muted : theme.ink
        var right = frame.maxX - 5
        if option.probability.isFinite {
            canvas.text(NumberText.fixed(option.probability, 2), at: Point(right, frame.midY), theme.tiny, ink, .right, .middle)
            right -= theme.tiny.width("0.00") + 6
        }
        canvas.text(font(option).fitted(option.name, to: right - frame.x - 6), at: Point(frame.x + 6, frame.midY), font(option), ink, .left, .middle)
    }
}
