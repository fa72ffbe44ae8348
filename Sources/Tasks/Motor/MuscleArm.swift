import CallosumTensors
import Foundation

/// A planar arm of two joints moved by six muscles, differentiable in everything: the lumped model of Nijhof
/// and Kouwenhoven (2000) with the rigid-tendon Hill muscles of Kistemaker et al. (2010), as MotorNet's
/// `RigidTendonArm26` computes it (Codol et al. 2024).
///
///     M(q) q'' + C(q, q') + damping q' = -R(q)ᵀ F + J(q)ᵀ load,      a' = (u - a) / tau
///
/// q: shoulder and elbow (rad); u, a: excitation and activation of the muscles, 0.001 to 1; F: their forces
/// (N); R: their moment arms (m), polynomials of q; J: the hand's Jacobian; load: a force on the hand (N).
/// tau is 0.015 s (0.5 + 1.5 a) where u > a and 0.05 s / (0.5 + 1.5 a) elsewhere. By Euler's method; forces
/// follow from the new activation and the lengths before the step.
public struct MuscleArm: Sendable, Equatable {
  public static let muscleNames = [
    "pectoralis", "deltoid", "brachioradialis", "triceps lateralis", "biceps", "triceps longus",
  ]
  /// Shoulder and elbow from 0 to these (rad).
  public static let largestAngles = [135.0 * .pi / 180, 155.0 * .pi / 180]
  public static let leastActivation = 0.001

  /// Time of a step (s).
  public var timestep = 0.01
  /// Torque against the joints' movement (N m s).
  public var damping = 0.0

  public init() {}

  /// A batch of arms.
  public struct State: Sendable {
    /// [batch, 2], rad and rad/s.
    public var angles, velocities: Tensor
    /// [batch, 6], 0.001 to 1 and N.
    public var activations, forces: Tensor
    public init(angles: Tensor, velocities: Tensor, activations: Tensor, forces: Tensor) {
      self.angles = angles
      self.velocities = velocities
      self.activations = activations
      self.forces = forces
    }
  }

  /// Arms at rest with these joint angles [batch, 2], their muscles as little active as they can be.
  public func atRest(angles: Tensor) -> State {
    precondition(
      angles.ndim == 2 && angles.dim(1) == 2, "MuscleArm", "angles should be [batch, 2], are \(angles.shape)")
    let velocities = Tensor.zeros(like: angles)
    let least = Tensor.full([angles.dim(0), 6], Self.leastActivation, dtype: angles.dtype)
    let muscles = muscles(angles, velocities)
    return State(
      angles: angles, velocities: velocities, activations: least,
      forces: forces(of: least, lengths: muscles.lengths, velocities: muscles.velocities))
  }

  /// The arms one step later.
  /// - Parameters:
  ///   - excitations: [batch, 6], clipped to 0.001 to 1.
  ///   - load: [batch, 2] (N), nil for none.
  public func step(_ state: State, excitations: Tensor, load: Tensor? = nil) -> State {
    precondition(
      excitations.shape == state.activations.shape, "MuscleArm",
      "excitations should be \(state.activations.shape), are \(excitations.shape)")
    let u = clip(excitations, min: Self.leastActivation, max: 1)
    let a = state.activations, speed = 0.5 + 1.5 * a
    let tau = which(u .> a, 0.015 * speed, 0.05 / speed)
    let activations = clip(a + (u - a) / tau * timestep, min: Self.leastActivation, max: 1)

    let muscles = muscles(state.angles, state.velocities)
    let torques = -(state.forces.expandedDimensions(axis: 1) * muscles.arms).sum(axis: -1)
    let accelerations = accelerations(state, torques - damping * state.velocities, load)
    let angles = state.angles + state.velocities * timestep
    let velocities = state.velocities + accelerations * timestep
    // The joints stop at their ends.
    let ends = Tensor(Self.largestAngles).asType(angles.dtype)
    let isStopped = ((velocities .< 0) .&& (angles .<= 0)) .|| ((velocities .> 0) .&& (angles .>= ends))
    return State(
      angles: minimum(maximum(angles, 0), ends), velocities: which(isStopped, velocities * 0, velocities),
      activations: activations,
      forces: forces(of: activations, lengths: muscles.lengths, velocities: muscles.velocities))
  }

  // MARK: Skeleton

  // Masses (kg), lengths, distances of the centres of mass (m) and moments of inertia (kg m²) of the arms.
  private static let (m1, m2, l1, l2) = (1.82, 1.43, 0.309, 0.333)
  private static let (g1, g2, i1, i2) = (0.135, 0.165, 0.051, 0.057)

  private func accelerations(_ state: State, _ torques: Tensor, _ load: Tensor?) -> Tensor {
    let (elbow, v1, v2) = (column(state.angles, 1), column(state.velocities, 0), column(state.velocities, 1))
    let coupling = Self.m2 * Self.l1 * Self.g2
    let lower = Self.m2 * Self.g2 * Self.g2 + Self.i2
    let upper = Self.m1 * Self.g1 * Self.g1 + Self.i1 + Self.m2 * Self.l1 * Self.l1 + lower
    let m11 = upper + 2 * coupling * cos(elbow), m12 = lower + coupling * cos(elbow)
    let swing = coupling * sin(elbow)
    var t1 = column(torques, 0) + swing * (2 * v1 + v2) * v2
    var t2 = column(torques, 1) - swing * v1 * v1
    if let load {
      precondition(
        load.shape == state.angles.shape, "MuscleArm",
        "load should be \(state.angles.shape), is \(load.shape)")
      let (x, y) = (column(load, 0), column(load, 1)), jacobian = jacobian(state.angles)
      t1 = t1 + jacobian.x1 * x + jacobian.y1 * y
      t2 = t2 + jacobian.x2 * x + jacobian.y2 * y
    }
    let determinant = m11 * lower - m12 * m12
    return concatenated(
      [(lower * t1 - m12 * t2) / determinant, (m11 * t2 - m12 * t1) / determinant], axis: 1)
  }

  private func jacobian(_ angles: Tensor) -> (x1: Tensor, x2: Tensor, y1: Tensor, y2: Tensor) {
    let shoulder = column(angles, 0), both = shoulder + column(angles, 1)
    let x2 = -Self.l2 * sin(both), y2 = Self.l2 * cos(both)
    return (x2 - Self.l1 * sin(shoulder), x2, y2 + Self.l1 * cos(shoulder), y2)
  }

  /// Where the hand is for joint angles [batch, 2]: [batch, 2] (m), the shoulder being at 0.
  public func hand(_ angles: Tensor) -> Tensor {
    let shoulder = column(angles, 0), both = shoulder + column(angles, 1)
    return concatenated(
      [
        Self.l1 * cos(shoulder) + Self.l2 * cos(both), Self.l1 * sin(shoulder) + Self.l2 * sin(both),
      ], axis: 1)
  }

  /// How the hand moves: [batch, 2] (m/s).
  public func handVelocity(_ state: State) -> Tensor {
    let jacobian = jacobian(state.angles)
    let (v1, v2) = (column(state.velocities, 0), column(state.velocities, 1))
    return concatenated([jacobian.x1 * v1 + jacobian.x2 * v2, jacobian.y1 * v1 + jacobian.y2 * v2], axis: 1)
  }

  private func column(_ x: Tensor, _ index: Int) -> Tensor { x.sliced(axis: 1, from: index, to: index + 1) }

  // MARK: Muscles

  private static let largestForces: [Double] = [838, 1207, 1422, 1549, 414, 603]
  private static let tendonLengths = [0.039, 0.066, 0.172, 0.187, 0.204, 0.217]
  private static let optimalLengths = [0.134, 0.140, 0.092, 0.093, 0.137, 0.127]
  // Length of muscle and tendon: a0 + sum over joints of a1 q + a2 q², shoulder angles counted from 90
  // degrees; the moment arm is its derivative.
  private static let a0 = [0.151, 0.2322, 0.2859, 0.2355, 0.3329, 0.2989]
  private static let a1 = [-0.03, 0.03, 0, 0, -0.03, 0.03, 0, 0, -0.014, 0.025, -0.016, 0.03]
  private static let a2 = [0, 0, 0, 0, 0, 0, 0, 0, -4e-3, -2.2e-3, -5.7e-3, -3.2e-3]

  /// Lengths of the muscles without tendons (m) and their rates (m/s), [batch, 6]; moment arms (m),
  /// [batch, 2, 6].
  public func muscles(_ angles: Tensor, _ velocities: Tensor) -> (
    lengths: Tensor, velocities: Tensor, arms: Tensor
  ) {
    func constant(_ values: [Double], _ shape: [Int]) -> Tensor { Tensor(values, shape).asType(angles.dtype) }
    let q = (angles - constant([.pi / 2, 0], [2])).expandedDimensions(axis: -1)
    let linear = constant(Self.a1, [2, 6]), quadratic = constant(Self.a2, [2, 6])
    let arms = linear + 2 * quadratic * q
    let whole = ((linear + quadratic * q) * q).sum(axis: 1) + constant(Self.a0, [6])
    let lengths = maximum(whole - constant(Self.tendonLengths, [6]), 0)
    return (lengths, (velocities.expandedDimensions(axis: -1) * arms).sum(axis: 1), arms)
  }

  /// What muscles report: lengths by their optimal lengths, rates by ten of those a second; [batch, 6] each.
  public func senses(_ state: State) -> (lengths: Tensor, velocities: Tensor) {
    let optimal = Tensor(Self.optimalLengths).asType(state.angles.dtype)
    let muscles = muscles(state.angles, state.velocities)
    return (muscles.lengths / optimal, muscles.velocities / (10 * optimal))
  }

  /// Hill's force: activation times force-length times force-velocity, and the passive force of stretch.
  private func forces(of a: Tensor, lengths: Tensor, velocities: Tensor) -> Tensor {
    let optimal = Tensor(Self.optimalLengths).asType(a.dtype)
    let length = lengths / optimal, velocity = velocities / (10 * optimal)
    let strain = maximum(length - 1.4, 0)
    let passive = square(strain) / (0.26 * 0.26)
    let byLength = maximum(1 - square(length - 1) / (0.66 * 0.66), 0.01)

    let aRelative = which(length .> 1, 0.41 * byLength, byLength * 0 + 0.41)
    // Squared as MotorNet does it: the whole bracket.
    let weak = 5.2 * square(1 - 0.9 * (a - 0.3) / (5e-3 - 0.3))
    let bRelative = which(a .< 0.3, weak, a * 0 + 5.2)
    let isometric = byLength * a
    // Each branch is given velocities of its own sign only, where its divisor is not 0.
    let shortening = minimum(velocity, 0), lengthening = maximum(velocity, 0)
    let concentric = (shortening * a * aRelative + isometric * bRelative) / (bRelative - shortening)
    // Beyond rest: a hyperbola that goes on with twice the slope towards 1.5 of the isometric force, and a
    // small slope of 0.001 to have an inverse.
    let slope = 0.001, steepness = slope - 2 * a * (byLength + aRelative) / bRelative
    let p1 = -0.5 * isometric / steepness, p2 = 0.25 * square(isometric) / steepness
    let p3 = -1.5 * isometric
    let eccentric =
      (p2 - p1 * p3 + (p1 * slope - p3) * lengthening + slope * square(lengthening)) / (p1 + lengthening)
    let active = maximum(which(velocity .< 0, concentric, eccentric), 0)
    return (active + passive) * Tensor(Self.largestForces).asType(a.dtype)
  }
}
