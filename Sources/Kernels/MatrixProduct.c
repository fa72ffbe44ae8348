#include <cblas.h>
#include <dnnl.h>

#include "include/CallosumKernels.h"

int callosum_gemm_float(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k,
                        float alpha, const float *a, size_t lda, const float *b, size_t ldb,
                        float beta, float *c, size_t ldc) {
  return dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', (dnnl_dim_t)m, (dnnl_dim_t)n,
                    (dnnl_dim_t)k, alpha, a, (dnnl_dim_t)lda, b, (dnnl_dim_t)ldb, beta, c,
                    (dnnl_dim_t)ldc);
}

int callosum_gemm_double(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k,
                         double alpha, const double *a, size_t lda, const double *b, size_t ldb,
                         double beta, double *c, size_t ldc) {
  cblas_dgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans,
              transpose_b ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, alpha, a, (int)lda,
              b, (int)ldb, beta, c, (int)ldc);
  return 0;
}
