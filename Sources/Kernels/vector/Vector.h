// Vectors of LANES floats (or as many int32), in clang's portable vector extension: the same code
// becomes AVX-512, AVX2, SSE2 or NEON. Comparisons give masks of 0 and -1.

typedef float vf __attribute__((vector_size(LANES * 4), aligned(4)));
typedef int32_t vi __attribute__((vector_size(LANES * 4), aligned(4)));
typedef uint32_t vu __attribute__((vector_size(LANES * 4), aligned(4)));

#define INLINE static inline __attribute__((always_inline))

INLINE vf load(const float *p) { return *(const vf *)p; }
INLINE void store(float *p, vf x) { *(vf *)p = x; }
INLINE vf splat(float x) { return x - (vf){0}; }

// The first `count` (< LANES) elements; the rest is 0 when loaded and left alone when stored.
INLINE vf load_part(const float *p, size_t count) {
  vf x = {0};
  memcpy(&x, p, count * sizeof(float));
  return x;
}
INLINE void store_part(float *p, vf x, size_t count) { memcpy(p, &x, count * sizeof(float)); }

INLINE vf fma_(vf a, vf b, vf c) {
#if LANES == 4
  // Without FMA a fused result would be a library call per lane.
  return a * b + c;
#else
  return __builtin_elementwise_fma(a, b, c);
#endif
}
INLINE vf select_(vi mask, vf a, vf b) { return (vf)(((vi)a & mask) | ((vi)b & ~mask)); }
INLINE vf min_(vf a, vf b) { return select_(a < b, a, b); }
INLINE vf max_(vf a, vf b) { return select_(a > b, a, b); }

INLINE float sum_lanes(vf x) {
  float s[LANES];
  memcpy(s, &x, sizeof s);
  for (int width = LANES / 2; width > 0; width /= 2)
    for (int i = 0; i < width; i++) s[i] += s[i + width];
  return s[0];
}
INLINE float max_lanes(vf x) {
  float m = x[0];
  for (int i = 1; i < LANES; i++) m = x[i] > m ? x[i] : m;
  return m;
}
