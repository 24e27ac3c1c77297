#include "core/patch/lerp_kernel.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace modelpatch::patch {

#if defined(__SSE2__)

void LerpStreaming(const float* base, const float* end, float alpha, float* out, int64_t size) {
  // anchor + factor·(end − base), anchored at the nearer end.
  const bool near_base = alpha < 0.5f;
  const __m128 factor = _mm_set1_ps(near_base ? alpha : alpha - 1.0f);
  for (int64_t i = 0; i < size; i += 16) {
    for (int64_t k = i; k < i + 16; k += 4) {
      const __m128 b = _mm_load_ps(base + k);
      const __m128 e = _mm_load_ps(end + k);
      const __m128 step = _mm_mul_ps(factor, _mm_sub_ps(e, b));
      _mm_stream_ps(out + k, _mm_add_ps(near_base ? b : e, step));
    }
  }
  _mm_sfence();
}

void MixStreaming(const float* base, std::span<const MixTerm> terms, float* out, int64_t size) {
  for (int64_t i = 0; i < size; i += 16) {
    __m128 b[4];
    __m128 sum[4];
    for (int64_t k = 0; k < 4; ++k) sum[k] = b[k] = _mm_load_ps(base + i + 4 * k);
    for (const MixTerm& term : terms) {
      const __m128 factor = _mm_set1_ps(term.alpha);
      for (int64_t k = 0; k < 4; ++k) {
        const __m128 difference = _mm_sub_ps(_mm_load_ps(term.end + i + 4 * k), b[k]);
        sum[k] = _mm_add_ps(sum[k], _mm_mul_ps(factor, difference));
      }
    }
    for (int64_t k = 0; k < 4; ++k) _mm_stream_ps(out + i + 4 * k, sum[k]);
  }
  _mm_sfence();
}

#else

void LerpStreaming(const float* base, const float* end, float alpha, float* out, int64_t size) {
  const bool near_base = alpha < 0.5f;
  const float factor = near_base ? alpha : alpha - 1.0f;
  for (int64_t i = 0; i < size; ++i) out[i] = (near_base ? base[i] : end[i]) + factor * (end[i] - base[i]);
}

void MixStreaming(const float* base, std::span<const MixTerm> terms, float* out, int64_t size) {
  for (int64_t i = 0; i < size; ++i) {
    float sum = base[i];
    for (const MixTerm& term : terms) sum += term.alpha * (term.end[i] - base[i]);
    out[i] = sum;
  }
}

#endif

}  // namespace modelpatch::patch
