#include "core/serve/scores.h"

#include <torch/torch.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "core/model/clip_model.h"

namespace modelpatch::serve {
namespace {

// Up to so many images a BLAS spends more on rearranging the embeddings for a matrix product than on the product.
constexpr int64_t kFewImages = 4;

// Grows as the score falls, and among equal scores with the index: an order of integers, total for whatever bits a
// score has, that sorts without looking anything up.
uint64_t RankKey(float score, int64_t index) {
  const auto bits = std::bit_cast<uint32_t>(score + 0.0F);  // −0 becomes 0
  const uint32_t rising = (bits >> 31) != 0 ? ~bits : bits | 0x8000'0000U;
  return (static_cast<uint64_t>(~rising) << 32) | static_cast<uint32_t>(index);
}

// The indices of the `kept` best, best first.
std::vector<uint32_t> Best(const float* scores, int64_t classes, int64_t kept, std::vector<uint64_t>& keys) {
  keys.clear();
  for (int64_t i = 0; i < classes; ++i) keys.push_back(RankKey(scores[i], i));
  if (kept < classes) std::nth_element(keys.begin(), keys.begin() + kept, keys.end());
  std::sort(keys.begin(), keys.begin() + kept);
  std::vector<uint32_t> best;
  best.reserve(static_cast<size_t>(kept));
  for (int64_t i = 0; i < kept; ++i) best.push_back(static_cast<uint32_t>(keys[static_cast<size_t>(i)]));
  return best;
}

float Sigmoid(float logit) { return 1 / (1 + std::exp(-logit)); }

}  // namespace

at::Tensor Cosines(const at::Tensor& features, const at::Tensor& embeddings) {
  const at::Tensor rows = model::NormalizeFeatures(features);
  if (rows.size(0) > kFewImages) return at::mm(rows, embeddings.t()).contiguous();
  // Zeros, since not every BLAS leaves out what was there when it is told to.
  const at::Tensor cosines = at::zeros({rows.size(0), embeddings.size(0)}, rows.options());
  for (int64_t i = 0; i < rows.size(0); ++i) {
    at::Tensor row = cosines[i];
    at::mv_out(row, embeddings, rows[i]);
  }
  return cosines;
}

std::vector<std::vector<ClassScore>> ScoreClasses(const at::Tensor& features, const at::Tensor& embeddings,
                                                  double logit_scale, std::optional<double> logit_bias, int64_t top_k) {
  const at::NoGradGuard no_grad;
  const at::Tensor cosines = Cosines(features, embeddings);
  const at::Tensor logits = cosines * logit_scale;
  // A sigmoid is taken of what is kept alone.
  const at::Tensor shares = logit_bias.has_value() ? logits : at::softmax(logits, 1).contiguous();
  const int64_t classes = cosines.size(1);
  const int64_t kept = top_k == 0 ? classes : std::min(top_k, classes);
  std::vector<std::vector<ClassScore>> images;
  std::vector<uint64_t> keys;
  keys.reserve(static_cast<size_t>(classes));
  for (int64_t image = 0; image < cosines.size(0); ++image) {
    const float* cosine = cosines.data_ptr<float>() + image * classes;
    const float* logit = logits.data_ptr<float>() + image * classes;
    const float* share = shares.data_ptr<float>() + image * classes;
    std::vector<ClassScore>& scores = images.emplace_back();
    scores.reserve(static_cast<size_t>(kept));
    for (const uint32_t index : Best(cosine, classes, kept, keys)) {
      if (logit_bias.has_value()) {
        const float biased = logit[index] + static_cast<float>(*logit_bias);
        scores.push_back({index, Sigmoid(biased), biased, cosine[index]});
      } else {
        scores.push_back({index, share[index], logit[index], cosine[index]});
      }
    }
  }
  return images;
}

}  // namespace modelpatch::serve
