"""Writes tasks/*.safetensors: what NumPy, SciPy and MotorNet give where our task generators compute the same.

    pip install numpy==2.4.6 scipy==1.17.1 torch==2.13.0 motornet==0.3.0      (torch's CPU build will do)
    OMP_NUM_THREADS=1 python tasks.py      (more threads may change last bits)

Everything is computed in float64 by other means than ours where there are some: sparse LU instead of
conjugate gradients, an adaptive Runge-Kutta method of eighth order instead of one of fixed steps.
"""

import pathlib

import numpy as np
import scipy.integrate
import scipy.ndimage
import scipy.sparse
import scipy.sparse.linalg
import torch

import golden

golden.STORED[torch.float64] = "F64"


def write(name, **arrays):
    folder = pathlib.Path(__file__).parent / "tasks"
    tensors = {key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in arrays.items()}
    golden.write_safetensors(folder / f"{name}.safetensors", tensors, {})


def darcy(random):
    """-div(a grad u) = f by the assembled matrix and sparse LU, on 7 x 10 cells."""
    rows, columns = 7, 10
    a = np.where(random.random((3, rows, columns)) < 0.5, 3.0, 12.0)
    a[2] = np.exp(random.standard_normal((rows, columns)))
    f = random.standard_normal((3, rows, columns))
    solutions = []
    for a_i, f_i in zip(a, f):
        matrix = scipy.sparse.lil_matrix((rows * columns, rows * columns))
        for r in range(rows):
            for c in range(columns):
                for dr, dc, weight in ((0, 1, columns**2), (0, -1, columns**2), (1, 0, rows**2), (-1, 0, rows**2)):
                    inside = 0 <= r + dr < rows and 0 <= c + dc < columns
                    k = 2 / (1 / a_i[r, c] + 1 / a_i[r + dr, c + dc]) if inside else 2 * a_i[r, c]
                    matrix[r * columns + c, r * columns + c] += weight * k
                    if inside:
                        matrix[r * columns + c, (r + dr) * columns + c + dc] -= weight * k
        solutions.append(scipy.sparse.linalg.spsolve(matrix.tocsr(), f_i.ravel()).reshape(rows, columns))
    write("darcy", permeability=a, source=f, solution=np.stack(solutions))


def burgers(random):
    """Finite time by an adaptive method of order eight, on the same frequencies."""
    n, viscosity = 128, 0.02
    x = np.arange(n) / n
    start = np.stack([np.sin(2 * np.pi * x) + 0.3 * np.cos(6 * np.pi * x) + 0.1, 0.8 * np.cos(4 * np.pi * x + 1)])
    k = np.arange(n // 2 + 1)
    wave = 2 * np.pi * k

    def slope(_, state):
        v = state.reshape(2, 2, -1)
        v = v[0] + 1j * v[1]
        u = np.fft.irfft(v, n)
        rate = -viscosity * wave**2 * v + np.where(3 * k <= n, -0.5j * wave, 0) * np.fft.rfft(u * u)
        return np.concatenate([rate.real.ravel(), rate.imag.ravel()])

    v = np.fft.rfft(start)
    done = scipy.integrate.solve_ivp(
        slope, (0, 1), np.concatenate([v.real.ravel(), v.imag.ravel()]), method="DOP853", rtol=1e-11, atol=1e-12)
    v = done.y[:, -1].reshape(2, 2, -1)
    write("burgers", start=start, end=np.fft.irfft(v[0] + 1j * v[1], n))


def kuramoto_sivashinsky():
    """ETDRK4 as printed by Kassam and Trefethen (2005), on full complex transforms; also by a stiff solver."""
    n, length, h = 64, 22.0, 0.25
    x = length * np.arange(n) / n
    u = np.cos(2 * np.pi * x / length) * (1 + np.sin(2 * np.pi * x / length)) + 0.1
    k = np.fft.fftfreq(n, 1 / n)
    q = 2 * np.pi * k / length
    linear = q**2 - q**4
    kept = np.where(3 * np.abs(k) <= n, -0.5j * q, 0)
    e, e2 = np.exp(h * linear), np.exp(h * linear / 2)
    roots = np.exp(1j * np.pi * (np.arange(1, 65) - 0.5) / 64)
    z = h * linear[:, None] + roots
    big_q = h * np.real(np.mean((np.exp(z / 2) - 1) / z, 1))
    f1 = h * np.real(np.mean((-4 - z + np.exp(z) * (4 - 3 * z + z**2)) / z**3, 1))
    f2 = h * np.real(np.mean((2 + z + np.exp(z) * (-2 + z)) / z**3, 1))
    f3 = h * np.real(np.mean((-4 - 3 * z - z**2 + np.exp(z) * (4 - z)) / z**3, 1))

    def nonlinear(v):
        return kept * np.fft.fft(np.real(np.fft.ifft(v)) ** 2)

    def printed(steps):
        v = np.fft.fft(u)
        for _ in range(steps):
            nv = nonlinear(v)
            a = e2 * v + big_q * nv
            na = nonlinear(a)
            b = e2 * v + big_q * na
            nb = nonlinear(b)
            c = e2 * a + big_q * (2 * nb - nv)
            nc = nonlinear(c)
            v = e * v + nv * f1 + 2 * (na + nb) * f2 + nc * f3
        return np.real(np.fft.ifft(v))

    def slope(_, u):
        v = np.fft.fft(u)
        return np.real(np.fft.ifft(linear * v + nonlinear(v)))

    stiff = scipy.integrate.solve_ivp(slope, (0, 5), u, method="Radau", rtol=1e-10, atol=1e-10)
    write("kuramoto_sivashinsky", start=u, after40=printed(40), exact5=stiff.y[:, -1])


def lorenz96(random):
    k, j, forcing, h, b, c = 8, 4, 20.0, 1.0, 10.0, 10.0

    def slope(_, state):
        x, y = state[:k], state[k:]
        dx = np.roll(x, 1) * (np.roll(x, -1) - np.roll(x, 2)) - x + forcing
        dx -= h * c / b * y.reshape(k, j).sum(1)
        dy = -c * b * np.roll(y, -1) * (np.roll(y, -2) - np.roll(y, 1)) - c * y + h * c / b * np.repeat(x, j)
        return np.concatenate([dx, dy])

    start = np.concatenate([5 + random.standard_normal(k), 0.1 * random.standard_normal(k * j)])
    done = scipy.integrate.solve_ivp(slope, (0, 0.1), start, method="DOP853", rtol=1e-12, atol=1e-12)
    write("lorenz96", start=start, slope=slope(0, start), end=done.y[:, -1])


def images(random):
    image = random.random((28, 28)).astype(np.float32)
    tensors = {"image": image}
    for degrees in (30, -100):
        angle = np.deg2rad(degrees)
        turn = torch.tensor([[[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0]]])
        # Corners aligned: coordinates from -1 to 1 are those of the outermost pixels.
        grid = torch.nn.functional.affine_grid(turn, (1, 1, 28, 28), align_corners=True)
        turned = torch.nn.functional.grid_sample(
            torch.from_numpy(image).double()[None, None], grid, padding_mode="zeros", align_corners=True)
        tensors[f"rotated{degrees}"] = turned[0, 0].numpy().astype(np.float32)
    for deviation in (1, 2):
        blurred = scipy.ndimage.gaussian_filter(image.astype(np.float64), deviation, mode="constant")
        tensors[f"blurred{deviation}"] = blurred.astype(np.float32)
    tensors["halved"] = torch.nn.functional.avg_pool2d(torch.from_numpy(image)[None], 2)[0].numpy()
    tensors["patches"] = torch.nn.functional.unfold(
        torch.from_numpy(image)[None, None], 7, stride=7)[0].T.contiguous().numpy()
    write("images", **tensors)


def arm():
    """MotorNet 0.3.0's own arm in float64: 25 steps, and the gradient of where the hands end."""
    import motornet

    torch.manual_seed(5)
    # It rounds its constants to float32, which 25 steps would multiply by a thousand: it is given a wider one.
    kept = torch.float32, np.float32
    torch.float32, np.float32 = torch.float64, np.float64
    effector = motornet.effector.RigidTendonArm26(muscle=motornet.muscle.RigidTendonHillMuscle(), damping=0.1)
    angles = torch.rand(8, 2, dtype=torch.float64) * torch.tensor([2.2, 2.5], dtype=torch.float64) + 0.05
    angles[0] = torch.tensor([0.01, 2.7])
    excitations = torch.rand(8, 25, 6, dtype=torch.float64) ** 2
    # One arm is relaxed, one pushes against the end of its shoulder, one is still below the critical activation.
    excitations[1] = 0
    excitations[2, :, [1, 5]] = 1
    excitations[3] *= 0.2
    excitations.requires_grad_(True)
    loads = 20 * torch.rand(8, 2, dtype=torch.float64) - 10
    joint = torch.cat([angles, torch.zeros_like(angles)], 1)
    geometry = effector.get_geometry(joint)
    effector._set_state({
        "joint": joint, "geometry": geometry,
        "muscle": effector.muscle.get_initial_muscle_state(batch_size=8, geometry_state=geometry)})
    joints, muscles = [], []
    for step in range(25):
        effector.step(excitations[:, step], endpoint_load=loads)
        joints.append(effector.states["joint"])
        muscles.append(effector.states["muscle"])
    cartesian = effector.states["cartesian"]
    weights = torch.linspace(-1, 1, 32, dtype=torch.float64).reshape(8, 4)
    (cartesian * weights).sum().backward()
    joints, muscles = torch.stack(joints, 1).detach(), torch.stack(muscles, 1).detach()
    torch.float32, np.float32 = kept
    assert joints.dtype == torch.float64
    write("arm", angles=angles, excitations=excitations.detach(), loads=loads, weights=weights, joints=joints,
          activations=muscles[:, :, 0], forces=muscles[:, :, -1], hands=cartesian.detach(),
          gradient=excitations.grad)


def swimmer(random):
    """Force and torque balances written out: drag summed over 8 Gauss points on each link (exact), unknown speeds
    of the head's front end, of its direction and of the bends found from unit motions by least squares."""
    joints, length, along, across = 4, 0.3, 0.7, 3.1
    nodes, weights = np.polynomial.legendre.leggauss(8)
    nodes, weights = (nodes + 1) / 2 * length, weights / 2 * length

    def drag(heading, bends, speed, turn, bend_rates):
        """Points, forces and joints' places of a swimmer that moves so."""
        angles = heading + np.concatenate([[0], np.cumsum(bends)])
        rates = turn + np.concatenate([[0], np.cumsum(bend_rates)])
        front, moving = np.zeros(2), np.array(speed)
        points, forces, hinges = [], [], []
        for angle, rate in zip(angles, rates):
            t, n = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
            hinges.append(front)
            for s, w in zip(nodes, weights):
                v = moving - s * rate * n
                points.append(front - s * t)
                forces.append(-w * (along * (v @ t) * t + across * (v @ n) * n))
            front, moving = front - length * t, moving - length * rate * n
        return np.array(points), np.array(forces), np.array(hinges)

    def balance(heading, bends, x):
        points, forces, hinges = drag(heading, bends, x[:2], x[2], x[3:])
        torque = lambda about, first: np.sum(
            (points[first:, 0] - about[0]) * forces[first:, 1] - (points[first:, 1] - about[1]) * forces[first:, 0])
        return np.concatenate([forces.sum(0), [torque(hinges[0], 0)],
                               [torque(hinges[i], 8 * i) for i in range(1, joints + 1)]])

    headings, bends = random.uniform(-3, 3, (5, 1)), random.uniform(-0.9, 0.9, (5, joints))
    torques, speeds = random.uniform(-1, 1, (5, joints)), []
    strength, stiffness, friction = 0.06, 0.03, 0.004
    for heading, bend, torque in zip(headings, bends, torques):
        matrix = np.stack([balance(heading[0], bend, unit) for unit in np.eye(joints + 3)], 1)
        # Behind a joint, muscles, spring, friction and fluid balance.
        matrix[3:, 3:] -= friction * np.eye(joints)
        x = np.linalg.lstsq(matrix, -np.concatenate([np.zeros(3), strength * torque - stiffness * bend]))[0]
        # The centre of mass: the mean of the points, by weight.
        h = 1e-6
        def centre(t):
            moved = drag(heading[0] + t * x[2], bend + t * x[3:], (0, 0), 0, np.zeros(joints))[0]
            return np.average(moved + t * x[:2], axis=0, weights=np.tile(weights, joints + 1))
        speeds.append(np.concatenate([(centre(h) - centre(-h)) / (2 * h), x[2:]]))
    write("swimmer", headings=headings, bends=bends, torques=torques, speeds=np.stack(speeds))


def main():
    darcy(np.random.default_rng(1))
    burgers(np.random.default_rng(2))
    kuramoto_sivashinsky()
    lorenz96(np.random.default_rng(4))
    images(np.random.default_rng(5))
    arm()
    swimmer(np.random.default_rng(6))


if __name__ == "__main__":
    main()
