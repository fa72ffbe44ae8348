// Vectors of LANES floats (or as many int32), in clang's portable vector extension: the same code
// becomes AVX-512, AVX2, SSE2 or NEON. Comparisons give masks of 0 and -1.

typedef float vf __attribute__((vector_size(LANES * 4), aligned(4)));
typedef int32_t vi __attribute__((vector_size(LANES * 4), aligned(4)));
typedef uint32_t vu __attribute__((vector_size(LANES * 4), aligned(4)));

#define INLINE static inline __attribute__((always_inline))

INLINE vf load(const float *p) { return *(const vf *)p; }
INLINE void store(float *p, vf x) { *(vf *)p = x; }
INLINE vf splat(float x) { return x - (vf){0}; }

// Lane i is -1 where i < count, else 0.
INLINE vi first_lanes(size_t count) {
  vi lane;
  for (int i = 0; i < LANES; i++) lane[i] = i;
  return lane < (vi){0} + (int32_t)count;
}

// The first `count` (< LANES) elements; the rest is 0 when loaded and left alone when stored.
// memcpy would be a call each time, dearer than the work on a short row.
INLINE vf load_part(const float *p, size_t count) {
#if LANES == 16
  return __builtin_ia32_loadups512_mask(p, (vf){0}, (unsigned short)((1u << count) - 1));
#elif LANES == 8
  return __builtin_ia32_maskloadps256((const void *)p, first_lanes(count));
#else
  vf x = {0};
  for (size_t i = 0; i < LANES - 1; i++)
    if (i < count) x[i] = p[i];
  return x;
#endif
}
INLINE void store_part(float *p, vf x, size_t count) {
#if LANES == 16
  __builtin_ia32_storeups512_mask(p, x, (unsigned short)((1u << count) - 1));
#elif LANES == 8
  __builtin_ia32_maskstoreps256((void *)p, first_lanes(count), x);
#else
  for (size_t i = 0; i < LANES - 1; i++)
    if (i < count) p[i] = x[i];
#endif
}

// A whole vector, or its part where only `left` elements remain.
INLINE vf load_some(const float *p, size_t left) {
  return left >= LANES ? load(p) : load_part(p, left);
}
INLINE void store_some(float *p, vf x, size_t left) {
  if (left >= LANES)
    store(p, x);
  else
    store_part(p, x, left);
}

INLINE vf fma_(vf a, vf b, vf c) {
#if LANES == 4
  // Without FMA a fused result would be a library call per lane.
  return a * b + c;
#else
  return __builtin_elementwise_fma(a, b, c);
#endif
}
INLINE vf select_(vi mask, vf a, vf b) { return (vf)(((vi)a & mask) | ((vi)b & ~mask)); }
// NaN where either is, as everywhere in this library. Where `a` or `b` is a constant the second comparison
// costs nothing.
INLINE vf min_(vf a, vf b) { return select_((a < b) | (a != a), a, b); }
INLINE vf max_(vf a, vf b) { return select_((a > b) | (a != a), a, b); }
// The larger, and `b` where one is NaN: one instruction, for those who look after NaN themselves.
INLINE vf max_or_second(vf a, vf b) { return select_(a > b, a, b); }

INLINE float sum_lanes(vf x) {
  float s[LANES];
  memcpy(s, &x, sizeof s);
  for (int width = LANES / 2; width > 0; width /= 2)
    for (int i = 0; i < width; i++) s[i] += s[i + width];
  return s[0];
}
INLINE float max_lanes(vf x) {
  float m[LANES];
  memcpy(m, &x, sizeof m);
  for (int width = LANES / 2; width > 0; width /= 2)
    for (int i = 0; i < width; i++)
      m[i] = m[i] > m[i + width] || m[i] != m[i] ? m[i] : m[i + width];
  return m[0];
}
