#include "core/serve/scores.h"

#include <torch/torch.h>

#include <algorithm>
#include <numeric>

#include "core/model/clip_model.h"

namespace modelpatch::serve {

std::vector<std::vector<ClassScore>> ScoreClasses(const at::Tensor& features, const at::Tensor& embeddings,
                                                  double logit_scale, std::optional<double> logit_bias, int64_t top_k) {
  const at::NoGradGuard no_grad;
  const at::Tensor cosines = at::mm(model::NormalizeFeatures(features), embeddings.cpu().t()).contiguous();
  const at::Tensor scaled = cosines * logit_scale;
  const at::Tensor logits = (logit_bias.has_value() ? scaled + *logit_bias : scaled).contiguous();
  const at::Tensor probabilities = (logit_bias.has_value() ? at::sigmoid(logits) : at::softmax(logits, 1)).contiguous();
  const int64_t classes = cosines.size(1);
  const int64_t kept = top_k == 0 ? classes : std::min(top_k, classes);
  std::vector<std::vector<ClassScore>> images;
  std::vector<int64_t> order(static_cast<size_t>(classes));
  for (int64_t image = 0; image < cosines.size(0); ++image) {
    const float* cosine = cosines.data_ptr<float>() + image * classes;
    const float* logit = logits.data_ptr<float>() + image * classes;
    const float* probability = probabilities.data_ptr<float>() + image * classes;
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + kept, order.end(),
                      [&](int64_t a, int64_t b) { return cosine[a] != cosine[b] ? cosine[a] > cosine[b] : a < b; });
    std::vector<ClassScore>& scores = images.emplace_back();
    for (int64_t i = 0; i < kept; ++i) {
      const int64_t index = order[static_cast<size_t>(i)];
      scores.push_back({index, probability[index], logit[index], cosine[index]});
    }
  }
  return images;
}

}  // namespace modelpatch::serve
