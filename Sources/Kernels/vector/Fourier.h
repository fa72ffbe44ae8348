// Fourier transforms, fast for any length: the numbers lie in two planes, of real and of imaginary
// parts, and every step works on WIDTH neighbours, as many as a vector holds. Long transforms are cut in
// two directions, columns then rows, so that neighbours lie side by side in both; short ones run WIDTH
// at a time.

#include "../FourierPlan.h"

typedef double vd __attribute__((vector_size(LANES * 4), aligned(8)));

#define LOWER_2 0, 2
#define UPPER_2 1, 3
#define LOWER_4 0, 4, 1, 5
#define UPPER_4 2, 6, 3, 7
#define LOWER_8 0, 8, 1, 9, 2, 10, 3, 11
#define UPPER_8 4, 12, 5, 13, 6, 14, 7, 15
#define LOWER_16 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define UPPER_16 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31

#if LANES == 16
#define WIDTH 16
#define LOWER_INTERLEAVED LOWER_16
#define UPPER_INTERLEAVED UPPER_16
#elif LANES == 8
#define WIDTH 8
#define LOWER_INTERLEAVED LOWER_8
#define UPPER_INTERLEAVED UPPER_8
#else
#define WIDTH 4
#define LOWER_INTERLEAVED LOWER_4
#define UPPER_INTERLEAVED UPPER_4
#endif
#define REAL float
#define VECTOR vf
#define NAME(x) x##_float
#include "FourierPasses.h"
#include "FourierTransform.h"
#include "FourierConvolution.h"
#undef WIDTH
#undef LOWER_INTERLEAVED
#undef UPPER_INTERLEAVED
#undef REAL
#undef VECTOR
#undef NAME

#if LANES == 16
#define WIDTH 8
#define LOWER_INTERLEAVED LOWER_8
#define UPPER_INTERLEAVED UPPER_8
#elif LANES == 8
#define WIDTH 4
#define LOWER_INTERLEAVED LOWER_4
#define UPPER_INTERLEAVED UPPER_4
#else
#define WIDTH 2
#define LOWER_INTERLEAVED LOWER_2
#define UPPER_INTERLEAVED UPPER_2
#endif
#define REAL double
#define VECTOR vd
#define NAME(x) x##_double
#include "FourierPasses.h"
#include "FourierTransform.h"
#undef WIDTH
#undef LOWER_INTERLEAVED
#undef UPPER_INTERLEAVED
#undef REAL
#undef VECTOR
#undef NAME

static void fourier(const callosum_fourier_job *job, const void *x, void *y) {
  if (job->type == callosum_double)
    fourier_rows_double(job, x, y);
  else
    fourier_rows_float(job, x, y);
}
