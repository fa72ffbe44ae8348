#include <cblas.h>
#include <dnnl.h>

#include "include/CallosumKernels.h"

int callosum_gemm_float(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k,
                        float alpha, const float *a, size_t lda, const float *b, size_t ldb,
                        float beta, float *c, size_t ldc) {
  // So many terms at a time: the library adds up all terms of a vector's product one after the other, and into
  // what was there before, which for a million of them would be a percent off.
  enum { terms = 4096 };
  const size_t bytes = (m == 1 || n == 1) && k > terms ? m * n * sizeof(float) : 0;
  float *part = bytes ? callosum_allocate(bytes) : NULL;
  for (size_t first = 0; first == 0 || first < k; first += terms) {
    size_t some = k - first < terms ? k - first : terms;
    bool apart = part && first > 0;
    int status = dnnl_sgemm(
        transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', (dnnl_dim_t)m, (dnnl_dim_t)n,
        (dnnl_dim_t)some, alpha, a + first * (transpose_a ? lda : 1), (dnnl_dim_t)lda,
        b + first * (transpose_b ? 1 : ldb), (dnnl_dim_t)ldb, apart ? 0 : first ? 1 : beta,
        apart ? part : c, (dnnl_dim_t)(apart ? n : ldc));
    if (status) {
      callosum_free(part, bytes);
      return status;
    }
    for (size_t i = 0; apart && i < m; i++)
      for (size_t j = 0; j < n; j++) c[i * ldc + j] += part[i * n + j];
  }
  callosum_free(part, bytes);
  return 0;
}

int callosum_gemm_double(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k,
                         double alpha, const double *a, size_t lda, const double *b, size_t ldb,
                         double beta, double *c, size_t ldc) {
  cblas_dgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans,
              transpose_b ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, alpha, a, (int)lda,
              b, (int)ldb, beta, c, (int)ldc);
  return 0;
}
