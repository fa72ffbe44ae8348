#ifndef CALLOSUM_FOURIER_PLAN_H
#define CALLOSUM_FOURIER_PLAN_H
// What a Fourier transform of one length needs to know beforehand: how the length falls into
// factors, and the roots of unity, computed in double and rounded once.

#include <stddef.h>

enum { fourier_largest_radix = 31, fourier_most_passes = 48 };

/// - `passes`: small factors one after the other, for many transforms side by side;
/// - `rows` and `columns`: for a long row, n = rows * columns, a transform along each by its passes and
///   roots between them;
/// - `padded`: a prime factor is large; the transform becomes a circular convolution (Bluestein).
struct fourier_plan {
  size_t n;
  /// callosum_float or callosum_double, the type of all tables.
  int type;

  int passes;
  int radix[fourier_most_passes];
  /// Of each pass with radix r and m = (what is left of n) / r: m rows of r - 1 complex numbers
  /// exp(-2 pi i p j / (r m)), j from 1.
  void *twiddles[fourier_most_passes];
  /// For odd radices: cos and sin of 2 pi j / r, for j < r.
  void *roots[fourier_most_passes];

  const struct fourier_plan *rows, *columns;
  /// exp(-2 pi i k j / n) for k < rows, j < columns, rows `between_stride` apart.
  void *between_re, *between_im;
  size_t between_stride;

  const struct fourier_plan *padded;
  /// exp(-pi i j² / n) for j < n, and the transform of its conjugate, circular over `padded->n`.
  void *chirp_re, *chirp_im, *spectrum_re, *spectrum_im;

  /// exp(-pi i k / n) for k < n: real rows of twice the length.
  void *half_re, *half_im;

  // Of the cache.
  struct fourier_plan *next;
  size_t users, last_use;
};

/// The plan of a length, from a bounded cache that threads share. NULL when memory is exhausted.
const struct fourier_plan *callosum_fourier_plan(int type, size_t n);
/// Every plan is given back after use.
void callosum_fourier_release(const struct fourier_plan *plan);

#endif
