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
  public var linkLength = 0.2
  /// ct and cn (N s / m²).
  public var dragAlong = 1.0
  public var dragAcross = 4.0
  /// Torque of muscles that pull with 1 (N m), of the spring for a bend of 1 (N m / rad), and of friction (N m s).
  public var strength = 0.05
  public var stiffness = 0.02
  public var friction = 0.005
  /// Time of a step (s).
  public var timestep = 0.03

  public init(joints: Int = 5) {
    require(joints > 0, "LinkSwimmer", "needs at least 1 joint, got \(joints)")
    self.joints = joints
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
    require(
      torques.shape == state.bends.shape, "LinkSwimmer",
      "torques should be \(state.bends.shape), are \(torques.shape)")
    let dtype = torques.dtype, links = joints + 1, batch = torques.dim(0)
    let angles = directions(state)
    let along = stacked([cos(angles), sin(angles)], axis: -1)
    let across = stacked([-sin(angles), cos(angles)], axis: -1)

    // A link's middle moves with the centre of mass and by the rotation of every link k, across that link:
    // levers[i, k] times its rate.
    let levers = Tensor(levers(links), [links, links]).asType(dtype)
    let byRotation = { (direction: Tensor) in levers * matmul(direction, across.swappedAxes(1, 2)) }
    let alongSpeeds = concatenated([along, byRotation(along)], axis: -1)
    let acrossSpeeds = concatenated([across, byRotation(across)], axis: -1)
    let resistance =
      matmul(alongSpeeds.swappedAxes(1, 2), alongSpeeds) * (dragAlong * linkLength)
      + matmul(acrossSpeeds.swappedAxes(1, 2), acrossSpeeds) * (dragAcross * linkLength)
    // A link that rotates about its middle.
    let spin = dragAcross * linkLength * linkLength * linkLength / 12
    let own = [0, 0] + [Double](repeating: spin, count: links)

    // From rates of links to those of heading and bends, which turn all links behind them.
    let size = joints + 3
    var turns = [Double](repeating: 0, count: size * size)
    for i in 0..<size {
      for j in 0..<size where i == j || (j >= 2 && i > j) { turns[i * size + j] = 1 }
    }
    let change = Tensor(turns, [size, size]).asType(dtype)
    let diagonal = { (values: [Double]) in
      Tensor.eye(size, dtype: dtype) * Tensor(values).asType(dtype)
    }
    let jointFriction = [0, 0, 0] + [Double](repeating: friction, count: joints)
    let matrix =
      matmul(matmul(change.swappedAxes(0, 1), resistance + diagonal(own)), change) + diagonal(jointFriction)
    let pull = torques * strength - state.bends * stiffness
    let forces = concatenated([Tensor.zeros([batch, 3], dtype: dtype), pull], axis: 1)
    let speeds = solve(matrix, forces.expandedDimensions(axis: -1)).squeezed(axis: -1)
    return (
      speeds.sliced(axis: 1, to: 2), speeds.sliced(axis: 1, from: 2, to: 3), speeds.sliced(axis: 1, from: 3)
    )
  }

  /// The swimmers one step later (Euler's method), and how fast they went forward [batch] (m/s): the speed of
  /// the centre of mass along the mean direction of the links.
  public func step(_ state: State, torques: Tensor) -> (state: State, forwardSpeed: Tensor) {
    let speeds = speeds(state, torques: torques)
    let next = State(
      position: state.position + speeds.position * timestep,
      heading: state.heading + speeds.heading * timestep,
      bends: clip(state.bends + speeds.bends * timestep, min: -largestBend, max: largestBend))
    let angles = directions(state)
    let body = concatenated(
      [cos(angles).mean(axis: 1, keepDims: true), sin(angles).mean(axis: 1, keepDims: true)], axis: 1)
    let length = sqrt(square(body).sum(axis: 1, keepDims: true) + 1e-12)
    return (next, (speeds.position * (body / length)).sum(axis: 1))
  }

  /// Directions of the links [batch, links] (rad).
  public func directions(_ state: State) -> Tensor {
    concatenated([state.heading, state.heading + state.bends.cumulativeSum(axis: 1)], axis: 1)
  }

  /// Middles of the links [batch, links, 2] (m): what a picture shows.
  public func middles(_ state: State) -> Tensor {
    let angles = directions(state), links = joints + 1
    // A middle is where its levers say, turned back by a quarter.
    let levers = Tensor(levers(links), [links, links]).asType(angles.dtype)
    let offsets = matmul(levers, stacked([cos(angles), sin(angles)], axis: -1))
    return state.position.expandedDimensions(axis: 1) + offsets
  }

  /// How far link i's middle moves for a turn of link k by 1: links in front of it by their whole length, it
  /// itself by half of it, less the mean over all, so that the centre of mass stays.
  private func levers(_ links: Int) -> [Double] {
    let plain = (0..<links).map { i in
      (0..<links).map { k in k < i ? -linkLength : k == i ? -linkLength / 2 : 0 }
    }
    return plain.flatMap { row in
      (0..<links).map { k in row[k] - plain.reduce(0) { $0 + $1[k] } / Double(links) }
    }
  }
}
