import CallosumTensors
import Foundation

/// A chain of links that swims in a plane through a fluid so viscous that inertia does not matter (Taylor
/// 1951), differentiable in everything.
///
/// A piece of a link of length ds that moves with v feels the force -(ct v_t + cn v_n) ds, v_t and v_n along and
/// across the link. Forces and torques on the whole swimmer and torques on all behind each joint balance: as
/// many linear equations as there are speeds, R x = (0, 0, 0, torques), for those of the centre of mass, the
/// first link's rotation and the joints. At a joint act the muscles' torque, a spring and friction.
///
/// The links' directions point forward, and link 0 is the head; joint i bends link i + 1 from link i.
public struct LinkSwimmer: Sendable, Equatable {
  public let joints: Int
  /// Of a link (m).
  public var linkLength = 0.2 { didSet { renew() } }
  /// ct and cn (N s / m²).
  public var dragAlong = 1.0 { didSet { renew() } }
  public var dragAcross = 4.0 { didSet { renew() } }
  /// Torque of muscles that pull with 1 (N m), of the spring for a bend of 1 (N m / rad), and of friction (N m s).
  public var strength = 0.05
  public var stiffness = 0.02
  public var friction = 0.005 { didSet { renew() } }
  /// Time of a step (s).
  public var timestep = 0.03
  private var mechanics: Mechanics

  public init(joints: Int = 5) {
    precondition(joints > 0, "LinkSwimmer", "needs at least 1 joint, got \(joints)")
    self.joints = joints
    mechanics = Mechanics(
      joints: joints, linkLength: linkLength, drags: [dragAlong, dragAcross], friction: friction)
  }

  private mutating func renew() {
    mechanics = Mechanics(
      joints: joints, linkLength: linkLength, drags: [dragAlong, dragAcross], friction: friction)
  }

  /// A batch of swimmers.
  public struct State: Sendable {
    /// The centre of mass [batch, 2] (m).
    public var position: Tensor
    /// Direction of the head [batch, 1] and bends of the joints [batch, joints] (rad).
    public var heading, bends: Tensor
    public init(position: Tensor, heading: Tensor, bends: Tensor) {
      self.position = position
      self.heading = heading
      self.bends = bends
    }
  }

  /// Straight swimmers at the origin, heading along x.
  public func straight(batch: Int, dtype: DType = .float32) -> State {
    State(
      position: .zeros([batch, 2], dtype: dtype), heading: .zeros([batch, 1], dtype: dtype),
      bends: .zeros([batch, joints], dtype: dtype))
  }

  /// The bend that joints are stopped at (rad): 2π by the number of links.
  public var largestBend: Double { 2 * .pi / Double(joints + 1) }

  /// Bends between -1 and 1 [batch, joints]: what a controller is told.
  public func senses(_ state: State) -> Tensor { state.bends / largestBend }

  /// Speeds of the centre of mass [batch, 2] (m/s), the heading [batch, 1] and the bends [batch, joints]
  /// (rad/s) while muscles pull with `torques` [batch, joints], -1 to 1.
  public func speeds(_ state: State, torques: Tensor) -> (position: Tensor, heading: Tensor, bends: Tensor) {
    precondition(
      torques.shape == state.bends.shape, "LinkSwimmer",
      "torques should be \(state.bends.shape), are \(torques.shape)")
    return parts(rates(state, torques, frame(state)))
  }

  /// Those of all one after the other, [batch, 3 + joints].
  private func rates(_ state: State, _ torques: Tensor, _ frame: Tensor) -> Tensor {
    let mechanics = self.mechanics.tensors(torques.dtype)
    // Speeds of every link along itself, and then across itself, per speed of the centre of mass and of each
    // link's rotation, which moves across that link; by the roots of the drags, so that squares are forces.
    let across = frame.sliced(axis: 1, from: joints + 1)
    let byRotation = matmul(frame, across.swappedAxes(1, 2)) * mechanics.levers
    let speeds = matmul(
      concatenated([frame * mechanics.drags, byRotation], axis: 2), mechanics.change)
    let matrix = matmul(speeds.swappedAxes(1, 2), speeds) + mechanics.own
    let pull = torques * strength - state.bends * stiffness
    return solve(matrix, pull.padded([(0, 0), (3, 0)]).expandedDimensions(axis: -1)).squeezed(axis: -1)
  }

  private func parts(_ all: Tensor) -> (position: Tensor, heading: Tensor, bends: Tensor) {
    (all.sliced(axis: 1, to: 2), all.sliced(axis: 1, from: 2, to: 3), all.sliced(axis: 1, from: 3))
  }

  /// The swimmers one step later (Euler's method), and how fast they went forward [batch] (m/s): the speed of
  /// the centre of mass along the mean direction of the links.
  public func step(_ state: State, torques: Tensor) -> (state: State, forwardSpeed: Tensor) {
    precondition(
      torques.shape == state.bends.shape, "LinkSwimmer",
      "torques should be \(state.bends.shape), are \(torques.shape)")
    let frame = frame(state)
    let rates = rates(state, torques, frame)
    let moved = parts(rates * timestep)
    let next = State(
      position: state.position + moved.position, heading: state.heading + moved.heading,
      bends: clip(state.bends + moved.bends, min: -largestBend, max: largestBend))
    let body = frame.sliced(axis: 1, to: joints + 1).mean(axis: 1)
    let length = sqrt(square(body).sum(axis: 1) + 1e-12)
    return (next, (rates.sliced(axis: 1, to: 2) * body).sum(axis: 1) / length)
  }

  /// Unit vectors along the links and then across them, [batch, 2 links, 2].
  private func frame(_ state: State) -> Tensor {
    let angles = directions(state)
    let cosines = cos(angles), sines = sin(angles)
    return stacked(
      [concatenated([cosines, -sines], axis: 1), concatenated([sines, cosines], axis: 1)], axis: -1)
  }

  /// Directions of the links [batch, links] (rad).
  public func directions(_ state: State) -> Tensor {
    concatenated([state.heading, state.heading + state.bends.cumsum(axis: 1)], axis: 1)
  }

  /// Middles of the links [batch, links, 2] (m): what a picture shows.
  public func middles(_ state: State) -> Tensor {
    let angles = directions(state), links = joints + 1
    // A middle is where its levers say, turned back by a quarter.
    let levers = Tensor(levers(links, linkLength), [links, links]).asType(angles.dtype)
    let offsets = matmul(levers, stacked([cos(angles), sin(angles)], axis: -1))
    return state.position.expandedDimensions(axis: 1) + offsets
  }
}

/// How far link i's middle moves for a turn of link k by 1: links in front of it by their whole length, it
/// itself by half of it, less the mean over all, so that the centre of mass stays.
private func levers(_ links: Int, _ length: Double) -> [Double] {
  let plain = (0..<links).map { i in
    (0..<links).map { k in k < i ? -length : k == i ? -length / 2 : 0 }
  }
  return plain.flatMap { row in
    (0..<links).map { k in row[k] - plain.reduce(0) { $0 + $1[k] } / Double(links) }
  }
}

/// What follows from the sizes and drags of a swimmer alone.
private struct Mechanics: Sendable, Equatable {
  private let double, single: Tensors

  struct Tensors {
    /// [2 links, links]: what each link's rotation does to the middles of all, weighted; twice, for speeds along
    /// and across a link.
    let levers: Tensor
    /// Roots of the drags of a link along and across it, [2 links, 2]: the same for both coordinates.
    let drags: Tensor
    /// From rates of links to those of heading and bends, which turn all links behind them, [size, size].
    let change: Tensor
    /// Resistance of links to rotation about their own middles, and of joints to bending, [size, size].
    let own: Tensor

    func asType(_ dtype: DType) -> Tensors {
      Tensors(
        levers: levers.asType(dtype), drags: drags.asType(dtype), change: change.asType(dtype),
        own: own.asType(dtype))
    }
  }

  init(joints: Int, linkLength: Double, drags: [Double], friction: Double) {
    let links = joints + 1, size = links + 2, levers = levers(links, linkLength)
    let roots = drags.map { ($0 * linkLength).squareRoot() }
    var change = [Double](repeating: 0, count: size * size)
    for i in 0..<size {
      for j in 0..<size where i == j || (j >= 2 && i > j) { change[i * size + j] = 1 }
    }
    // A link that rotates about its middle.
    let spin = drags[1] * linkLength * linkLength * linkLength / 12
    var own = [Double](repeating: 0, count: size * size)
    for i in 0..<size {
      for j in 0..<size {
        own[i * size + j] = (2..<size).reduce(i == j && i > 2 ? friction : 0) {
          $0 + spin * change[$1 * size + i] * change[$1 * size + j]
        }
      }
    }
    double = Tensors(
      levers: Tensor(roots.flatMap { root in levers.map { $0 * root } }, [2 * links, links]),
      drags: Tensor(roots.flatMap { [Double](repeating: $0, count: 2 * links) }, [2 * links, 2]),
      change: Tensor(change, [size, size]), own: Tensor(own, [size, size]))
    single = double.asType(.float32)
  }

  func tensors(_ dtype: DType) -> Tensors { dtype == .float32 ? single : double.asType(dtype) }

  /// It follows from what else a swimmer is.
  static func == (a: Mechanics, b: Mechanics) -> Bool { true }
}
