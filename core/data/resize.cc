#include "core/data/resize.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace modelpatch::data {
namespace {

constexpr int kChannels = 3;
constexpr int kPrecisionBits = 32 - 8 - 2;
constexpr int32_t kHalf = int32_t{1} << (kPrecisionBits - 1);

// For each of the wanted outputs along one axis: which inputs it takes, with which weights.
struct Taps {
  std::vector<int> first;        // index of the first input
  std::vector<int> count;        // number of inputs
  std::vector<int32_t> weights;  // [outputs, stride], 22-bit fixed point
  size_t stride = 0;

  const int32_t* WeightsOf(size_t output) const { return weights.data() + output * stride; }
};

double BicubicKernel(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  return 0.0;
}

double TriangleKernel(double x) { return std::max(0.0, 1.0 - std::abs(x)); }

// The taps of outputs begin … begin + size - 1 when `input_size` samples become `output_size`. The order of the
// floating-point operations is Pillow's: a weight that falls on the other side of a half would change a pixel.
template <typename Kernel>
Taps ComputeTaps(int input_size, int64_t output_size, int64_t begin, int64_t size, double kernel_support,
                 Kernel kernel) {
  const double scale = static_cast<double>(input_size) / static_cast<double>(output_size);
  const double filter_scale = std::max(scale, 1.0);
  const double support = kernel_support * filter_scale;
  const double inverse_filter_scale = 1.0 / filter_scale;
  Taps taps;
  taps.stride = static_cast<size_t>(std::ceil(support)) * 2 + 1;
  taps.first.resize(static_cast<size_t>(size));
  taps.count.resize(static_cast<size_t>(size));
  taps.weights.resize(static_cast<size_t>(size) * taps.stride);
  std::vector<double> exact(taps.stride);
  for (size_t i = 0; i < static_cast<size_t>(size); ++i) {
    const double center = (static_cast<double>(begin + static_cast<int64_t>(i)) + 0.5) * scale;
    const int first = std::max(static_cast<int>(center - support + 0.5), 0);
    const int count = std::min(static_cast<int>(center + support + 0.5), input_size) - first;
    double sum = 0.0;
    for (int tap = 0; tap < count; ++tap) {
      exact[static_cast<size_t>(tap)] = kernel((tap + first - center + 0.5) * inverse_filter_scale);
      sum += exact[static_cast<size_t>(tap)];
    }
    int32_t* const weights = taps.weights.data() + i * taps.stride;
    for (int tap = 0; tap < count; ++tap) {
      const double weight = (sum != 0.0 ? exact[static_cast<size_t>(tap)] / sum : exact[static_cast<size_t>(tap)]) *
                            (1 << kPrecisionBits);
      weights[tap] = static_cast<int32_t>(weight < 0.0 ? weight - 0.5 : weight + 0.5);
    }
    taps.first[i] = first;
    taps.count[i] = count;
  }
  return taps;
}

Taps ComputeTaps(int input_size, int64_t output_size, int64_t begin, int64_t size, ResizeFilter filter) {
  return filter == ResizeFilter::kBicubic ? ComputeTaps(input_size, output_size, begin, size, 2.0, BicubicKernel)
                                          : ComputeTaps(input_size, output_size, begin, size, 1.0, TriangleKernel);
}

// The inner loops exist twice: for the baseline, and for AVX2, which is chosen at run time. All are integer arithmetic
// and give the same bits.
#define MP_INLINE inline __attribute__((always_inline))

MP_INLINE uint8_t Clip(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255)); }

// kRows rows, `stride` bytes apart: source [kRows, input width, 3] to target [kRows, outputs, 3].
template <int kRows>
void HorizontalRows(const uint8_t* source, size_t stride, const Taps& taps, uint8_t* target, size_t target_stride) {
  for (int row = 0; row < kRows; ++row, source += stride, target += target_stride) {
    for (size_t x = 0; x < taps.first.size(); ++x) {
      const uint8_t* pixel = source + static_cast<size_t>(taps.first[x]) * kChannels;
      const int32_t* const weights = taps.WeightsOf(x);
      int32_t red = kHalf, green = kHalf, blue = kHalf;
      for (int tap = 0; tap < taps.count[x]; ++tap, pixel += kChannels) {
        red += weights[tap] * pixel[0];
        green += weights[tap] * pixel[1];
        blue += weights[tap] * pixel[2];
      }
      target[x * kChannels] = Clip(red);
      target[x * kChannels + 1] = Clip(green);
      target[x * kChannels + 2] = Clip(blue);
    }
  }
}

// kLanes samples of one row of the result, from `count` rows that lie `stride` bytes apart.
template <size_t kLanes>
MP_INLINE void VerticalLanes(const uint8_t* source, size_t stride, const int32_t* weights, int count, uint8_t* target) {
  int32_t sums[kLanes];
  for (size_t lane = 0; lane < kLanes; ++lane) sums[lane] = kHalf;
  for (int tap = 0; tap < count; ++tap, source += stride) {
    for (size_t lane = 0; lane < kLanes; ++lane) sums[lane] += weights[tap] * source[lane];
  }
  for (size_t lane = 0; lane < kLanes; ++lane) target[lane] = Clip(sums[lane]);
}

MP_INLINE void VerticalLoop(const uint8_t* source, size_t stride, const int32_t* weights, int count, size_t samples,
                            uint8_t* target) {
  size_t i = 0;
  for (; i + 32 <= samples; i += 32) VerticalLanes<32>(source + i, stride, weights, count, target + i);
  for (; i < samples; ++i) VerticalLanes<1>(source + i, stride, weights, count, target + i);
}

#if defined(__x86_64__)
// A pixel is one vector of four lanes, so one byte after the last row is read too. Several rows at once share the
// weights and the loop over the taps, which is short.
template <int kRows>
__attribute__((target("avx2"))) void HorizontalRowsAvx2(const uint8_t* source, size_t stride, const Taps& taps,
                                                        uint8_t* target, size_t target_stride) {
  const size_t outputs = taps.first.size();
  for (size_t x = 0; x < outputs; ++x, target += kChannels) {
    const uint8_t* pixel = source + static_cast<size_t>(taps.first[x]) * kChannels;
    const int32_t* const weights = taps.WeightsOf(x);
    const int count = taps.count[x];
    __m128i sums[kRows];
    for (int row = 0; row < kRows; ++row) sums[row] = _mm_set1_epi32(kHalf);
    for (int tap = 0; tap < count; ++tap, pixel += kChannels) {
      const __m128i weight = _mm_set1_epi32(weights[tap]);
      for (int row = 0; row < kRows; ++row) {
        int32_t bytes;
        std::memcpy(&bytes, pixel + static_cast<size_t>(row) * stride, sizeof(bytes));
        const __m128i lanes = _mm_cvtepu8_epi32(_mm_cvtsi32_si128(bytes));
        sums[row] = _mm_add_epi32(sums[row], _mm_mullo_epi32(lanes, weight));
      }
    }
    for (int row = 0; row < kRows; ++row) {
      // The packing instructions clip.
      const __m128i words = _mm_packs_epi32(_mm_srai_epi32(sums[row], kPrecisionBits), _mm_setzero_si128());
      const int32_t bytes = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
      std::memcpy(target + static_cast<size_t>(row) * target_stride, &bytes, kChannels);
    }
  }
}
__attribute__((target("avx2"))) void VerticalRowAvx2(const uint8_t* source, size_t stride, const int32_t* weights,
                                                     int count, size_t samples, uint8_t* target) {
  VerticalLoop(source, stride, weights, count, samples, target);
}
#endif

void VerticalRow(const uint8_t* source, size_t stride, const int32_t* weights, int count, size_t samples,
                 uint8_t* target) {
  VerticalLoop(source, stride, weights, count, samples, target);
}

// The loops that this machine runs best.
constexpr int kRowsAtOnce = 4;
struct Kernels {
  decltype(&HorizontalRows<1>) horizontal_row = HorizontalRows<1>;
  decltype(&HorizontalRows<1>) horizontal_rows = HorizontalRows<kRowsAtOnce>;
  decltype(&VerticalRow) vertical_row = VerticalRow;
};

Kernels ChooseKernels() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return {HorizontalRowsAvx2<1>, HorizontalRowsAvx2<kRowsAtOnce>, VerticalRowAvx2};
#endif
  return {};
}
#undef MP_INLINE

// Rows of interleaved RGB within a larger buffer.
struct Rows {
  const uint8_t* data;
  size_t stride;  // bytes
  int width, height;
};

// `output_width` samples a row, of which begin … begin + width - 1 are computed.
std::vector<uint8_t> ResampleHorizontally(const Rows& source, int64_t output_width, int64_t begin, int64_t width,
                                          ResizeFilter filter) {
  const Taps taps = ComputeTaps(source.width, output_width, begin, width, filter);
  const Kernels kernels = ChooseKernels();
  const size_t row_bytes = static_cast<size_t>(width) * kChannels;
  std::vector<uint8_t> target(row_bytes * static_cast<size_t>(source.height));
  const auto last = static_cast<size_t>(source.height - 1);
  size_t y = 0;
  for (; y + kRowsAtOnce <= last; y += kRowsAtOnce) {
    kernels.horizontal_rows(source.data + source.stride * y, source.stride, taps, target.data() + row_bytes * y,
                            row_bytes);
  }
  for (; y < last; ++y) {
    kernels.horizontal_row(source.data + source.stride * y, 0, taps, target.data() + row_bytes * y, 0);
  }
  // The last row goes through a copy that may be read one byte beyond its end.
  std::vector<uint8_t> padded(static_cast<size_t>(source.width) * kChannels + 1);
  std::memcpy(padded.data(), source.data + source.stride * last, padded.size() - 1);
  kernels.horizontal_row(padded.data(), 0, taps, target.data() + row_bytes * last, 0);
  return target;
}

// Resizes `source` to `resized`, of which only `crop` (in the coordinates of the result) is computed.
RgbImage Resample(Rows source, ImageSize resized, const Box& crop, ResizeFilter filter) {
  RgbImage result{static_cast<int>(crop.width), static_cast<int>(crop.height), {}};
  const size_t row_bytes = static_cast<size_t>(crop.width) * kChannels;
  result.pixels.resize(row_bytes * static_cast<size_t>(crop.height));

  const bool is_vertical = resized.height != source.height;
  const Taps taps = is_vertical ? ComputeTaps(source.height, resized.height, crop.top, crop.height, filter) : Taps{};
  // Both ends of a tap's range grow with its output.
  const int row_begin = is_vertical ? taps.first.front() : static_cast<int>(crop.top);
  const int row_end = is_vertical ? taps.first.back() + taps.count.back() : row_begin + result.height;
  source.data += source.stride * static_cast<size_t>(row_begin);
  source.height = row_end - row_begin;

  std::vector<uint8_t> narrowed;
  if (resized.width != source.width) {
    narrowed = ResampleHorizontally(source, resized.width, crop.left, crop.width, filter);
    source.data = narrowed.data();
    source.stride = row_bytes;
  } else {
    source.data += static_cast<size_t>(crop.left) * kChannels;
  }

  const Kernels kernels = ChooseKernels();
  for (size_t y = 0; y < static_cast<size_t>(crop.height); ++y) {
    uint8_t* const target = result.pixels.data() + row_bytes * y;
    if (!is_vertical) {
      std::memcpy(target, source.data + source.stride * y, row_bytes);
      continue;
    }
    const uint8_t* const first = source.data + source.stride * static_cast<size_t>(taps.first[y] - row_begin);
    kernels.vertical_row(first, source.stride, taps.WeightsOf(y), taps.count[y], row_bytes, target);
  }
  return result;
}

Rows RowsOf(const RgbImage& image, const Box& box) {
  const size_t stride = static_cast<size_t>(image.width) * kChannels;
  return {image.pixels.data() + stride * static_cast<size_t>(box.top) + static_cast<size_t>(box.left) * kChannels,
          stride, static_cast<int>(box.width), static_cast<int>(box.height)};
}

Box WholeOf(const RgbImage& image) { return {0, 0, image.width, image.height}; }

Box WholeOf(ImageSize size) { return {0, 0, size.width, size.height}; }

}  // namespace

RgbImage Resize(const RgbImage& image, ImageSize size, ResizeFilter filter) {
  return Resample(RowsOf(image, WholeOf(image)), size, WholeOf(size), filter);
}

RgbImage ResizeThenCrop(const RgbImage& image, ImageSize resized, const Box& crop, ResizeFilter filter) {
  return Resample(RowsOf(image, WholeOf(image)), resized, crop, filter);
}

RgbImage CropThenResize(const RgbImage& image, const Box& crop, ImageSize size, ResizeFilter filter) {
  return Resample(RowsOf(image, crop), size, WholeOf(size), filter);
}

}  // namespace modelpatch::data
