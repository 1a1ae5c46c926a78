import Networks
import Search
import Segmentation
import Tensors

/// Cards of networks, and networks from cards: what `network:save(DIR)`, `nas.network(DIR)` and exports share.
enum ModelCards {
    /// The card of a network with what is known of it; nil when it is no network of an architecture, of which only weights can be kept.
    static func card(of network: Module) throws -> ModelCard? { nil }
}
