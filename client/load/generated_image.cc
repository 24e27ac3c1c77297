#include "client/load/generated_image.h"

// jpeglib.h needs stdio.h before it.
#include <cstdio>
#include <cstdlib>
//
#include <jpeglib.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "client/load/seeded_random.h"

namespace modelpatch::client {
namespace {

constexpr int kChannels = 3;
constexpr int kQuality = 85;
constexpr int kWaves = 6;
constexpr double kGrain = 12;

struct Wave {
  double x;
  double y;
  double phase;
  double amplitude;
};

std::vector<Wave> WavesOf(uint64_t seed) {
  std::vector<Wave> waves;
  for (uint64_t i = 0; i < kChannels * kWaves; ++i) {
    const auto draw = [&](uint64_t which) { return RandomUniform(seed, 4 * i + which); };
    waves.push_back({draw(0) * 40 - 20, draw(1) * 40 - 20, draw(2) * 2 * M_PI, 10 + 30 * draw(3)});
  }
  return waves;
}

std::vector<JSAMPLE> PixelsOf(int width, int height, uint64_t seed) {
  const std::vector<Wave> waves = WavesOf(seed);
  std::vector<JSAMPLE> pixels;
  pixels.reserve(static_cast<size_t>(width) * static_cast<size_t>(height) * kChannels);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int channel = 0; channel < kChannels; ++channel) {
        double value = 128 + kGrain * (RandomUniform(~seed, pixels.size()) - 0.5);
        const size_t first = static_cast<size_t>(channel) * kWaves;
        for (size_t i = first; i < first + kWaves; ++i) {
          const Wave& wave = waves[i];
          value += wave.amplitude * std::sin(wave.x * x / width + wave.y * y / height + wave.phase);
        }
        pixels.push_back(static_cast<JSAMPLE>(std::clamp(value, 0.0, 255.0)));
      }
    }
  }
  return pixels;
}

}  // namespace

std::string GenerateJpeg(int width, int height, uint64_t seed) {
  std::vector<JSAMPLE> pixels = PixelsOf(width, height, seed);
  jpeg_compress_struct state;
  jpeg_error_mgr errors;
  state.err = jpeg_std_error(&errors);
  jpeg_create_compress(&state);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): libjpeg's type
  jpeg_mem_dest(&state, &bytes, &size);
  state.image_width = static_cast<JDIMENSION>(width);
  state.image_height = static_cast<JDIMENSION>(height);
  state.input_components = kChannels;
  state.in_color_space = JCS_RGB;
  jpeg_set_defaults(&state);
  jpeg_set_quality(&state, kQuality, TRUE);
  jpeg_start_compress(&state, TRUE);
  while (state.next_scanline < state.image_height) {
    JSAMPROW row = pixels.data() + static_cast<size_t>(state.next_scanline) * static_cast<size_t>(width) * kChannels;
    jpeg_write_scanlines(&state, &row, 1);
  }
  jpeg_finish_compress(&state);
  std::string file(reinterpret_cast<const char*>(bytes), size);
  jpeg_destroy_compress(&state);
  std::free(bytes);
  return file;
}

}  // namespace modelpatch::client
