// The door to LAPACK, which OpenBLAS brings. LAPACK reads columns first: a row-major matrix reaches
// it as its transpose, and each routine below is chosen so that nothing has to be turned round.

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "include/CallosumKernels.h"

// Both precisions of a routine by one declaration, with arrays as void * and the lengths of the
// text arguments at the end, as Fortran passes them.
#define ROUTINE(name, ...) \
  extern void s##name##_(__VA_ARGS__); \
  extern void d##name##_(__VA_ARGS__);
#define CALL(type, name, ...) \
  ((type) == callosum_double ? d##name##_(__VA_ARGS__) : s##name##_(__VA_ARGS__))

ROUTINE(gelqf, const int *m, const int *n, void *a, const int *lda, void *tau, void *work,
        const int *lwork, int *info)
ROUTINE(orglq, const int *m, const int *n, const int *k, void *a, const int *lda, const void *tau,
        void *work, const int *lwork, int *info)
ROUTINE(gesdd, const char *job, const int *m, const int *n, void *a, const int *lda, void *s,
        void *u, const int *ldu, void *vt, const int *ldvt, void *work, const int *lwork,
        int *iwork, int *info, size_t)
ROUTINE(syevd, const char *job, const char *uplo, const int *n, void *a, const int *lda, void *w,
        void *work, const int *lwork, int *iwork, const int *liwork, int *info, size_t, size_t)
ROUTINE(potrf, const char *uplo, const int *n, void *a, const int *lda, int *info, size_t)
ROUTINE(getrf, const int *m, const int *n, void *a, const int *lda, int *pivots, int *info)
ROUTINE(getrs, const char *trans, const int *n, const int *nrhs, const void *a, const int *lda,
        const int *pivots, void *b, const int *ldb, int *info, size_t)
ROUTINE(getri, const int *n, void *a, const int *lda, const int *pivots, void *work,
        const int *lwork, int *info)

// OpenBLAS may come with threads of its own, which would wait for those of our team: batches are
// shared out among the team instead. Built on OpenMP (2) it joins the team by itself.
__attribute__((constructor)) static void keep_to_one_team(void) {
  enum { threads_of_its_own = 1 };
  if (openblas_get_parallel() == threads_of_its_own) openblas_set_num_threads(1);
}

/// The same routine for every matrix of a batch. `one` returns LAPACK's status.
struct batch {
  int type, m, n, k;
  bool upper, transposed;
  char *a, *b, *c, *s;
  int32_t *pivots, *status;
  size_t work, integers;  // scratch that one call needs, in elements
  int (*one)(const struct batch *batch, size_t at, void *work, int *integers);
};

static size_t element(const struct batch *batch) {
  return batch->type == callosum_double ? sizeof(double) : sizeof(float);
}

/// Matrix `at` of `array`, whose matrices have `size` elements.
static void *matrix(const struct batch *batch, char *array, size_t size, size_t at) {
  return array ? array + at * size * element(batch) : NULL;
}

static void run_range(void *context, size_t begin, size_t end) {
  const struct batch *batch = context;
  enum { out_of_memory = -1000 };
  void *work = malloc((batch->work + 1) * element(batch));
  int *integers = malloc((batch->integers + 1) * sizeof(int));
  for (size_t at = begin; at < end; at++)
    batch->status[at] = work && integers ? batch->one(batch, at, work, integers) : out_of_memory;
  free(work);
  free(integers);
}

static void run(struct batch batch, size_t count) {
  // A thread should have work for some 20 microseconds.
  size_t cost = (size_t)batch.n * (size_t)batch.n * (size_t)(batch.m > batch.k ? batch.m : batch.k);
  callosum_parallel(count, 1 + 40000 / (cost + 1), run_range, &batch);
}

static int least(int a, int b) { return a < b ? a : b; }

/// The scratch size that a routine asked for in its first element.
static size_t asked(int type, const double *answer) {
  return type == callosum_double ? (size_t)*answer : (size_t)*(const float *)answer + 1;
}

// The rows of A are what LAPACK sees as columns of Aᵀ = L Q', so that A = Q'ᵀ Lᵀ.
static int qr_one(const struct batch *batch, size_t at, void *work, int *integers) {
  (void)integers;
  int m = batch->m, n = batch->n, k = least(m, n), info, room = (int)batch->work - k;
  size_t size = element(batch);
  char *a = matrix(batch, batch->a, (size_t)m * (size_t)n, at);
  char *q = matrix(batch, batch->b, (size_t)m * (size_t)k, at);
  char *tau = (char *)work + (size_t)room * size;
  CALL(batch->type, gelqf, &n, &m, a, &n, tau, work, &room, &info);
  if (info) return info;
  for (int row = 0; row < m; row++)
    memcpy(q + (size_t)row * (size_t)k * size, a + (size_t)row * (size_t)n * size, (size_t)k * size);
  CALL(batch->type, orglq, &k, &m, &k, q, &k, tau, work, &room, &info);
  return info;
}

void callosum_qr(int type, size_t count, size_t m, size_t n, void *a, void *q, int32_t *status) {
  struct batch batch = {
      .type = type, .m = (int)m, .n = (int)n, .a = a, .b = q, .status = status, .one = qr_one};
  int k = least(batch.m, batch.n), query = -1, info;
  double first = 0, second = 0;
  CALL(type, gelqf, &batch.n, &batch.m, a, &batch.n, &first, &first, &query, &info);
  CALL(type, orglq, &k, &batch.m, &k, q, &k, &second, &second, &query, &info);
  size_t one = asked(type, &first), other = asked(type, &second);
  batch.work = (one > other ? one : other) + (size_t)k;
  run(batch, count);
}

// Aᵀ = V S Uᵀ, whose factors in columns are Vᵀ and U in rows.
static int svd_one(const struct batch *batch, size_t at, void *work, int *integers) {
  int m = batch->m, n = batch->n, k = least(m, n), info, room = (int)batch->work;
  void *u = matrix(batch, batch->b, (size_t)m * (size_t)k, at);
  void *vt = matrix(batch, batch->c, (size_t)k * (size_t)n, at);
  CALL(batch->type, gesdd, u ? "S" : "N", &n, &m,
       matrix(batch, batch->a, (size_t)m * (size_t)n, at), &n,
       matrix(batch, batch->s, (size_t)k, at), vt, &n, u, &k, work, &room, integers, &info, 1);
  return info;
}

void callosum_svd(int type, size_t count, size_t m, size_t n, void *a, void *u, void *s, void *vt,
                  int32_t *status) {
  struct batch batch = {.type = type, .m = (int)m, .n = (int)n, .a = a, .b = u, .c = vt, .s = s,
                        .status = status, .one = svd_one};
  int k = least(batch.m, batch.n), query = -1, info, integer = 0;
  double answer = 0;
  CALL(type, gesdd, u ? "S" : "N", &batch.n, &batch.m, a, &batch.n, s, vt, &batch.n, u, &k, &answer,
       &query, &integer, &info, 1);
  batch.work = asked(type, &answer);
  batch.integers = 8 * (size_t)k;
  run(batch, count);
}

// The lower triangle in rows is the upper one in columns.
static int eigh_one(const struct batch *batch, size_t at, void *work, int *integers) {
  int n = batch->n, info, room = (int)batch->work, integer_room = (int)batch->integers;
  CALL(batch->type, syevd, batch->m ? "V" : "N", "U", &n,
       matrix(batch, batch->a, (size_t)n * (size_t)n, at), &n,
       matrix(batch, batch->s, (size_t)n, at), work, &room, integers, &integer_room, &info, 1, 1);
  return info;
}

void callosum_eigh(int type, size_t count, size_t n, bool vectors, void *a, void *w, int32_t *status) {
  struct batch batch = {.type = type, .m = vectors, .n = (int)n, .k = (int)n, .a = a, .s = w,
                        .status = status, .one = eigh_one};
  int query = -1, info, integers = 0;
  double answer = 0;
  CALL(type, syevd, vectors ? "V" : "N", "U", &batch.n, a, &batch.n, w, &answer, &query, &integers,
       &query, &info, 1, 1);
  batch.work = asked(type, &answer);
  batch.integers = (size_t)integers;
  run(batch, count);
}

static int cholesky_one(const struct batch *batch, size_t at, void *work, int *integers) {
  (void)work, (void)integers;
  int n = batch->n, info;
  char *a = matrix(batch, batch->a, (size_t)n * (size_t)n, at);
  CALL(batch->type, potrf, "U", &n, a, &n, &info, 1);
  // LAPACK ends at a pivot that is NaN as at one that is negative; not all of OpenBLAS's kernels do.
  for (int i = 0; i < n && !info; i++) {
    size_t place = (size_t)i * (size_t)(n + 1);
    if (isnan(batch->type == callosum_double ? ((double *)a)[place] : ((float *)a)[place])) info = i + 1;
  }
  return info;
}

void callosum_cholesky(int type, size_t count, size_t n, void *a, int32_t *status) {
  run((struct batch){.type = type, .m = (int)n, .n = (int)n, .a = a, .status = status,
                     .one = cholesky_one}, count);
}

static int lu_one(const struct batch *batch, size_t at, void *work, int *integers) {
  (void)work, (void)integers;
  int n = batch->n, info;
  CALL(batch->type, getrf, &n, &n, matrix(batch, batch->a, (size_t)n * (size_t)n, at), &n,
       batch->pivots + at * (size_t)n, &info);
  return info;
}

void callosum_lu(int type, size_t count, size_t n, void *a, int32_t *pivots, int32_t *status) {
  run((struct batch){.type = type, .m = (int)n, .n = (int)n, .a = a, .pivots = pivots,
                     .status = status, .one = lu_one}, count);
}

static int lu_solve_one(const struct batch *batch, size_t at, void *work, int *integers) {
  (void)work, (void)integers;
  int n = batch->n, k = batch->k, info;
  // What was factored is Aᵀ.
  CALL(batch->type, getrs, batch->transposed ? "N" : "T", &n, &k,
       matrix(batch, batch->a, (size_t)n * (size_t)n, at), &n, batch->pivots + at * (size_t)n,
       matrix(batch, batch->b, (size_t)n * (size_t)k, at), &n, &info, 1);
  return info;
}

void callosum_lu_solve(int type, size_t count, size_t n, size_t k, bool transposed, const void *lu,
                       const int32_t *pivots, void *b, int32_t *status) {
  run((struct batch){.type = type, .n = (int)n, .k = (int)k, .transposed = transposed, .a = (void *)lu,
                     .pivots = (int32_t *)pivots, .b = b, .status = status, .one = lu_solve_one},
      count);
}

static int lu_inverse_one(const struct batch *batch, size_t at, void *work, int *integers) {
  (void)integers;
  int n = batch->n, info, room = (int)batch->work;
  CALL(batch->type, getri, &n, matrix(batch, batch->a, (size_t)n * (size_t)n, at), &n,
       batch->pivots + at * (size_t)n, work, &room, &info);
  return info;
}

void callosum_lu_inverse(int type, size_t count, size_t n, void *lu, const int32_t *pivots,
                         int32_t *status) {
  run((struct batch){.type = type, .m = (int)n, .n = (int)n, .a = lu, .pivots = (int32_t *)pivots,
                     .work = 64 * n, .status = status, .one = lu_inverse_one}, count);
}

static int triangular_solve_one(const struct batch *batch, size_t at, void *work, int *integers) {
  (void)work, (void)integers;
  int n = batch->n, k = batch->k;
  void *a = matrix(batch, batch->a, (size_t)n * (size_t)n, at);
  void *b = matrix(batch, batch->b, (size_t)n * (size_t)k, at);
  for (int i = 0; i < n; i++) {
    size_t diagonal = (size_t)i * (size_t)(n + 1);
    if (batch->type == callosum_double ? ((double *)a)[diagonal] == 0 : ((float *)a)[diagonal] == 0)
      return i + 1;
  }
  enum CBLAS_UPLO triangle = batch->upper ? CblasUpper : CblasLower;
  enum CBLAS_TRANSPOSE transpose = batch->transposed ? CblasTrans : CblasNoTrans;
  if (batch->type == callosum_double)
    cblas_dtrsm(CblasRowMajor, CblasLeft, triangle, transpose, CblasNonUnit, n, k, 1, a, n, b, k);
  else
    cblas_strsm(CblasRowMajor, CblasLeft, triangle, transpose, CblasNonUnit, n, k, 1, a, n, b, k);
  return 0;
}

void callosum_triangular_solve(int type, size_t count, size_t n, size_t k, bool upper, bool transposed,
                               const void *a, void *b, int32_t *status) {
  run((struct batch){.type = type, .n = (int)n, .k = (int)k, .upper = upper, .transposed = transposed,
                     .a = (void *)a, .b = b, .status = status, .one = triangular_solve_one}, count);
}
