import Figures
import Notebook

/// Where what a session says goes: a terminal, a page, the front end of a notebook.
///
/// Text that is printed takes C's streams (`Terminal.out`), which a page and a kernel capture; what is more than text comes here.
public protocol Output: AnyObject {
    /// Columns that tables and drawings in characters may take.
    var columns: Int { get }
    /// How a job that goes on says how far it is.
    var progress: ProgressStyle { get }
    /// Whether jobs do so without being asked.
    var showsProgress: Bool { get }
    /// Whether errors may be coloured by control sequences.
    var coloursErrors: Bool { get }
    /// What a printed figure is, in characters or sequences that draw.
    func drawing(of figure: any Figure) throws -> String
    /// Bytes printed to standard output or standard error.
    func stream(_ bytes: UnsafeRawBufferPointer, isError: Bool)
    /// Shows something; with an id it can be changed later.
    func display(_ bundle: MIMEBundle, id: String?)
    /// Changes what was shown with this id.
    func update(_ bundle: MIMEBundle, id: String)
    /// Takes away what the cell has shown; `wait`: once there is something in its place.
    func clear(wait: Bool)
    /// The value of entry or cell `number`.
    func result(_ bundle: MIMEBundle, number: Int)
    /// The error that ended an entry.
    func failure(_ report: ErrorReport)
    /// A line that a script asks for, without its end; nil at the end of input.
    /// - Throws: `HostError` where nobody can be asked, `Interruption` when Ctrl-C came first.
    func input(prompt: String, isPassword: Bool) throws -> String?
}

/// How a job that goes on says how far it is.
public enum ProgressStyle: Equatable, Sendable {
    /// One line of so many columns, drawn over again.
    case line(columns: Int)
    /// Now and then a line.
    case log
    /// A display that changes, at most every so many seconds; without `clock` it says nothing that differs from run to run.
    case display(every: Double, clock: Bool)
}
