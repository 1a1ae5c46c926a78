import Base

/// A strategy as trials use it: one of the library, or one of a script with architectures of its own kind.
///
/// Trials that processes share ask and tell it the same in each of them, in the order of the journal, so that it comes to the same state everywhere: what it asks for may depend
/// on its settings and on what it was told, and on nothing else.
public protocol TrialPolicy: AnyObject {
    associatedtype Proposal
    /// What to try, and how far to train it in all (nil: as far as trials go). Nil when it has nothing more to try for now: then nothing in it has changed.
    func ask() throws -> (proposal: Proposal, steps: Int?)?
    func tell(_ proposal: Proposal, _ result: TrialResult) throws
    /// - Returns: whether the trial is worth going on with.
    func report(_ proposal: Proposal, _ result: TrialResult) throws -> Bool
    func drop(_ proposal: Proposal) throws
    /// What the proposal is, the same in every process.
    func json(_ proposal: Proposal) throws -> JSONValue
    /// All that it goes on from; null for one that cannot say.
    var state: JSONValue { get throws }
    /// Goes back to a state.
    /// - Throws: for one that cannot.
    func load(_ state: JSONValue) throws
}
