/// A point of the drawing plane: x to the right, y down, in units of 1/96 inch on screens (CSS pixels) and 1/72 inch in PDF.
public struct Point: Hashable, Sendable {
    public var x, y: Double

    /// The point (x, y).
    public init(_ x: Double, _ y: Double) {
        self.x = x
        self.y = y
    }
}

/// Width and height in drawing units.
public struct Size: Hashable, Sendable {
    public var width, height: Double

    /// A size of `width` by `height`.
    public init(_ width: Double, _ height: Double) {
        self.width = width
        self.height = height
    }
}

/// An upright rectangle by its top left corner and size.
public struct Rect: Hashable, Sendable {
    public var x, y, width, height: Double

    /// The rectangle with its top left corner at (x, y).
    public init(_ x: Double, _ y: Double, _ width: Double, _ height: Double) {
        self.x = x
        self.y = y
        self.width = width
        self.height = height
    }

    /// Right, lower and middle coordinates.
    public var maxX: Double { x + width }
    public var maxY: Double { y + height }
    public var midX: Double { x + width / 2 }
    public var midY: Double { y + height / 2 }

    /// The rectangle made smaller by `dx` at the left and right and by `dy` at the top and bottom.
    public func inset(_ dx: Double, _ dy: Double) -> Rect {
        Rect(x + dx, y + dy, width - 2 * dx, height - 2 * dy)
    }

    /// Whether the two rectangles share more than a border.
    public func overlaps(_ other: Rect) -> Bool {
        x < other.maxX && other.x < maxX && y < other.maxY && other.y < maxY
    }
}

/// An outline made of straight lines and cubic curves.
public struct Path: Hashable, Sendable {
    /// One step of an outline.
    public enum Element: Hashable, Sendable {
        case move(Point)
        case line(Point)
        case curve(Point, Point, Point)
        case close
    }

    public private(set) var elements: [Element] = []

    /// An empty path.
    public init() {}

    /// Straight lines through the points, in order.
    public init(through points: [Point], closed: Bool = false) {
        for (index, point) in points.enumerated() {
            if index == 0 { move(to: point) } else { line(to: point) }
        }
        if closed { close() }
    }

    /// Starts a new part at `point`.
    public mutating func move(to point: Point) { elements.append(.move(point)) }
    /// A straight line from the current point to `point`.
    public mutating func line(to point: Point) { elements.append(.line(point)) }
    /// A straight line back to where the part started.
    public mutating func close() { elements.append(.close) }

    /// A cubic Bézier curve from the current point to `end`.
    public mutating func curve(to end: Point, _ control1: Point, _ control2: Point) {
        elements.append(.curve(control1, control2, end))
    }

    /// A curve that leaves `start` and reaches `end` horizontally: the way edges of layered graphs are drawn.
    public static func horizontalCurve(from start: Point, to end: Point) -> Path {
        let reach = (end.x - start.x) * 0.5
        var path = Path()
        path.move(to: start)
        if start.y == end.y {
            path.line(to: end)
        } else {
            path.curve(to: end, Point(start.x + reach, start.y), Point(end.x - reach, end.y))
        }
        return path
    }

    /// The outline of a rectangle.
    public static func rectangle(_ r: Rect) -> Path {
        Path(through: [Point(r.x, r.y), Point(r.maxX, r.y), Point(r.maxX, r.maxY), Point(r.x, r.maxY)], closed: true)
    }

    /// A rectangle with round corners; the radius is cut to half the shorter side.
    public static func rounded(_ r: Rect, radius: Double) -> Path {
        let radius = max(0, min(radius, r.width / 2, r.height / 2))
        let k = radius * (1 - 0.5523)  // a cubic approximates a quarter circle with handles 0.5523 r long
        var path = Path()
        path.move(to: Point(r.x + radius, r.y))
        path.line(to: Point(r.maxX - radius, r.y))
        path.curve(to: Point(r.maxX, r.y + radius), Point(r.maxX - k, r.y), Point(r.maxX, r.y + k))
        path.line(to: Point(r.maxX, r.maxY - radius))
        path.curve(to: Point(r.maxX - radius, r.maxY), Point(r.maxX, r.maxY - k), Point(r.maxX - k, r.maxY))
        path.line(to: Point(r.x + radius, r.maxY))
        path.curve(to: Point(r.x, r.maxY - radius), Point(r.x + k, r.maxY), Point(r.x, r.maxY - k))
        path.line(to: Point(r.x, r.y + radius))
        path.curve(to: Point(r.x + radius, r.y), Point(r.x, r.y + k), Point(r.x + k, r.y))
        path.close()
        return path
    }

    /// A circle around `centre`.
    public static func circle(_ centre: Point, radius: Double) -> Path {
        rounded(Rect(centre.x - radius, centre.y - radius, 2 * radius, 2 * radius), radius: radius)
    }
}
