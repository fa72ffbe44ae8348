#ifndef CALLOSUM_KERNELS_H
#define CALLOSUM_KERNELS_H
// The one door of the kernel room. Kernels compute on plain memory: no shapes to check, no
// derivatives, no ownership. Every array is contiguous and row-major unless strides are passed,
// `float` unless a type is passed. The rooms above check shapes before they call.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "Operations.h"

// MARK: Threads (Threads.c)

/// Runs `body(context, begin, end)` over disjoint ranges that cover 0..<count, on the thread team
/// that oneDNN uses too. `grain` is the least number of items worth a thread; with fewer, the
/// caller's thread does everything. Ranges depend only on `count`, `grain` and the thread count.
void callosum_parallel(size_t count, size_t grain,
                       void (*body)(void *context, size_t begin, size_t end), void *context);
/// Number of ranges into which callosum_parallel would cut the work: a kernel that sums over its
/// items keeps one partial sum for each and adds them in order, for the same bits every time.
size_t callosum_part_count(size_t count, size_t grain);
/// Number of threads in the team that the calling thread's work runs on, and its setter (0: one for
/// each processor); other threads keep their own number.
int callosum_thread_count(void);
void callosum_set_thread_count(int count);
/// Divides every grain by this factor (1 normally). Tests raise it so that tiny arrays take the
/// threaded paths too.
void callosum_set_grain_divisor(size_t divisor);
/// One pointer for each thread, NULL at first, and its setter, which also says how to give back what
/// it points to when the thread ends (always in the same way). The tensor room keeps what it is
/// recording there.
void *callosum_thread_slot(void);
void callosum_set_thread_slot(void *value, void (*release)(void *value));
/// Lends a thread without a pointer that of another one, which waits; NULL takes it back.
void callosum_lend_thread_slot(void *value);

// MARK: Error scopes (ErrorScope.c)

/// Runs a Swift closure of type () -> Void, given as its two words, on a thread of its own, with the slot
/// and the number of threads of the caller, which waits. Returns 0 when it came to its end, 1 when it was
/// left, -1 when there was no thread.
int callosum_run_error_scope(void *body, void *captured);
/// Leaves the body that this thread runs, from anywhere inside. Its frames are given up as they are: what
/// they own stays allocated, and a lock that they hold stays locked. Never returns, but the compiler must
/// not know: before a call that does not return it need not finish what is being changed in place.
void callosum_leave_error_scope(void);

// MARK: Instruction sets (Dispatch.c)

/// 0: what every processor of the architecture has, 1: AVX2 and FMA, 2: AVX-512.
int callosum_instruction_set(void);
/// Highest instruction set of this processor.
int callosum_best_instruction_set(void);
/// Chooses a lower set than the best one (for tests and comparisons); clamped to the best.
void callosum_set_instruction_set(int level);

// MARK: Memory (Memory.c)

/// A block of at least `bytes` bytes, aligned to 64; blocks of 64 KiB and more are kept for reuse
/// when freed, because fresh pages cost more than most kernels. NULL when memory is exhausted.
void *callosum_allocate(size_t bytes);
void callosum_free(void *block, size_t bytes);
/// Bytes of the blocks of 64 KiB and more that are allocated and not freed, the most that there were (since
/// the reset), and those of the blocks that are kept.
size_t callosum_bytes_in_use(void);
size_t callosum_most_bytes_in_use(void);
void callosum_reset_most_bytes_in_use(void);
size_t callosum_bytes_kept(void);
/// How much may be kept; below 0, the default, as much as makes 5/4 of the most in use and 64 MiB together
/// with what is in use.
ptrdiff_t callosum_cache_limit(void);
void callosum_set_cache_limit(ptrdiff_t bytes);
/// Bytes of all blocks that this thread has freed so far.
size_t callosum_bytes_freed(void);
/// The same for scratch of kernels, which cannot go on without: stops with one line that says for
/// what `purpose` there was no memory.
void *callosum_allocate_or_stop(size_t bytes, const char *purpose);
/// Says that line and stops.
_Noreturn void callosum_out_of_memory(const char *purpose, size_t bytes);
/// Returns kept blocks to the system, of the small ones those of this thread.
void callosum_release_cache(void);

// MARK: Matrix products (MatrixProduct.c)

/// C = alpha op(A) op(B) + beta C, row-major, by oneDNN. op transposes where asked: A is [m,k] or,
/// transposed, [k,m] with leading dimension lda. Returns 0, or oneDNN's status.
int callosum_gemm_float(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k,
                        float alpha, const float *a, size_t lda, const float *b, size_t ldb,
                        float beta, float *c, size_t ldc);
/// The same for double, by BLAS.
int callosum_gemm_double(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k,
                         double alpha, const double *a, size_t lda, const double *b, size_t ldb,
                         double beta, double *c, size_t ldc);

// MARK: Linear algebra (LinearAlgebra.c), by LAPACK; `type` is callosum_float or callosum_double

// Each works on `count` matrices one after the other, shares them out among the threads, and writes
// LAPACK's status of each: 0, negative for numbers that are not finite, positive for what the
// routine could not do. No size may be 0. `k` of qr and svd is the smaller of m and n.

/// A = Q R: `a` [m, n] is overwritten, its first k rows hold R in their upper triangle; q is [m, k].
void callosum_qr(int type, size_t count, size_t m, size_t n, void *a, void *q, int32_t *status);
/// A = U S Vᵀ: u [m, k], s [k] descending, vt [k, n]; only s if u and vt are NULL. `a` is overwritten.
void callosum_svd(int type, size_t count, size_t m, size_t n, void *a, void *u, void *s, void *vt,
                  int32_t *status);
/// The eigenvalues w [n], ascending, of the symmetric matrix whose lower triangle is in `a` [n, n],
/// which is overwritten: with `vectors`, row i holds the eigenvector of w[i].
void callosum_eigh(int type, size_t count, size_t n, bool vectors, void *a, void *w, int32_t *status);
/// A = L Lᵀ: the lower triangle of `a` is overwritten by L.
void callosum_cholesky(int type, size_t count, size_t n, void *a, int32_t *status);
/// `a` [n, n] is overwritten by the triangular factors of Aᵀ, with row exchanges `pivots` [n] that
/// count from 1. A positive status says which pivot is 0.
void callosum_lu(int type, size_t count, size_t n, void *a, int32_t *pivots, int32_t *status);
/// X with A X = B, or Aᵀ X = B, from those factors. `b` [k, n] holds the columns of B as rows and is
/// overwritten by those of X.
void callosum_lu_solve(int type, size_t count, size_t n, size_t k, bool transposed, const void *lu,
                       const int32_t *pivots, void *b, int32_t *status);
/// The inverse of A over those factors.
void callosum_lu_inverse(int type, size_t count, size_t n, void *lu, const int32_t *pivots,
                         int32_t *status);
/// X with A X = B, or Aᵀ X = B, for a triangle A of `a` [n, n]; `b` [n, k] is overwritten. A positive
/// status says which diagonal entry is 0.
void callosum_triangular_solve(int type, size_t count, size_t n, size_t k, bool upper, bool transposed,
                               const void *a, void *b, int32_t *status);

// MARK: Random numbers by rejection (Distributions.c), in double

// Element i draws as often as it must from a stream of its own, that of block counter + i of the key
// (vector/Random.h), so its value depends on key, counter and i alone. `step` is 1, or 0 where all
// elements share one parameter.

/// y[i] has the exponential distribution of rate 1.
void callosum_random_exponential(uint64_t key, uint64_t counter, size_t n, double *y);
/// exp(y[i]) has the gamma distribution of shape `shape[i * step]` > 0 and scale 1. The logarithm,
/// because small shapes give numbers below the smallest double.
void callosum_random_log_gamma(uint64_t key, uint64_t counter, size_t n, const double *shape,
                               size_t step, double *y);
/// y[i] has the Poisson distribution of rate `rate[i * step]`, which lies in 0...1e9.
void callosum_random_poisson(uint64_t key, uint64_t counter, size_t n, const double *rate, size_t step,
                             int32_t *y);

// MARK: Convolution (Convolution.c), channels last, one to three spatial axes

/// x is [batch, spatial..., inputs], w is [outputs, kernel..., inputs / groups],
/// y is [batch, output spatial..., outputs]. Only the first `axes` entries of each array count.
typedef struct {
  int axes;
  int64_t batch, inputs, outputs, groups;
  int64_t spatial[3], kernel[3], output[3];
  int64_t stride[3], dilation[3], padding_low[3], padding_high[3];
} callosum_convolution;
/// Each returns 0, or oneDNN's status. `bias` may be NULL.
int callosum_convolution_forward(const callosum_convolution *c, const float *x, const float *w,
                                 const float *bias, float *y);
int callosum_convolution_backward_input(const callosum_convolution *c, const float *w,
                                        const float *gy, float *gx);
int callosum_convolution_backward_weights(const callosum_convolution *c, const float *x,
                                          const float *gy, float *gw);
/// oneDNN's version as major * 10000 + minor * 100 + patch.
int callosum_onednn_version(void);

// MARK: Descriptions of larger jobs

/// Scaled dot-product attention, softmax(scale q kᵀ + mask) v, per batch row and head. Strides
/// count elements; the last axis (width, value_width) is contiguous. With `causal`, query i sees
/// keys j <= i + keys - queries (the last query sees every key). A query that sees nothing yields
/// zeros.
typedef struct {
  size_t batch, heads, queries, keys, width, value_width;
  const float *q, *k, *v;
  size_t q_batch, q_head, q_token;
  size_t k_batch, k_head, k_token;
  size_t v_batch, v_head, v_token;
  float scale;
  bool causal;
  /// Added to the scores before softmax (-infinity hides a key); NULL for none. Strides of 0
  /// broadcast.
  const float *mask;
  size_t mask_batch, mask_head, mask_query, mask_key;
} callosum_attention_job;

/// Causal linear attention per batch row and head: S_t = a_t S_(t-1) + k_t u_tᵀ from `initial`
/// [batch, heads, key_width, value_width], y_t = scale q_t S_t. u is v, or with `beta` [batch, heads,
/// time] (delta rule) beta_t (v_t - k_t a_t S_(t-1)). `log_decay`, log a, is [batch, heads, time], with
/// `decay_of_channels` [batch, heads, time, key_width], or NULL for a = 1. Strides count elements; the
/// last axis is contiguous.
typedef struct {
  size_t batch, heads, time, key_width, value_width;
  const float *q, *k, *v;
  size_t q_batch, q_head, q_step;
  size_t k_batch, k_head, k_step;
  size_t v_batch, v_head, v_step;
  /// Of y, and on the way back of its gradient.
  size_t y_batch, y_head, y_step;
  const float *log_decay, *beta, *initial;
  bool decay_of_channels;
  float scale;
  /// A derivative needs the state before every step that this divides; a multiple of 16.
  size_t kept_every;
} callosum_linear_attention_job;

/// A window over three spatial axes of channels-last data [batch, depth, height, width, channels].
typedef struct {
  size_t batch, depth, height, width, channels, out_depth, out_height, out_width;
  size_t kernel_z, kernel_y, kernel_x, stride_z, stride_y, stride_x;
  size_t dilation_z, dilation_y, dilation_x;
  /// Zero padding before the first plane, row and column (what follows is implied by the output size).
  size_t pad_z, pad_y, pad_x;
} callosum_window;

/// The part of a pooling window along one axis that lies within the data: `count` elements from
/// `place` on. `divisor` is what an average counts.
typedef struct {
  size_t place, count, divisor;
} callosum_span;

/// Windows over channels-last data [batch, depth, height, width, channels], which are the product of
/// the spans of three axes; spans[axis] has output[axis] entries.
typedef struct {
  size_t batch, channels;
  size_t size[3], output[3], dilation[3];
  const callosum_span *spans[3];
} callosum_pooling;

enum callosum_interpolation { callosum_nearest, callosum_linear, callosum_cubic };
enum callosum_border { callosum_border_zeros, callosum_border_reflect, callosum_border_replicate };

/// Sampling of channels-last data [batch, spatial..., channels] at `places` coordinates per batch row.
typedef struct {
  size_t batch, places, channels;
  int axes;
  size_t size[3];
  enum callosum_interpolation interpolation;
  enum callosum_border border;
  /// Whether -1 and 1 are the centres of the border elements, or their outer edges.
  bool align_corners;
} callosum_grid;

/// Leaky integrate-and-fire neurons: `lanes` of them in each batch, of which lane l uses leak[l % leaks], threshold[l %
/// thresholds], and where they adapt keep[l % keeps] and jump[l % jumps].
typedef struct {
  size_t batch, time, lanes, leaks, thresholds, keeps, jumps;
  float slope;
  /// A factor of the surrogate.
  float dampening;
  enum callosum_surrogate surrogate;
  enum callosum_reset reset;
  /// Whether the derivative leaves out the path from the potential through the spike to the reset.
  bool detach_reset;
  /// Whether a potential must be above its threshold, not at it.
  bool strict;
  /// Whether what a spike subtracts is taken off in the next step.
  bool later;
  /// Whether spikes raise the threshold.
  bool adapts;
  /// Steps after a spike in which there is no other.
  float refractory;
} callosum_spiking;

/// What goes in. `fired` is s before the first step (read if `later`), `adaptation` a (if `adapts`), `recovery`
/// the steps that are still to be waited (if `refractory`); the others may be NULL.
typedef struct {
  /// [batch, time, lanes]
  const float *current;
  const float *leak, *threshold, *keep, *jump;
  /// [batch, lanes]
  const float *potential, *fired, *adaptation, *recovery;
} callosum_spiking_inputs;

/// What comes out, and what the way back reads.
typedef struct {
  /// [batch, time, lanes]; `adaptations` are those before each step.
  float *spikes, *potentials, *adaptations;
  /// After the last step, [batch, lanes].
  float *potential, *fired, *adaptation, *recovery;
} callosum_spiking_outputs;

/// The way back. Of what arrives any may be NULL for zeros.
typedef struct {
  const float *spikes, *potentials, *last_potential, *last_fired, *last_adaptation;
  /// [batch, time, lanes]
  float *current;
  /// Of each lane, [batch, lanes]; the first two may be NULL, the next two are there if it adapts.
  float *leak, *threshold, *keep, *jump;
  /// [batch, lanes]
  float *potential, *fired, *adaptation;
} callosum_spiking_gradients;

/// A batch of sequences on its way through a recurrent cell, the longest first, with nothing behind the
/// end of shorter ones: step t has the rows first[t] ..< first[t + 1] of all, which are those of the
/// step before without the ones that are over.
typedef struct {
  size_t time, batch, hidden;
  /// [time + 1]
  const size_t *first;
  /// Of an Elman network: ReLU instead of tanh.
  bool relu;
  /// U, [gates hidden, hidden]; h before the first step, [batch, hidden].
  const float *weight, *start;
  /// [rows, gates hidden] (unused by an Elman network) and h of each step, [rows, hidden].
  float *gates, *states;
} callosum_sequence;

/// Channels of a selective scan that one thread takes together: the gradients of b and c are summed over
/// them, and so come in ceil(channels of a group / this) parts.
enum { callosum_selective_span = 64 };

/// A selective scan; sequences are [batch, time, channels], and neighbouring channels, channels / groups
/// of them, share b and c.
typedef struct {
  size_t batch, time, channels, groups, states;
  /// The gate may be NULL.
  const float *x, *delta, *gate;
  /// [states, channels]
  const float *a;
  /// [batch, time, groups, states]
  const float *b, *c;
  /// [channels], each may be NULL: what is added to delta, and the share of x that passes to the output.
  const float *bias, *skip;
  /// Whether delta is softplus(delta + bias).
  bool softplus;
  /// The state before the first step, [batch, states, channels].
  const float *initial;
  /// A derivative needs the state before every step that this divides; at most 64.
  size_t kept_every;
} callosum_selective_job;

/// Where the gradients of a selective scan go.
typedef struct {
  float *x, *delta, *gate, *a, *b, *c, *bias, *skip, *initial;
} callosum_selective_gradients;

/// A sequence on its way through a leaky memory that a network with one hidden layer writes to.
typedef struct {
  size_t time, batch, memory, hidden;
  /// Whether the hidden layer is silu instead of ReLU.
  bool silu;
  /// From memory to hidden layer [hidden, memory], and back [memory, hidden] with its bias [memory].
  const float *inner, *outer, *bias;
  /// What remains of the memory at a step, and how much of what is written counts, [memory].
  const float *keep, *gain;
  /// The memory before the first step, [batch, memory].
  const float *start;
  /// Of all steps: [time, batch, hidden], [time, batch, memory] and the memory, [time, batch, memory].
  float *sums, *bent, *states;
} callosum_leaky_sequence;

typedef enum {
  /// y[k] = scale sum of x[j] exp(-+ 2 pi i jk / n), + with `inverse`. y may be x.
  callosum_complex_to_complex,
  /// The same of real x, frequencies 0 < k < n / 2 times `weight`.
  callosum_real_to_complex,
  /// The transpose of that, for the same scale and weight: the real part of the sum of
  /// x[k] exp(2 pi i jk / n) over the frequencies, with the same factors.
  callosum_complex_to_real,
} callosum_fourier_kind;

/// Fourier transforms of `count` contiguous rows of length n, any n above 0. Complex numbers are pairs;
/// a real row has n / 2 + 1 frequencies, the others being their mirror.
typedef struct {
  int type;
  callosum_fourier_kind kind;
  bool inverse;
  size_t count, n;
  double scale, weight;
} callosum_fourier_job;

/// Circular convolution over n (even, at least 512) places of u [batch, channels, length] with w
/// [channels, kernel], both filled up with 0, of which y [batch, channels, outputs] is the beginning.
typedef struct {
  size_t batch, channels, length, kernel, outputs, n;
} callosum_fourier_convolution_job;

/// A sparse matrix on its way over tables [batch, table_rows, width]: the entries of row r are index[j]
/// and value[order[j]] (without `order` value[j]) for j in starts[r]..<starts[r + 1].
typedef struct {
  size_t rows, width, batch, table_rows;
  const int32_t *starts, *index, *order;
  const float *value;
} callosum_sparse;

/// B-splines of a degree of at most 7 over `intervals` equal parts that begin at `low`, with
/// 1 / width = `scale`; the knots go on beyond both ends, so there are intervals + degree functions.
typedef struct {
  size_t intervals, degree;
  float low, scale;
} callosum_splines;

/// A multiresolution hash grid, table [levels, entries, features], read at points [points, axes]
/// (at most 4 axes): level l has resolutions[l] cells in 0...1 on each axis.
typedef struct {
  size_t points, axes, levels, entries, features;
  const int32_t *resolutions;
} callosum_grid_levels;

// MARK: Vector kernels, compiled once per instruction set

#define KERNEL(name, parameters, arguments) void callosum_##name parameters;
#include "KernelList.h"
#undef KERNEL

#endif
